"""People who may look: users, their sessions, and links that are shared.

Of a session and of a link a hash is kept, never the secret itself: it is random (256 bits), so that its plain SHA-256
tells nothing. Of a password its Argon2 hash is kept (`pixelake.registry.passwords`). Of a session nothing is kept
that tells a person apart: no address, and no user agent.
"""

import json
import re
import secrets
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, TypeVar

from pixelake.clock import SECOND, Clock
from pixelake.errors import SettingsError
from pixelake.registry.tokens import hash_of

T = TypeVar("T")

ROLES: Final = ("owner", "viewer")
"""An owner may see and change everything; a viewer may look, at all sites or at some."""
DAY: Final = 86_400 * SECOND
LONGEST_SESSION: Final = 30 * DAY
"""A session ends so long after it began (µs),"""
IDLE: Final = 7 * DAY
"""or so long after it was last used."""
RARELY: Final = 600 * SECOND
"""That a session was used is written down so often at most (µs)."""
MOST_USERS: Final = 1_000
MOST_SHARES: Final = 1_000
MOST_SESSIONS: Final = 100
"""Of a user, or of a link that asks for a password: one more ends the one that was used longest ago."""
MOST_ANCESTORS: Final = 20
LONGEST: Final = 80
"""Characters of what a link is called."""

SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS access(version INTEGER NOT NULL)",
    "INSERT INTO access(version) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM access)",
    (
        "CREATE TABLE IF NOT EXISTS users(name TEXT PRIMARY KEY, role TEXT NOT NULL, sites TEXT,"
        " password TEXT NOT NULL, created INTEGER NOT NULL)"
    ),
    (
        "CREATE TABLE IF NOT EXISTS sessions(hash TEXT PRIMARY KEY, user TEXT NOT NULL, share TEXT NOT NULL,"
        " created INTEGER NOT NULL, used INTEGER NOT NULL)"
    ),
    (
        "CREATE TABLE IF NOT EXISTS shares(hash TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
        " site TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, password TEXT NOT NULL,"
        " ancestors TEXT NOT NULL)"
    ),
)
TABLES: Final = frozenset({"access", "users", "sessions", "shares"})
"""Whose rows are the operator's, and never somebody's who was counted."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._+@-]{0,63}")
_LABEL: Final = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
_ORIGIN: Final = re.compile(rf"https?://(?:\*\.)?{_LABEL}(?:\.{_LABEL})*(?::\d{{1,5}})?")


class User(NamedTuple):
    """Somebody with a password.

    Attributes:
        name: unique; in lower case.
        role: one of `ROLES`.
        sites: the only ones that a viewer sees; None: all.
        password: its Argon2 hash.
        created: when (µs UTC).
    """

    name: str
    role: str
    sites: frozenset[str] | None
    password: str
    created: int


class Session(NamedTuple):
    """A browser that was let in.

    Attributes:
        hash: SHA-256 of its secret, in hexadecimal.
        user: whose; empty: of whoever held the access token, or knew the password of a link.
        share: the hash of that link; empty: it is for none.
        created: when (µs UTC).
        used: when last, to ten minutes (µs UTC).
    """

    hash: str
    user: str
    share: str
    created: int
    used: int

    def holds(self, now: int) -> bool:
        """Whether it is not over at that moment (µs UTC)."""
        return now < min(self.created + LONGEST_SESSION, self.used + IDLE)


class Share(NamedTuple):
    """A link for anybody who has it: it shows one site, and changes nothing.

    Attributes:
        hash: SHA-256 of its secret, in hexadecimal.
        id: by which it is named.
        name: what it is called.
        site: the one that it shows.
        created: when (µs UTC).
        expires: from when it no longer holds (µs UTC); 0: it always does.
        password: Argon2 hash of the one that it asks for; empty: of none.
        ancestors: origins of the pages that may hold it in a frame.
    """

    hash: str
    id: str
    name: str
    site: str
    created: int
    expires: int
    password: str
    ancestors: tuple[str, ...]

    def holds(self, now: int) -> bool:
        """Whether it has not expired at that moment (µs UTC)."""
        return not self.expires or now < self.expires


@dataclass(frozen=True, slots=True)
class Door:
    """Who may look, at one moment.

    Attributes:
        version: grows with every change.
        users: by name.
        sessions: by their hash; also such as are over.
        shares: by their hash; also such as have expired.
    """

    version: int
    users: Mapping[str, User]
    sessions: Mapping[str, Session]
    shares: Mapping[str, Share]


class Transact(Protocol):
    """What runs something in a transaction of the registry, by one thread at a time."""

    def __call__(self, action: Callable[[sqlite3.Connection], T], begin: str = "BEGIN IMMEDIATE") -> T:
        """What it returns; raises `pixelake.errors.RegistryUnavailable`."""
        ...


def user_name(text: str) -> str | None:
    """A name as it is compared: in lower case, full-width letters as plain ones; None: nobody can be called so.

    Plain Latin letters and digits alone, so that no name looks like another.
    """
    if len(text) > 4 * LONGEST:
        return None
    name = unicodedata.normalize("NFKC", text).strip().lower()
    return name if _NAME.fullmatch(name) else None


def is_origin(text: str) -> bool:
    """Whether that can stand in a header as a page's origin: ``https://host[:port]``, its first label perhaps ``*``."""
    return len(text) <= 300 and _ORIGIN.fullmatch(text) is not None


