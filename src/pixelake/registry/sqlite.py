"""The embedded registry: one SQLite file that all processes of an installation share.

::

    meta     one row: the version, which grows with every change of what a snapshot shows
    zones    site, from (µs UTC), IANA zone: the dated history; a site is a name with a zone from 0
    policies site, from (µs UTC), policy: the dated history of what DNT and Sec-GPC do; empty: as the setting says
    badges   site, count, when it was published (µs UTC; every change a later one): the sites that have a badge
    salts    day, salt; an empty one was destroyed, and its row stays so that it is never made again
    due      day, when it was first seen to be due (µs UTC)
    secrets  name, value
    notices  code, detail, when it was last so (µs UTC)

WAL with ``synchronous=FULL``: what was answered survives a power cut. The
folder and the file are for the owner's eyes only: salts and secrets are in it.
"""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.disk import sync, write_ahead
from pixelake.errors import RegistryUnavailable, SettingsError
from pixelake.registry.base import POLICIES, Noticed, Site, Snapshot

T = TypeVar("T")

MAX_SITES: Final = 100_000
"""Sites are open by default; beyond so many, new names are kept on events but no longer made sites."""
MAX_DETAILS: Final = 16
"""Of a notice: it is for people to read."""
SALT_BYTES: Final = 32
POLICY_DELAY: Final = 2 * SECOND
"""A new policy holds a little later, when it is known everywhere: else two sinks might judge one hit by two of them."""
SECOND_LOOK: Final = 3_600 * SECOND
"""A salt must be due at two looks so far apart: a clock that was wrong for a while must not cost today's."""

_BUSY: Final = 30.0
"""Seconds to wait for another process's transaction."""
_LAST_ZONE: Final = timedelta(hours=12)
"""A date ends last in the zone UTC-12."""
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta(version INTEGER NOT NULL)",
    "INSERT INTO meta SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM meta)",
    "CREATE TABLE IF NOT EXISTS zones(site TEXT, start INTEGER, zone TEXT NOT NULL, PRIMARY KEY(site, start))",
    "CREATE TABLE IF NOT EXISTS policies(site TEXT, start INTEGER, policy TEXT NOT NULL, PRIMARY KEY(site, start))",
    "CREATE TABLE IF NOT EXISTS badges(site TEXT PRIMARY KEY, count INTEGER NOT NULL, published INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS badges_by_time ON badges(published)",
    "CREATE TABLE IF NOT EXISTS salts(day TEXT PRIMARY KEY, salt BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS due(day TEXT PRIMARY KEY, seen INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS secrets(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS notices(code TEXT, detail TEXT, at INTEGER NOT NULL, PRIMARY KEY(code, detail))",
)


