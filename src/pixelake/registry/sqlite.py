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
    tokens   hash, name, site, when it was made, last used and taken away (µs UTC): see `pixelake.registry.tokens`
    users, sessions, shares; access, their own version: see `pixelake.registry.access`
    goals    site, goal, filters, worth; funnels: site, funnel, steps: see `pixelake.registry.goals`
    queries  name, SQL, site, when it was put there (µs UTC): see `pixelake.registry.queries`
    reports  site, week, what became of the report about it: see `pixelake.registry.reports`
    backups  place, stamp: where backups were put, and the name of each that is there as far as we know

WAL with ``synchronous=FULL``: what was answered survives a power cut. The
folder and the file are for the owner's eyes only: salts and secrets are in it.
"""

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
from pixelake.errors import SettingsError
from pixelake.registry import access, queries, reports
from pixelake.registry import goals as declared
from pixelake.registry import tokens as held_tokens
from pixelake.registry.base import MAX_SITES, POLICIES, Maintained, Noticed, Site, Snapshot
from pixelake.registry.file import explained, open_file
from pixelake.settings import MOST_DAYS

T = TypeVar("T")

MAX_DETAILS: Final = 16
"""Of a notice: it is for people to read."""
MAX_LINE: Final = 1_000
"""Characters of what a task has done, or why it failed."""
SALT_BYTES: Final = 32
POLICY_DELAY: Final = 2 * SECOND
"""A new policy holds a little later, when it is known everywhere: else two sinks might judge one hit by two of them."""
SECOND_LOOK: Final = 3_600 * SECOND
"""A salt must be due at two looks so far apart: a clock that was wrong for a while must not cost today's."""

OVERDUE: Final = 6 * SECOND_LOOK
"""After a machine was off, a salt that was due long ago still waits for its second look: that is no trouble yet."""

