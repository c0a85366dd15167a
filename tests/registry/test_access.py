"""Users, sessions and shared links in the registry."""

import sqlite3
import time

import pytest

from pixelake.errors import SettingsError
from pixelake.registry import access, passwords
from pixelake.registry.access import DAY, IDLE, LONGEST_SESSION, MOST_SESSIONS, is_origin, user_name
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.registry.tokens import hash_of
from pixelake.testing import FakeClock


@pytest.fixture
def clock():
    """A clock that stands."""
    return FakeClock()


@pytest.fixture
def book(tmp_path, clock):
    """The book of a new registry."""
    return SqliteRegistry(tmp_path / "registry.sqlite", clock=clock).access


def _user(book, name="ann", **more):
    book.add_user(name, more.get("role", "viewer"), more.get("sites"), "kept")
    return book.door().users[name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ann", "ann"),
        (" Ann@Example.org ", "ann@example.org"),
        ("\uff41\uff4e\uff4e", "ann"),
        ("\u212anut", "knut"),
        ("\u0430nn", None),
        ("<b>x</b>", None),
        ("a\0b", None),
        ("a\nb", None),
        ("", None),
        ("-a", None),
        ("a" * 64, "a" * 64),
        ("a" * 65, None),
        ("a" * 10_000_000, None),
        ("a\u202eb", None),
        ("\ud800", None),
    ],
    ids=[
        *("plain", "address", "full_width", "kelvin", "cyrillic", "html", "zero", "line", "empty", "option"),
        *("long", "too_long", "very_long", "backwards", "half"),
    ],
)
def test_names(text, name):
    """A name is plain Latin in lower case, so that none looks like another; whatever else is nobody's."""
    assert user_name(text) == name


def test_users(book):
    """A user is made, changed and removed; a name is there once."""
    assert book.add_user("Ann", "viewer", ["shop", "blog", "shop"], "one") == "ann"
    assert book.door().users["ann"].sites == {"shop", "blog"}
    with pytest.raises(SettingsError, match="already"):
        book.add_user("ANN", "owner", None, "two")
    assert book.change_user("ann", "owner", None)
    assert book.door().users["ann"][1:4] == ("owner", None, "one")
    assert book.remove_user("ann")
    assert (book.remove_user("ann"), book.change_user("ann", "viewer", None)) == (False, False)
    assert not book.door().users


@pytest.mark.parametrize(("role", "sites"), [("king", None), ("owner", ["shop"]), ("viewer", [])])
def test_no_such_user(book, role, sites):
    """There are two roles; an owner sees all sites, and a viewer some or all."""
    with pytest.raises(SettingsError):
        book.add_user("ann", role, sites, "kept")


def test_bounds(book, monkeypatch):
    """There are only so many users and links."""
    monkeypatch.setattr(access, "MOST_USERS", 1)
    monkeypatch.setattr(access, "MOST_SHARES", 1)
    _user(book)
    book.add_share("one", "shop")
    with pytest.raises(SettingsError, match="1 users"):
        _user(book, "bob")
    with pytest.raises(SettingsError, match="1 shared links"):
        book.add_share("two", "shop")


def test_only_hashes_are_kept(tmp_path, book):
    """Neither the secret of a session nor that of a link is in the file; both are long, and never the same."""
    secrets = {book.open_session(_user(book)), book.open_session(), book.add_share("x", "shop")[1]}
    assert len(secrets) == 3
    assert min(map(len, secrets)) >= 43
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [secret for secret in secrets if secret.encode() in kept]
    assert all(hash_of(secret).encode() in kept for secret in secrets)


def test_a_session_is_over(book, clock):
    """When it was not used for a week, or after a month in any case; and then it is cleared away."""
    held = hash_of(book.open_session())
    begun = clock.now()
    session = book.door().sessions[held]
    assert session.holds(begun + IDLE - 1)
    assert not session.holds(begun + IDLE)
    assert not session._replace(used=begun + LONGEST_SESSION).holds(begun + LONGEST_SESSION)
    clock.advance((IDLE + DAY) / 1e6)
    book.open_session()
    assert held not in book.door().sessions


def test_use_is_written_rarely(book, clock):
    """That a session is used changes the registry every ten minutes at most."""
    held = hash_of(book.open_session())
    before = book.door()
    clock.advance(599)
    book.use_session(held)
    assert book.door(before) is before
    clock.advance(2)
    book.use_session(held)
    assert book.door(before).sessions[held].used == clock.now()


def test_what_ends_sessions(book):
    """Another password, removal, and leaving everywhere end all of that user, and nobody else's."""
    for end in (
        lambda: book.set_password("ann", "new"),
        lambda: book.close_sessions("ann"),
        lambda: book.remove_user("ann"),
    ):
        user = book.door().users.get("ann") or _user(book)
        ends = {hash_of(book.open_session(user)) for _ in range(2)}
        stays = hash_of(book.open_session())
        end()
        assert stays in book.door().sessions
        assert not ends & set(book.door().sessions)


def test_no_session_by_an_old_password(book):
    """Who was removed, or has another password since it was compared, gets no session."""
    user = _user(book)
    book.set_password("ann", "new")
    assert book.open_session(user) is None
    book.remove_user("ann")
    assert book.open_session(user._replace(password="new")) is None
    share, _ = book.add_share("x", "shop", password="kept")
    book.remove_share(share.id)
    assert book.open_session(share=share) is None