class SqliteRegistry:
    """See `pixelake.registry.base.Registry`. For use by several threads and processes.

    Every method raises `RegistryUnavailable` if the file cannot be read or written now.
    """

    def __init__(
        self, path: Path, default_zone: str = "UTC", *, retention: float = 172_800.0, clock: Clock = SYSTEM
    ) -> None:
        """Open the registry, made if it is not there.

        Args:
            path: the file.
            default_zone: IANA zone of new sites.
            retention: seconds a salt is kept after its day ended everywhere: what hits wait at most, and a day.
            clock: for what is due.

        Raises:
            SettingsError: the zone is unknown.
            RegistryUnavailable: the file cannot be opened.
        """
        self._path = path
        self._default_zone = _known_zone(default_zone)
        self._retention = retention
        self._clock = clock
        self._lock = threading.RLock()
        self._snapshot: Snapshot | None = None
        self._published = -1  # when the newest count of the snapshot was
        self._database = self._reported(lambda: _open(path))

    def snapshot(self) -> Snapshot:
        """What is declared now. Only a new version is read again."""
        return self._reported(self._look)

    def add_sites(self, names: Iterable[str]) -> None:
        """Make sites of unknown names, in the default zone. Known ones stay as they are."""
        known = self.snapshot().sites
        new = [name for name in dict.fromkeys(names) if name not in known][: max(0, MAX_SITES - len(known))]
        if new:
            rows = [(name, 0, self._default_zone) for name in new]
            self._change("INSERT OR IGNORE INTO zones VALUES (?, ?, ?)", rows)

    def set_zone(self, site: str, zone: str, start: int = 0) -> None:
        """Let `zone` hold for hits of the site received from `start` (µs UTC) on. The site is made if it is unknown.

        Raises:
            SettingsError: the zone is unknown.
        """
        known = _known_zone(zone)
        self.add_sites([site])
        self._change("INSERT OR REPLACE INTO zones VALUES (?, ?, ?)", [(site, start, known)])

    def set_policy(self, site: str, policy: str) -> int:
        """Let DNT and Sec-GPC do this for hits of the site from now on. The site is made if it is unknown.

        Args:
            site: its name.
            policy: one of `POLICIES`, or ``""``: what the setting says.

        Returns:
            From when it holds (µs UTC): `POLICY_DELAY` from now, or since it was last set.

        Raises:
            SettingsError: there is no such policy.
        """
        if policy and policy not in POLICIES:
            raise SettingsError(f"there is no policy {policy!r}", f"one of {', '.join(POLICIES)}")
        self.add_sites([site])
        history = self.snapshot().policies.get(site, ())
        if history and history[-1][1] == policy:
            return history[-1][0]
        start = max([self._clock.now() + POLICY_DELAY, *(start + 1 for start, _ in history)])  # a clock may go back
        self._change("INSERT OR REPLACE INTO policies VALUES (?, ?, ?)", [(site, start, policy)])
        return start

    def set_badge(self, site: str, has: bool) -> None:
        """Give the site a badge, or take it away. The site is made if it is unknown. A new badge shows 0 at first."""
        self.add_sites([site])
        if has:
            self._change("INSERT OR IGNORE INTO badges VALUES (?, 0, 0)", [(site,)])
        else:
            self._change("DELETE FROM badges WHERE site = ?", [(site,)])

    def publish_badges(self, counts: Mapping[str, int]) -> None:
        """Let the badges of these sites show these counts. Sites without a badge get none by it."""
        shown = self.snapshot().badges
        new = {site: count for site, count in counts.items() if shown.get(site, count) != count}
        if new:
            self._reported(lambda: self._in_transaction(lambda: self._publish(new)))

    def salts(self, days: Iterable[date]) -> Mapping[date, bytes]:
        """The salt of each day, made if it is new; none for days that are due."""
        alive = [day for day in dict.fromkeys(days) if not self._is_due(day, self._clock.now())]
        return self._reported(lambda: self._salts(alive)) if alive else {}

    def destroy_salts(self, now: int) -> int:
        """Destroy the salts that are due at `now` (µs UTC), and were at a look an hour or more ago. Returns how many.

        They are gone for good, and never made again, wherever the clock goes. The
        file is overwritten (``secure_delete``) and the log is cut off; what a copying
        file system or a backup still holds is beyond it.
        """
        return self._reported(lambda: self._destroy(now))

    def secret(self, name: str) -> str:
        """A random secret, made when it is first asked for."""
        return self._reported(lambda: self._secret(name))

    def notice(self, code: str, detail: str, at: int) -> None:
        """Remember that something was so at that moment (µs UTC). Of a code the latest `MAX_DETAILS` are kept."""
        self._reported(lambda: self._in_transaction(lambda: self._notice(code, detail, at)))

    def noticed(self, since: int) -> Sequence[Noticed]:
        """What was so since that moment (µs UTC), the latest first."""
        query = "SELECT code, detail, at FROM notices WHERE at >= ? ORDER BY at DESC, code, detail"
        return self._reported(lambda: [Noticed(*row) for row in self._database.execute(query, (since,))])

    def close(self) -> None:
        """Close the file. May never be called."""
        with self._lock:
            self._database.close()

    def _look(self) -> Snapshot:
        query = "SELECT version, (SELECT max(published) FROM badges) FROM meta"
        version, published = self._database.execute(query).fetchone()
        if self._snapshot is None or self._snapshot.version != version:
            self._snapshot = self._in_transaction(self._read, "BEGIN")
            self._published = published
        elif self._published != published:  # sites are many and counts change all the time
            self._snapshot = replace(self._snapshot, badges=self._read_badges())
            self._published = published
        return self._snapshot

    def _read_badges(self) -> Mapping[str, int]:
        return MappingProxyType(dict(self._database.execute("SELECT site, count FROM badges")))

    def _read_policies(self) -> Mapping[str, tuple[tuple[int, str], ...]]:
        found: dict[str, tuple[tuple[int, str], ...]] = {}
        for site, start, policy in self._database.execute(
            "SELECT site, start, policy FROM policies ORDER BY site, start"
        ):
            found[site] = (*found.get(site, ()), (start, policy))
        return MappingProxyType(found)

    def _publish(self, counts: Mapping[str, int]) -> None:
        (last,) = self._database.execute("SELECT coalesce(max(published), 0) FROM badges").fetchone()
        moment = max(self._clock.now(), last + 1)
        rows = [(count, moment, site) for site, count in counts.items()]
        self._database.executemany("UPDATE badges SET count = ?, published = ? WHERE site = ?", rows)

    def _read(self) -> Snapshot:
        (version,) = self._database.execute("SELECT version FROM meta").fetchone()
        zones: dict[str, list[tuple[int, str]]] = {}
        for site, start, zone in self._database.execute("SELECT site, start, zone FROM zones ORDER BY site, start"):
            zones.setdefault(site, []).append((start, zone))
        sites = {name: Site(name, tuple(history)) for name, history in zones.items()}
        return Snapshot(version, MappingProxyType(sites), self._read_badges(), self._read_policies())

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        def change() -> None:
            before = self._database.total_changes
            self._database.executemany(statement, rows)
            if self._database.total_changes > before:
                self._database.execute("UPDATE meta SET version = version + 1")

        self._reported(lambda: self._in_transaction(change))

    def _salts(self, days: list[date]) -> Mapping[date, bytes]:
        found = self._find_salts(days)
        missing = [day for day in days if day not in found]
        if missing:
            rows = [(day.isoformat(), secrets.token_bytes(SALT_BYTES)) for day in missing]
            self._in_transaction(lambda: self._database.executemany("INSERT OR IGNORE INTO salts VALUES (?, ?)", rows))
            found = self._find_salts(days)  # another process may have been first
        return {day: salt for day, salt in found.items() if salt}

    def _find_salts(self, days: list[date]) -> dict[date, bytes]:
        """Those there are; empty where they were destroyed."""
        query = "SELECT salt FROM salts WHERE day = ?"
        rows = {day: self._database.execute(query, (day.isoformat(),)).fetchone() for day in days}
        return {day: row[0] for day, row in rows.items() if row}

    def _is_due(self, day: date, now: int) -> bool:
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) + _LAST_ZONE
        return end.timestamp() + self._retention <= now / SECOND

    def _destroy(self, now: int) -> int:
        destroyed = self._in_transaction(lambda: self._look_for_due(now))
        # also what a busy log kept from us last time
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return destroyed

    def _look_for_due(self, now: int) -> int:
        """Remember what is due for the first time, forget what no longer is, destroy what was for long enough."""
        days = [day for (day,) in self._database.execute("SELECT day FROM salts WHERE length(salt) > 0")]
        due = [day for day in days if self._is_due(date.fromisoformat(day), now)]
        seen = {day: at for day, at in self._database.execute("SELECT day, seen FROM due") if day in due and at <= now}
        old = [(day,) for day, at in seen.items() if now - at >= SECOND_LOOK]
        waiting = [(day, seen.get(day, now)) for day in due if (day,) not in old]
        self._database.execute("DELETE FROM due")
        self._database.executemany("INSERT INTO due VALUES (?, ?)", waiting)
        self._database.executemany("UPDATE salts SET salt = x'' WHERE day = ?", old)
        return len(old)

    def _secret(self, name: str) -> str:
        query = "SELECT value FROM secrets WHERE name = ?"
        row = self._database.execute(query, (name,)).fetchone()
        if row is None:
            value = secrets.token_urlsafe(32)
            insert = "INSERT OR IGNORE INTO secrets VALUES (?, ?)"
            self._in_transaction(lambda: self._database.execute(insert, (name, value)))
            row = self._database.execute(query, (name,)).fetchone()
        return str(row[0])

    def _notice(self, code: str, detail: str, at: int) -> None:
        self._database.execute("INSERT OR REPLACE INTO notices VALUES (?, ?, ?)", (code, detail, at))
        self._database.execute(
            "DELETE FROM notices WHERE code = ?1 AND detail NOT IN"
            " (SELECT detail FROM notices WHERE code = ?1 ORDER BY at DESC LIMIT ?2)",
            (code, MAX_DETAILS),
        )

    def _in_transaction(self, action: Callable[[], T], begin: str = "BEGIN IMMEDIATE") -> T:
        self._database.execute(begin)
        try:
            result = action()
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        return result

    def _reported(self, action: Callable[[], T]) -> T:
        """Run under the lock; what SQLite and the disk say becomes `RegistryUnavailable`."""
        try:
            with self._lock:
                return action()
        except (sqlite3.Error, OSError) as error:
            hint = "look at the disk, and whether the file can be written"
            raise RegistryUnavailable(f"registry {self._path}: {error}", hint) from error


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:  # not found; not a name of a file; a folder
        raise SettingsError(f"unknown time zone {zone!r}", "write an IANA name such as Europe/Berlin") from error
    return zone


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # its WAL takes the same mode
    database = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        write_ahead(database)
        for pragma in ("synchronous=FULL", "fullfsync=1", "checkpoint_fullfsync=1", "secure_delete=ON"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            database.execute(statement)
        database.execute("COMMIT")
        sync(path.parent)
    except BaseException:
        database.close()
        raise
    return database