_LAST_ZONE: Final = timedelta(hours=12)
"""A date ends last in the zone UTC-12."""
SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta(version INTEGER NOT NULL)",
    "INSERT INTO meta(version) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM meta)",
    "CREATE TABLE IF NOT EXISTS zones(site TEXT, start INTEGER, zone TEXT NOT NULL, PRIMARY KEY(site, start))",
    "CREATE TABLE IF NOT EXISTS policies(site TEXT, start INTEGER, policy TEXT NOT NULL, PRIMARY KEY(site, start))",
    "CREATE TABLE IF NOT EXISTS badges(site TEXT PRIMARY KEY, count INTEGER NOT NULL, published INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS badges_by_time ON badges(published)",
    "CREATE TABLE IF NOT EXISTS salts(day TEXT PRIMARY KEY, salt BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS due(day TEXT PRIMARY KEY, seen INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS secrets(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS backups(place TEXT, stamp TEXT, PRIMARY KEY(place, stamp))",
    "CREATE TABLE IF NOT EXISTS notices(code TEXT, detail TEXT, at INTEGER NOT NULL, PRIMARY KEY(code, detail))",
    "CREATE TABLE IF NOT EXISTS retentions(site TEXT PRIMARY KEY, days INTEGER NOT NULL)",
    held_tokens.SCHEMA,
    *declared.SCHEMA,
    *access.SCHEMA,
    queries.SCHEMA,
    reports.SCHEMA,
    (
        "CREATE TABLE IF NOT EXISTS tasks(task TEXT PRIMARY KEY, started INTEGER NOT NULL, ended INTEGER NOT NULL,"
        " done TEXT NOT NULL, error TEXT NOT NULL, succeeded INTEGER NOT NULL)"
    ),
)
_KEPT: Final = frozenset({"salts", "secrets", "meta", "backups", "tokens"}) | access.TABLES
"""Tables whose rows are the operator's or nobody's, and never somebody's who was counted."""
_OURS: Final = frozenset(
    {"zone", "policy", "day", "task", "code", "goal", "filters", "worth", "funnel", "steps", "week"}
)
"""Columns whose words are the program's own."""


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
        self.default_zone = _known_zone(default_zone)
        self._retention = retention
        self._clock = clock
        self._lock = threading.RLock()
        self._snapshot: Snapshot | None = None
        self._published = -1  # when the newest count of the snapshot was
        self._database = self._open()
        self.access = access.Book(self._transact, clock)
        """Users, their sessions, and links that are shared."""
        self.queries = queries.Book(self._transact)
        """SQL that is kept under a name."""
        self.reports = reports.Book(self._transact)
        """Which weekly reports were sent."""

    def snapshot(self) -> Snapshot:
        """What is declared now. Only a new version is read again."""
        return self._reported(self._look)

    def add_sites(self, names: Iterable[str]) -> None:
        """Make sites of unknown names, in the default zone. Known ones stay as they are."""
        known = self.snapshot().sites
        new = [name for name in dict.fromkeys(names) if name not in known][: max(0, self._room() - len(known))]
        if new:
            rows = [(name, 0, self.default_zone) for name in new]
            self._change("INSERT OR IGNORE INTO zones(site, start, zone) VALUES (?, ?, ?)", rows)

    def set_zone(self, site: str, zone: str, start: int = 0) -> None:
        """Let `zone` hold for hits of the site received from `start` (µs UTC) on. The site is made if it is unknown.

        Raises:
            SettingsError: the zone is unknown, or there is no room for another site.
        """
        known = _known_zone(zone)
        self.add_sites([site])
        if site not in self.snapshot().sites:
            raise SettingsError(f"there is no room for {site}", f"at most {self._room():,} sites may be declared")
        self._change("INSERT OR REPLACE INTO zones(site, start, zone) VALUES (?, ?, ?)", [(site, start, known)])

    def change_zone(self, site: str, zone: str) -> int:
        """Let another zone hold for hits of the site from now on; what arrived before keeps its days.

        A site that is unknown is made, and has it from the first hit on.

        Returns:
            From when it holds (µs UTC): `POLICY_DELAY` from now, or since it was last set; 0: ever since.

        Raises:
            SettingsError: the zone is unknown, or there is no room for another site.
        """
        known, found = _known_zone(zone), self.snapshot().sites.get(site)
        if found and found.zones[-1][1] == known:
            return found.zones[-1][0]
        start = max(self._clock.now() + POLICY_DELAY, found.zones[-1][0] + 1) if found else 0
        self.set_zone(site, known, start)
        return start

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
        self._change("INSERT OR REPLACE INTO policies(site, start, policy) VALUES (?, ?, ?)", [(site, start, policy)])
        return start

    def set_retention(self, site: str, days: int | None) -> None:
        """Keep events of the site so many days; 0: for ever; None: as the setting says. A new site is made.

        Raises:
            SettingsError: it is not within 0 and `MOST_DAYS`.
        """
        if days is not None and not 0 <= days <= MOST_DAYS:
            raise SettingsError(f"events cannot be kept {days} days", f"0 (for ever) to {MOST_DAYS}")
        self.add_sites([site])
        if self.snapshot().retentions.get(site) == days:
            return
        if days is None:
            self._change("DELETE FROM retentions WHERE site = ?", [(site,)])
        else:
            self._change("INSERT OR REPLACE INTO retentions(site, days) VALUES (?, ?)", [(site, days)])

    def set_badge(self, site: str, has: bool) -> None:
        """Give the site a badge, or take it away. The site is made if it is unknown. A new badge shows 0 at first."""
        self.add_sites([site])
        if has:
            self._change("INSERT OR IGNORE INTO badges(site, count, published) VALUES (?, 0, 0)", [(site,)])
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

    def destroy_salts(self, now: int, *, at_once: bool = False) -> int:
        """Destroy the salts that are due at `now` (µs UTC), and were at a look an hour or more ago. Returns how many.

        `at_once` asks for no earlier look: for a folder that was just restored, and may have waited for long.

        They are gone for good, and never made again, wherever the clock goes. The
        file is overwritten (``secure_delete``) and the log is cut off; what a copying
        file system or a backup still holds is beyond it.
        """
        return self._reported(lambda: self._destroy(now, 0 if at_once else SECOND_LOOK))

    def overdue_salts(self, now: int) -> int:
        """How many salts should have been destroyed `OVERDUE` ago, at `now` (µs UTC), and are still there."""
        query = "SELECT day FROM salts WHERE length(salt) > 0"
        days = self._reported(lambda: [date.fromisoformat(day) for (day,) in self._database.execute(query)])
        return sum(self._is_due(day, now - OVERDUE) for day in days)

    def secret(self, name: str) -> str:
        """A random secret, made when it is first asked for."""
        return self._reported(lambda: self._secret(name))

    def secrets(self, start: str) -> Sequence[str]:
        """The names of secrets that begin so, in order."""
        query = "SELECT name FROM secrets WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name"
        return self._reported(lambda: [name for (name,) in self._database.execute(query, (start,))])

    def destroy_secret(self, name: str) -> None:
        """Destroy a secret, as thoroughly as `destroy_salts` does; whoever asks for it again gets another one."""
        self._reported(lambda: self._destroy_secret(name))

    def add_token(self, name: str, site: str | None = None) -> str:
        """Make a token for the API, which reads one site, or all. It is never told again.

        Raises:
            SettingsError: there can be none of that name, or there are too many.
        """
        now = self._clock.now()
        return self._reported(lambda: self._in_transaction(lambda: held_tokens.add(self._database, name, site, now)))

    def remove_token(self, name: str) -> bool:
        """Let the token of that name hold no longer. Whether there was one."""
        now = self._clock.now()
        return self._reported(lambda: self._in_transaction(lambda: held_tokens.remove(self._database, name, now)))

    def use_token(self, held: str, at: int) -> None:
        """Remember, to the hour, that the token of that hash was used (µs UTC)."""
        self._reported(lambda: self._in_transaction(lambda: held_tokens.use(self._database, held, at)))

    def add_goal(self, site: str, goal: declared.Goal) -> None:
        """Declare a goal of a site, in the place of one of its name. The site is made if it is unknown.

        Raises:
            SettingsError: it cannot be called so, or be worth that, or there are too many.
        """
        self.add_sites([site])
        self._declare(lambda: declared.add_goal(self._database, site, goal))

    def add_funnel(self, site: str, funnel: declared.Funnel) -> None:
        """Declare a funnel of a site, in the place of one of its name. The site is made if it is unknown.

        Raises:
            SettingsError: it cannot be called so, or there are too many.
        """
        self.add_sites([site])
        self._declare(lambda: declared.add_funnel(self._database, site, funnel))

    def remove_goal(self, site: str, name: str) -> bool:
        """Whether there was one of that name."""
        return self._declare(lambda: declared.remove_goal(self._database, site, name))

    def remove_funnel(self, site: str, name: str) -> bool:
        """Whether there was one of that name."""
        return self._declare(lambda: declared.remove_funnel(self._database, site, name))

    def _declare(self, action: Callable[[], T]) -> T:
        """Change what a snapshot shows."""

        def change() -> T:
            result = action()
            self._database.execute("UPDATE meta SET version = version + 1")
            return result

        return self._reported(lambda: self._in_transaction(change))

    def tokens(self) -> Sequence[held_tokens.Token]:
        """All tokens there are or were, the oldest first."""
        return self._reported(lambda: held_tokens.read(self._database))

    def notice(self, code: str, detail: str, at: int) -> None:
        """Remember that something was so at that moment (µs UTC). Of a code the latest `MAX_DETAILS` are kept."""
        self._reported(lambda: self._in_transaction(lambda: self._notice(code, detail, at)))

    def noticed(self, since: int) -> Sequence[Noticed]:
        """What was so since that moment (µs UTC), the latest first."""
        query = "SELECT code, detail, at FROM notices WHERE at >= ? ORDER BY at DESC, code, detail"
        return self._reported(lambda: [Noticed(*row) for row in self._database.execute(query, (since,))])

    def remember_backups(self, place: str, stamps: Iterable[str]) -> None:
        """Remember that these backups, and no others, lie at that place."""
        rows = [(place, stamp) for stamp in stamps]

        def change() -> None:
            self._database.execute("DELETE FROM backups WHERE place = ?", (place,))
            self._database.executemany("INSERT INTO backups(place, stamp) VALUES (?, ?)", rows)

        self._reported(lambda: self._in_transaction(change))

    def backups(self) -> Mapping[str, Sequence[str]]:
        """The places that backups were put to, and which are there as far as we know, oldest first."""
        found: dict[str, list[str]] = {}
        query = "SELECT place, stamp FROM backups ORDER BY place, stamp"
        for place, stamp in self._reported(lambda: self._database.execute(query).fetchall()):
            found.setdefault(place, []).append(stamp)
        return found

    def begin_task(self, task: str, at: int) -> None:
        """Remember that a task of maintenance has begun (µs UTC)."""
        begin = (
            "INSERT INTO tasks(task, started, ended, done, error, succeeded) VALUES (?, ?, 0, '', '', 0)"
            " ON CONFLICT(task) DO UPDATE SET started = excluded.started, ended = 0, error = ''"
        )
        self._reported(lambda: self._in_transaction(lambda: self._database.execute(begin, (task, at))))

    def end_task(self, task: str, at: int, done: str, error: str) -> None:
        """Remember that it has ended, and how."""
        end = (
            "UPDATE tasks SET ended = ?2, done = ?3, error = ?4,"
            " succeeded = CASE WHEN ?4 = '' THEN ?2 ELSE succeeded END WHERE task = ?1"
        )
        row = (task, at, done[:MAX_LINE], error[:MAX_LINE])
        self._reported(lambda: self._in_transaction(lambda: self._database.execute(end, row)))

    def tasks(self) -> Mapping[str, Maintained]:
        """The last run of each task that was ever begun, by its name."""
        query = "SELECT task, started, ended, done, error, succeeded FROM tasks ORDER BY task"
        return self._reported(lambda: {row[0]: Maintained(*row) for row in self._database.execute(query)})

    def forget(self, is_meant: Callable[[Sequence[str]], Sequence[bool]]) -> int:
        """Remove every row that is meant by one of its texts, and leave no byte of it; returns how many.

        Of all tables but those of salts, secrets, tokens and backups, and of all columns but those of zones, policies
        and the like, which hold nothing that was sent: somebody called ``anonymous`` takes no site's policy along.
        """
        return self._reported(lambda: self._forget(is_meant))

    def size(self) -> int:
        """Bytes of it."""
        return self._reported(lambda: self._path.stat().st_size)

    def close(self) -> None:
        """Close the file. May never be called."""
        with self._lock:
            self._database.close()

    def _open(self) -> sqlite3.Connection:
        return self._reported(lambda: open_file(self._path, SCHEMA))

    def _room(self) -> int:
        """Sites there may be."""
        return MAX_SITES

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
        retentions = MappingProxyType(dict(self._database.execute("SELECT site, days FROM retentions")))
        held = held_tokens.holding(self._database)
        return Snapshot(
            version,
            MappingProxyType(sites),
            self._read_badges(),
            self._read_policies(),
            retentions,
            held,
            declared.goals(self._database),
            declared.funnels(self._database),
        )

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
            insert = "INSERT OR IGNORE INTO salts(day, salt) VALUES (?, ?)"
            self._in_transaction(lambda: self._database.executemany(insert, rows))
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

    def _destroy(self, now: int, patience: int) -> int:
        destroyed = self._in_transaction(lambda: self._look_for_due(now, patience))
        # also what a busy log kept from us last time
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return destroyed

    def _look_for_due(self, now: int, patience: int) -> int:
        """Remember what is due for the first time, forget what no longer is, destroy what was for long enough."""
        days = [day for (day,) in self._database.execute("SELECT day FROM salts WHERE length(salt) > 0")]
        due = [day for day in days if self._is_due(date.fromisoformat(day), now)]
        seen = {day: at for day, at in self._database.execute("SELECT day, seen FROM due") if day in due and at <= now}
        old = [(day,) for day in due if now - seen.get(day, now) >= patience]
        waiting = [(day, seen.get(day, now)) for day in due if (day,) not in old]
        self._database.execute("DELETE FROM due")
        self._database.executemany("INSERT INTO due(day, seen) VALUES (?, ?)", waiting)
        self._database.executemany("UPDATE salts SET salt = x'' WHERE day = ?", old)
        return len(old)

    def _secret(self, name: str) -> str:
        query = "SELECT value FROM secrets WHERE name = ?"
        row = self._database.execute(query, (name,)).fetchone()
        if row is None:
            value = secrets.token_urlsafe(32)
            insert = "INSERT OR IGNORE INTO secrets(name, value) VALUES (?, ?)"
            self._in_transaction(lambda: self._database.execute(insert, (name, value)))
            row = self._database.execute(query, (name,)).fetchone()
        return str(row[0])

    def _destroy_secret(self, name: str) -> None:
        self._in_transaction(lambda: self._database.execute("DELETE FROM secrets WHERE name = ?", (name,)))
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _notice(self, code: str, detail: str, at: int) -> None:
        self._database.execute("INSERT OR REPLACE INTO notices(code, detail, at) VALUES (?, ?, ?)", (code, detail, at))
        self._database.execute(
            "DELETE FROM notices WHERE code = ?1 AND detail NOT IN"
            " (SELECT detail FROM notices WHERE code = ?1 ORDER BY at DESC LIMIT ?2)",
            (code, MAX_DETAILS),
        )

    def _forget(self, is_meant: Callable[[Sequence[str]], Sequence[bool]]) -> int:
        def forget() -> int:
            tables = self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            found = sum(forget_in(name) for (name,) in tables if name not in _KEPT)
            if found:
                self._database.execute("UPDATE meta SET version = version + 1")
            return found

        def forget_in(table: str) -> int:
            cursor = self._database.execute(f'SELECT rowid, * FROM "{table}"')  # noqa: S608 - ours
            sent = [at for at, (name, *_) in enumerate(cursor.description) if name not in _OURS]
            rows = cursor.fetchall()
            texts = ["\n".join(row[at] for at in sent if isinstance(row[at], str)) for row in rows]
            meant = [(row[0],) for row, there in zip(rows, is_meant(texts), strict=True) if there] if rows else []
            self._database.executemany(f'DELETE FROM "{table}" WHERE rowid = ?', meant)  # noqa: S608 - ours
            return len(meant)

        found = self._in_transaction(forget)
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return found

    def _transact(self, action: Callable[[sqlite3.Connection], T], begin: str = "BEGIN IMMEDIATE") -> T:
        return self._reported(lambda: self._in_transaction(lambda: action(self._database), begin))

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
            raise explained(self._path, error) from error


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:  # not found; not a name of a file; a folder
        raise SettingsError(f"unknown time zone {zone!r}", "write an IANA name such as Europe/Berlin") from error
    return zone