def test_bounded_sessions(book, clock):
    """One more than there may be ends the one that was used longest ago."""
    first, *rest = [_later(clock, book.open_session) for _ in range(MOST_SESSIONS)]
    last = _later(clock, book.open_session)
    assert set(book.door().sessions) == {hash_of(secret) for secret in [*rest, last]}
    assert hash_of(first) not in book.door().sessions


def _later(clock, call):
    clock.advance(1)
    return call()


def test_a_new_session_in_place_of_another(book):
    """Logging in anew ends the session that the browser had."""
    before = hash_of(book.open_session())
    after = hash_of(book.open_session(instead=before))
    assert set(book.door().sessions) == {after}


def test_shares(book, clock):
    """A link expires, and is removed with the sessions of who knew its password."""
    share, secret = book.add_share(" For the board ", "shop", clock.now() + DAY, "kept")
    assert book.door().shares[hash_of(secret)] == share
    assert (share.name, share.holds(clock.now()), share.holds(clock.now() + DAY)) == ("For the board", True, False)
    assert book.open_session(share=share)
    assert book.remove_share(share.id)
    assert not book.door().sessions
    assert not book.remove_share(share.id)


@pytest.mark.parametrize(
    ("origin", "is_one"),
    [
        ("https://www.example.org", True),
        ("http://localhost:8080", True),
        ("https://*.example.org", True),
        ("https://example.org/", False),
        ("https://example.org; script-src *", False),
        ("https://example.org\r\nSet-Cookie: a=b", False),
        ("https://a b", False),
        ("*", False),
        ("'self'", False),
        ("https://", False),
        ("javascript:alert(1)", False),
        ("https://*.*.org", False),
        ("https://" + "a" * 300 + ".org", False),
    ],
)
def test_origins(origin, is_one):
    """Only the origin of a page can stand in the header that says who may hold a link in a frame."""
    assert is_origin(origin) == is_one


@pytest.mark.parametrize(
    "more",
    [
        {"name": " "},
        {"name": "a\nb"},
        {"name": "x" * 81},
        {"expires": 1},
        {"ancestors": ["nonsense"]},
        {"ancestors": [f"https://{n}.org" for n in range(21)]},
        {"ancestors": ["https://example.org"], "password": "kept"},
    ],
)
def test_no_such_share(book, more):
    """A link has a name on a line and a future; frames only of origins, and never together with a password."""
    with pytest.raises(SettingsError):
        book.add_share(**{"name": "x", "site": "shop", **more})


def test_another_process_sees_it(tmp_path, book):
    """What one process changes, another sees at its next look; and looks without change read nothing."""
    other = SqliteRegistry(tmp_path / "registry.sqlite").access
    before = other.door()
    assert other.door(before) is before
    user = _user(book)
    secret = book.open_session(user)
    assert hash_of(secret) in other.door(before).sessions
    book.remove_user("ann")
    assert not other.door().sessions


def test_erasing_leaves_them(tmp_path):
    """Who is erased takes no account and no link of the operator's along."""
    registry = SqliteRegistry(tmp_path / "registry.sqlite")
    registry.access.add_user("ann", "viewer", None, "kept")
    registry.access.add_share("ann", "ann")
    registry.add_sites(["ann"])
    assert registry.forget(lambda texts: ["ann" in text for text in texts]) == 1
    assert registry.access.door().users
    assert registry.access.door().shares


def test_an_older_file(tmp_path):
    """A registry that was made before there were users gets their tables when it is opened."""
    path = tmp_path / "registry.sqlite"
    SqliteRegistry(path).close()
    with sqlite3.connect(path) as database:
        for table in access.TABLES:
            database.execute(f"DROP TABLE {table}")
    assert SqliteRegistry(path).access.door().version == 1


def test_passwords():
    """A password fits its own hash alone, however a keyboard composed it; two hashes of one differ."""
    one, two = passwords.hashed("grün wie der Wald"), passwords.hashed("grün wie der Wald")
    assert one != two
    assert "argon2id" in one
    assert passwords.fits(one, "gru\u0308n wie der Wald")
    assert not passwords.fits(one, "grun wie der Wald")
    assert not passwords.fits(None, "grün wie der Wald")
    assert not passwords.fits("no hash", "grün wie der Wald")
    assert not passwords.fits(one, "\ud800\0")


def test_nobody_costs_as_much():
    """To compare with nobody's password takes as long as with somebody's."""
    kept = passwords.hashed("correct horse battery")
    passwords.fits(None, "warm")
    assert _seconds(None) > _seconds(kept) / 3


def _seconds(kept):
    begun = time.thread_time()
    passwords.fits(kept, "wrong password")
    return time.thread_time() - begun


@pytest.mark.parametrize("password", ["", "short", "a" * 10, "ababababab", "x" * 1_001, "annannannann"])
def test_bad_passwords(password):
    """A password is long enough, and not one that anybody would guess."""
    with pytest.raises(SettingsError):
        passwords.check(password, "annannannann")


def test_good_passwords():
    """Any characters will do."""
    for password in ("correct horse", "пароль для меня", "🐎🔋📎✅🐴🔌🖇️☑️🦄🔦"):
        assert passwords.check(password, "ann") == password
