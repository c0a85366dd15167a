"""The registry in a table of DynamoDB, for functions and machines that share no disk.

The database of `pixelake.registry.sqlite` is small. Each process has it in its memory; the table has it whole, packed::

    registry  head                          version, mark, parts, digest: which state is the present one
    registry  part/<version>/<mark>/<part>  data: a piece of a state

Who changes something works on the newest state that it knows, puts the parts of the next one beside it, and lets the
head lead to them, on condition that nobody was faster; else the change is made again, on the other's state. So of two
who want a day's salt at once one makes it. Then the parts go that no head leads to: of older states, and of those who
were not fast enough or died in between. Those of a greater version stay: somebody may be about to lead the head there.

Nothing of a state is kept once there is a newer one, so that a salt that was destroyed is gone: what a backup of the
table or its point-in-time recovery has is beyond that.
"""

import contextlib
import hashlib
import random
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import RegistryUnavailable
from pixelake.registry.sqlite import SCHEMA, SqliteRegistry

T = TypeVar("T")

PK: Final = "registry"
HEAD: Final = (PK, "head")
PART: Final = 350_000
"""Bytes of a part: an item has at most 400 KB."""
TRIES: Final = 30
"""How often a change is made again because somebody else was faster."""
PAUSE: Final = (0.005, 0.3)
"""Seconds before that, at first and at most; each is twice the one before, more or less."""
LOOKS: Final = 5
"""How often a state is looked for whose parts go while they are read."""
TRUSTED: Final = 1.0
"""Seconds for which a process reads what it knows without asking whether there is a newer state."""
MOST_SITES: Final = 10_000
"""That become known: each change writes them all."""


class Table(Protocol):
    """What is needed of `pixelake.warehouse.dynamodb.Table`. Its methods raise `RegistryUnavailable`."""

    @property
    def name(self) -> str:
        """Of the table."""
        ...

    def get(self, key: tuple[str, str]) -> dict[str, Any] | None:
        """The item, as it was last written."""
        ...

    def put(self, item: dict[str, Any], condition: str = "", **values: Any) -> bool:
        """Put an item; False: what is there does not satisfy the condition."""
        ...

    def write_many(self, items: Iterable[dict[str, Any]] = (), gone: Iterable[tuple[str, str]] = ()) -> None:
        """Put items, and delete others."""
        ...

    def query(
        self, pk: str, keys: str = "", *, attributes: Sequence[str] = (), **values: Any
    ) -> Iterator[dict[str, Any]]:
        """The items of a ``pk``, by ``sk``; of each these attributes, or all."""
        ...


