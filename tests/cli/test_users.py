"""`pixelake users` and `pixelake shares`, as they are typed."""

import io
import json
from pathlib import Path

import pytest

from pixelake import build, settings
from pixelake.cli import run
from pixelake.operate import folder
from pixelake.registry import passwords
from pixelake.registry.access import Book

PASSWORD = "correct horse battery"


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """The flag of an empty data folder."""
    return ["--data", str(tmp_path)]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """What a running server would see."""
    folder.begun(tmp_path)
    return build.registry(settings.load({"data": str(tmp_path)}, {}, None)).access


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\nanother line\n"))


def _listed(what: str, data: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run([what, "list", "--format", "json", *data]) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


def test_users(data: list[str], book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """Added with a password from standard input, listed with sites and sessions, removed with both."""
    assert run(["users", "add", "Ann", "--site", "Shop.example", "--site", "blog", *data]) == 0
    user = book.door().users["ann"]
    assert (user.role, user.sites) == ("viewer", {"shop.example", "blog"})
    assert passwords.fits(user.password, PASSWORD)
    book.open_session(user)
    row = _listed("users", data, capsys)[0]
    assert (row["name"], row["role"], row["sites"], row["sessions"]) == ("ann", "viewer", "blog, shop.example", 1)
    assert PASSWORD not in str(row)
    assert run(["users", "remove", "ANN", *data]) == 0
    assert (book.door().users, book.door().sessions) == ({}, {})
    assert run(["users", "remove", "ann", *data]) == 1
    assert "there is no user 'ann'" in capsys.readouterr().err


def test_another_password(data: list[str], book: Book) -> None:
    """It ends all sessions of that user."""
    book.add_user("ann", "owner", None, "before")
    book.open_session(book.door().users["ann"])
    assert run(["users", "passwd", "ann", *data]) == 0
    assert passwords.fits(book.door().users["ann"].password, PASSWORD)
    assert not book.door().sessions
    assert run(["users", "passwd", "bob", *data]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["users", "add", "a b"], "nobody can be called"),
        (["users", "add", "\u0430nn"], "nobody can be called"),
        (["users", "add", "ann", "--role", "king"], "king"),
        (["users", "add", "ann", "--role", "owner", "--site", "shop"], "an owner sees all sites"),
        (["users", "add", "ann", "--site", "a b"], "there can be no such site"),
        (["users", "add", "ann", "--password", PASSWORD], "there is no option --password"),
        (["users", "add"], "NAME"),
    ],
    ids=["blank", "alike", "role", "owner_of_one", "site", "argument", "nobody"],
)
def test_misuse(
    data: list[str], book: Book, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """Told in one line with status 2, and nobody is made; a password is never an argument."""
    assert run([*arguments, *data]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not book.door().users


@pytest.mark.parametrize("line", ["", "short\n", "ann\n"], ids=["none", "short", "name"])
def test_bad_passwords(data: list[str], book: Book, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """What is no password makes no user."""
    monkeypatch.setattr("sys.stdin", io.StringIO(line))
    assert run(["users", "add", "ann", *data]) == 2
    assert not book.door().users


def test_shares(data: list[str], book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """Links are listed by id, without their secret, and removed."""
    share, secret = book.add_share("For the board", "shop", ancestors=["https://a.example"])
    row = _listed("shares", data, capsys)[0]
    assert (row["id"], row["name"], row["expires"], row["frames"]) == (share.id, share.name, None, "https://a.example")
    assert secret not in str(row)
    assert run(["shares", "remove", share.id, *data]) == 0
    assert not book.door().shares
    assert run(["shares", "remove", share.id, *data]) == 1