class Book:
    """Users, sessions and shared links in the registry's file. For several threads and processes.

    Every method raises `pixelake.errors.RegistryUnavailable` if the file cannot be read or written now.

    Args:
        transact: runs something in a transaction.
        clock: for when things were made.
    """

    def __init__(self, transact: Transact, clock: Clock) -> None:
        self._transact, self._clock = transact, clock

    def door(self, known: Door | None = None) -> Door:
        """Who may look now; the one that is known already, if nothing has changed since."""
        return self._transact(lambda database: _door(database, known), "BEGIN")

    def add_user(self, name: str, role: str, sites: Iterable[str] | None, password: str) -> str:
        """Make a user, with the hash of a password. Returns the name as it is compared.

        Raises:
            SettingsError: nobody can be called so, somebody is already, the role is none, or there are too many.
        """
        known = user_name(name)
        if known is None:
            raise SettingsError(
                f"nobody can be called {name[:80]!r}", "a to z, digits, `.`, `_`, `-`, `+` and `@`, at most 64"
            )
        row = (known, _role(role), _sites(role, sites), password, self._clock.now())

        def add(database: sqlite3.Connection) -> str:
            (count,) = database.execute("SELECT count(*) FROM users").fetchone()
            if database.execute("SELECT 1 FROM users WHERE name = ?", (known,)).fetchone():
                raise SettingsError(f"there is a user {known!r} already", "take another name, or remove that one first")
            if count >= MOST_USERS:
                raise SettingsError(f"there are {MOST_USERS:,} users", "remove some who no longer look")
            database.execute("INSERT INTO users(name, role, sites, password, created) VALUES (?, ?, ?, ?, ?)", row)
            return known

        return self._changed(add)

    def change_user(self, name: str, role: str, sites: Iterable[str] | None) -> bool:
        """Give a user another role, or other sites: at once. Whether there is one of that name.

        Raises:
            SettingsError: the role is none.
        """
        row = (_role(role), _sites(role, sites), name)
        update = "UPDATE users SET role = ?, sites = ? WHERE name = ?"
        return self._changed(lambda database: database.execute(update, row).rowcount > 0)

    def set_password(self, name: str, password: str) -> bool:
        """Give a user another password (its hash), and end all sessions. Whether there is one of that name."""

        def change(database: sqlite3.Connection) -> bool:
            database.execute("DELETE FROM sessions WHERE user = ?", (name,))
            return database.execute("UPDATE users SET password = ? WHERE name = ?", (password, name)).rowcount > 0

        return self._changed(change)

    def remove_user(self, name: str) -> bool:
        """Take a user and all sessions away. Whether there was one of that name."""

        def remove(database: sqlite3.Connection) -> bool:
            database.execute("DELETE FROM sessions WHERE user = ?", (name,))
            return database.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount > 0

        return self._changed(remove)

    def open_session(self, user: User | None = None, share: Share | None = None, instead: str = "") -> str | None:
        """Begin a session; its secret, which is told this once.

        Args:
            user: whose, as it was when the password was compared; None: of the access token, or of a link.
            share: for which link.
            instead: the hash of the session that ends by it.

        Returns:
            None: the user or the link is gone by now, or has another password.
        """
        secret = secrets.token_urlsafe(32)
        now = self._clock.now()
        row = (hash_of(secret), user.name if user else "", share.hash if share else "", now, now)

        def add(database: sqlite3.Connection) -> str | None:
            if not all(_is_as_it_was(database, table, each) for table, each in (("users", user), ("shares", share))):
                return None
            database.execute("DELETE FROM sessions WHERE hash = ?", (instead,))
            database.execute(
                "DELETE FROM sessions WHERE created <= ? OR used <= ?", (now - LONGEST_SESSION, now - IDLE)
            )
            oldest = (
                "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE user = ? AND share = ?"
                " ORDER BY used DESC LIMIT -1 OFFSET ?)"
            )
            database.execute(oldest, (*row[1:3], MOST_SESSIONS - 1))
            database.execute("INSERT INTO sessions(hash, user, share, created, used) VALUES (?, ?, ?, ?, ?)", row)
            return secret

        return self._changed(add)

    def use_session(self, held: str) -> None:
        """Write down that the session of that hash is used now; `RARELY`."""
        now = self._clock.now()
        update = "UPDATE sessions SET used = ?1 WHERE hash = ?2 AND used < ?1 - ?3"
        self._changed(lambda database: database.execute(update, (now, held, RARELY)))

    def close_session(self, held: str) -> None:
        """End the session of that hash."""
        self._changed(lambda database: database.execute("DELETE FROM sessions WHERE hash = ?", (held,)))

    def close_sessions(self, user: str) -> None:
        """End all of a user; empty: all of the access token."""
        delete = "DELETE FROM sessions WHERE user = ? AND share = ''"
        self._changed(lambda database: database.execute(delete, (user,)))

    def close_all_sessions(self) -> None:
        """End every session there is."""
        self._changed(lambda database: database.execute("DELETE FROM sessions"))

    def add_share(
        self, name: str, site: str, expires: int = 0, password: str = "", ancestors: Iterable[str] = ()
    ) -> tuple[Share, str]:
        """Make a link to a site; and its secret, which is told this once. See `Share`.

        Raises:
            SettingsError: it cannot be called so, be held so, or there are too many.
        """
        origins = tuple(dict.fromkeys(each.strip().lower().rstrip("/") for each in ancestors))
        now = self._clock.now()
        _check_share(name, expires, now, password, origins)
        secret, known = secrets.token_urlsafe(32), secrets.token_hex(6)
        share = Share(hash_of(secret), known, name.strip(), site, now, expires, password, origins)

        def add(database: sqlite3.Connection) -> tuple[Share, str]:
            (count,) = database.execute("SELECT count(*) FROM shares").fetchone()
            if count >= MOST_SHARES:
                raise SettingsError(f"there are {MOST_SHARES:,} shared links", "remove some that nobody needs")
            row = (*share[:-1], json.dumps(origins))
            database.execute(f"INSERT INTO shares VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - marks
            return share, secret

        return self._changed(add)

    def remove_share(self, known: str) -> bool:
        """Let the link of that id hold no longer. Whether there was one."""

        def remove(database: sqlite3.Connection) -> bool:
            database.execute(
                "DELETE FROM sessions WHERE share IN (SELECT hash FROM shares WHERE id = ?)",
                (known,),
            )
            return database.execute("DELETE FROM shares WHERE id = ?", (known,)).rowcount > 0

        return self._changed(remove)

    def _changed(self, action: Callable[[sqlite3.Connection], T]) -> T:
        def change(database: sqlite3.Connection) -> T:
            before = database.total_changes
            result = action(database)
            if database.total_changes > before:
                database.execute("UPDATE access SET version = version + 1")
            return result

        return self._transact(change)


def _door(database: sqlite3.Connection, known: Door | None) -> Door:
    (version,) = database.execute("SELECT version FROM access").fetchone()
    if known is not None and known.version == version:
        return known
    users = [
        User(name, role, None if sites is None else frozenset(json.loads(sites)), password, created)
        for name, role, sites, password, created in database.execute(
            "SELECT name, role, sites, password, created FROM users ORDER BY name"
        )
    ]
    query = "SELECT hash, user, share, created, used FROM sessions ORDER BY used DESC"
    sessions = [Session(*row) for row in database.execute(query)]
    shares = [
        Share._make((*row[:-1], tuple(json.loads(row[-1]))))
        for row in database.execute(
            "SELECT hash, id, name, site, created, expires, password, ancestors FROM shares ORDER BY created, id"
        )
    ]
    return Door(
        version,
        MappingProxyType({user.name: user for user in users}),
        MappingProxyType({session.hash: session for session in sessions}),
        MappingProxyType({share.hash: share for share in shares}),
    )


def _is_as_it_was(database: sqlite3.Connection, table: str, known: User | Share | None) -> bool:
    """Whether it is still there, and has the same password."""
    if known is None:
        return True
    column = "name" if isinstance(known, User) else "hash"
    query = f"SELECT password FROM {table} WHERE {column} = ?"  # noqa: S608 - ours
    row = database.execute(query, (known[0],)).fetchone()
    return row is not None and row[0] == known.password


def _role(role: str) -> str:
    if role not in ROLES:
        raise SettingsError(f"there is no role {role[:40]!r}", f"one of {', '.join(ROLES)}")
    return role


def _sites(role: str, sites: Iterable[str] | None) -> str | None:
    """The sites of a user as they are kept."""
    if sites is None:
        return None
    named = sorted(set(sites))
    if role == "owner":
        raise SettingsError("an owner sees all sites", "leave the sites out, or make a viewer")
    if not named:
        raise SettingsError("a viewer of no site sees nothing", "name one, or none for all")
    return json.dumps(named)


def _check_share(name: str, expires: int, now: int, password: str, ancestors: tuple[str, ...]) -> None:
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise SettingsError(f"a link cannot be called {name[:80]!r}", f"1 to {LONGEST} characters on a line")
    if expires and expires <= now:
        raise SettingsError("the link would have expired already", "choose a later moment, or none")
    if len(ancestors) > MOST_ANCESTORS:
        raise SettingsError(f"{len(ancestors)} pages cannot hold a link", f"at most {MOST_ANCESTORS}")
    if wrong := next((each for each in ancestors if not is_origin(each)), None):
        raise SettingsError(f"{wrong[:80]!r} is no origin of a page", "like https://www.example.org, without a path")
    if password and ancestors:
        raise SettingsError(
            "a link that pages may hold in a frame cannot ask for a password",
            "people should not learn to type passwords into frames: leave out one of them",
        )