class _State(NamedTuple):
    """Which one it is. `version` is 0 and all else empty before there is any."""

    version: int = 0
    mark: str = ""
    parts: int = 0
    digest: str = ""

    @property
    def folder(self) -> str:
        """What the keys of its parts begin with."""
        return f"part/{self.version:012}/{self.mark}/"

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Of its parts."""
        return [(PK, f"{self.folder}{part:06}") for part in range(self.parts)]

    def item(self) -> dict[str, Any]:
        """The head that leads to it."""
        return dict(zip(("pk", "sk"), HEAD, strict=True)) | self._asdict()


class DynamoRegistry(SqliteRegistry):
    """See `pixelake.registry.base.Registry`. For use by several threads, processes and machines.

    What is read is at most `trusted` seconds old; what this object has changed is seen at once. What is changed is
    changed on the newest state. Every method raises `RegistryUnavailable` if the table cannot be read or written now;
    a change may have been made nevertheless if nobody answered.
    """

    def __init__(
        self,
        table: Table,
        default_zone: str = "UTC",
        *,
        retention: float = 172_800.0,
        clock: Clock = SYSTEM,
        trusted: float = TRUSTED,
    ) -> None:
        """Read the registry. The first change makes it, if there is none.

        Args:
            table: where it is.
            default_zone: IANA zone of new sites.
            retention: seconds a salt is kept after its day ended everywhere.
            clock: for what is due, and for how old is what was read.
            trusted: seconds for which nobody asks whether it is still so.

        Raises:
            SettingsError: the zone is unknown.
            RegistryUnavailable: the table cannot be read.
        """
        self._table, self._trusted = table, trusted
        self._state: _State | None = None
        self._read_at = 0.0, 0
        self._has_looked = False
        super().__init__(Path(table.name), default_zone, retention=retention, clock=clock)
        self._reported(lambda: None)

    def destroy_salts(self, now: int, *, at_once: bool = False) -> int:
        """Destroy the salts that are due, as `SqliteRegistry` does. No state that has them stays in the table."""
        destroyed = super().destroy_salts(now, at_once=at_once)
        self._sweep()
        return destroyed

    def destroy_secret(self, name: str) -> None:
        """Destroy a secret as thoroughly."""
        super().destroy_secret(name)
        self._sweep()

    def forget(self, is_meant: Callable[[Sequence[str]], Sequence[bool]]) -> int:
        """Remove every row that is meant, as `SqliteRegistry` does. No state that has them stays in the table."""
        found = super().forget(is_meant)
        self._sweep()
        return found

    def size(self) -> int:
        """Bytes of the database."""
        return self._reported(lambda: len(self._database.serialize()))

    def _open(self) -> sqlite3.Connection:
        return _empty()

    def _room(self) -> int:
        return MOST_SITES

    def _reported(self, action: Callable[[], T]) -> T:
        """Run under the lock, on what is known; what it changes is in the table once this returns."""
        with self._lock:
            try:
                return self._run(action)
            except sqlite3.Error as error:
                self._state = None
                raise self._unavailable(str(error), "if that stays so, begin with an empty table") from error

    def _run(self, action: Callable[[], T]) -> T:
        for tried in range(TRIES):
            if tried:
                self._clock.sleep(min(PAUSE[0] * 2**tried, PAUSE[1]) * random.uniform(0.5, 1.5))  # noqa: S311
            self._has_looked = False
            self._refresh()
            before = self._database.total_changes
            try:
                result = action()
                if self._database.total_changes == before or self._pushed():
                    return result
            except BaseException:
                if self._database.total_changes > before:  # nobody knows whether the table has it
                    self._state = None
                raise
            self._state = None
        raise self._unavailable("others change it all the time", "try again, and look who else writes to that table")

    def _in_transaction(self, action: Callable[[], T], begin: str = "BEGIN IMMEDIATE") -> T:
        """Who means to change something looks first: whether anything is to be changed depends on what is there."""
        if begin == "BEGIN IMMEDIATE" and not self._has_looked:
            self._look_for_newer()
        return super()._in_transaction(action, begin)

    def _refresh(self) -> None:
        if self._state is None or not self._is_trusted():
            self._look_for_newer()

    def _look_for_newer(self) -> None:
        """Let the database be the present state."""
        read_at = self._clock.monotonic(), self._clock.now()
        for _ in range(LOOKS):
            found = self._head()
            if found == self._state or self._load(found):
                self._state, self._read_at, self._has_looked = found, read_at, True
                return
        raise self._unavailable("parts of it are missing", "somebody else has deleted them: begin with an empty table")

    def _is_trusted(self) -> bool:
        """By both clocks: one may stand still while a function is frozen, the other may be set back."""
        at, now = self._read_at
        return self._clock.monotonic() - at < self._trusted and 0 <= self._clock.now() - now < self._trusted * SECOND

    def _head(self) -> _State:
        item = self._table.get(HEAD)
        if item:
            try:
                return _State(**{name: item[name] for name in _State._fields})
            except KeyError as error:
                raise self._unavailable(f"its head has no {error}", "is it the table of somebody else?") from None
        if self._state is not None and self._state.mark:
            raise self._unavailable("it is gone", "restart everything to begin a new one")
        return _State()

    def _load(self, found: _State) -> bool:
        """Whether it is in the database now. Not if its parts are gone: then the head leads elsewhere by now."""
        if found.mark:
            items = self._table.query(PK, "begins_with(#sk, :folder)", folder=found.folder)
            data = b"".join(item["data"] for item in items)
            if _digest(data) != found.digest:
                return False
        self._state = None
        self._database.deserialize(zlib.decompress(data) if found.mark else _empty().serialize())
        _prepare(self._database)  # also what an older program did not know
        return True

    def _pushed(self) -> bool:
        """Let the head lead from the state that was known to the one that is in the database; False: it has moved."""
        known = self._state or _State()
        data = zlib.compress(self._database.serialize())
        pieces = [data[start : start + PART] for start in range(0, len(data), PART)]
        new = _State(known.version + 1, secrets.token_hex(8), len(pieces), _digest(data))
        self._table.write_many(
            {"pk": pk, "sk": sk, "data": piece} for (pk, sk), piece in zip(new.keys, pieces, strict=True)
        )
        if not self._led(known, new):
            with contextlib.suppress(RegistryUnavailable):  # else the next one to change something does it
                self._table.write_many(gone=new.keys)
            return False
        self._state, self._read_at = new, (self._clock.monotonic(), self._clock.now())
        with contextlib.suppress(RegistryUnavailable):  # it is changed: that must not be told otherwise
            self._table.write_many(gone=known.keys)
            self._remove(new, f"part/{new.version:012}")
        return True

    def _led(self, known: _State, new: _State) -> bool:
        if known.mark:
            done = self._table.put(new.item(), "#mark = :known", known=known.mark)
        else:
            done = self._table.put(new.item(), "attribute_not_exists(#pk)")
        return done or self._head().mark == new.mark  # an answer may have been lost, and ours sent again

    def _sweep(self) -> None:
        """Remove all that the head does not lead to."""
        with self._lock:
            self._look_for_newer()
            known = self._state or _State()
            self._remove(known, f"part/{known.version:012}/~")

    def _remove(self, known: _State, last: str) -> None:
        """Remove the parts up to that key, except those of a state."""
        found = self._table.query(PK, "#sk BETWEEN :first AND :last", attributes=("pk", "sk"), first="part/", last=last)
        self._table.write_many(gone=[(PK, item["sk"]) for item in found if not item["sk"].startswith(known.folder)])

    def _unavailable(self, why: str, hint: str) -> RegistryUnavailable:
        return RegistryUnavailable(f"registry in table {self._table.name}: {why}", hint)


def _empty() -> sqlite3.Connection:
    """A database of its own in memory, with all tables."""
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _prepare(database)
    return database


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA secure_delete=ON").fetchall()
    for statement in SCHEMA:
        database.execute(statement)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
