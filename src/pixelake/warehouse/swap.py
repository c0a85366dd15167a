"""Rows of hits that were judged anew take the place of the old ones, in one commit of the events.

What is new is written first, beside whoever reads and writes: the files of the
rows that come, and successors of the files that lose some (`leave`). Then,
under the lock, one commit to the events exchanges all of it, with the running
counts ``P/outcomes`` and ``P/withheld``, and says which note the rejects still
lack (`swap_note`); `settle` adds it to them at once, or whoever opens or writes
the lake next does. So an old row is never seen with a new one of its hit.

Compactions may take files meanwhile: only what they wrote is looked at anew.
But where somebody erased, removed or replayed rows of these hits, as the counts
tell, nothing is done, and all is judged again: what has left the lake never
comes back.
"""

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from pixelake.errors import Conflict
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import durable, leave, swap_note
from pixelake.warehouse.again import OUTCOMES, REMOVED, REPLAYED, Tables
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import DataFile
from pixelake.warehouse.leave import Left
from pixelake.warehouse.standing import Rows, Standing, Table
from pixelake.warehouse.swap_note import FEWER, SWAPPED, Keys

WITHHELD: Final = "/withheld"
FLUSH_ROWS: Final = 65_536
FLUSH_BYTES: Final = 32 << 20
"""Of rows that wait for their file, at most."""
_PLACE: Final = ("partition", "position")
_RANDOM_BITS: Final = 40
"""Of a swap's id, which grows: two that are made at the same moment have different notes."""


class Exchange(NamedTuple):
    """What becomes of some hits of a partition.

    Attributes:
        gone: all rows that they have in the lake.
        come: those they have from now on.
        withheld: outcomes that policy keeps nothing of now.
    """

    partition: Partition
    gone: Rows
    come: Rows
    withheld: int


class Changed(Exception):
    """Somebody erased, removed or replayed rows of the same hits meanwhile: judge them anew."""


class _Side:
    """What a swap does to one table."""

    def __init__(self, table: DeltaWriter) -> None:
        self.table = table
        self.keys = Keys()
        self.gone: Counter[Partition] = Counter()
        self.adds: list[AddAction] = []
        self.come = 0
        self.known: dict[str, Left] = {}
        """What becomes of files, by path; also of some that others replaced meanwhile."""
        self._waiting: list[pa.Table] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing goes, and nothing comes."""
        return not (self.keys or self.come)

    @property
    def is_waiting(self) -> bool:
        """Whether some rows have no file yet."""
        return bool(self._waiting)

    def put(self, partition: Partition, gone: pa.Table, come: pa.Table) -> None:
        """Rows that go, and rows that come."""
        if gone.num_rows:
            positions: Any = pc.unique(gone["position"]).to_pylist()
            self.keys.add(partition, sorted(positions))
            self.gone[partition] += gone.num_rows
        if come.num_rows:
            self.come += come.num_rows
            self._waiting.append(come)
        rows = sum(each.num_rows for each in self._waiting)
        if rows >= FLUSH_ROWS or sum(each.nbytes for each in self._waiting) >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            self.adds += self.table.add_files(pa.concat_tables(self._waiting, promote_options="default"))
            self._waiting = []

    def lacking(self) -> list[DataFile]:
        """The files of the newest version that may have rows that go, and have no successor yet."""
        files = self.table.log.files.values()
        return [file for file in files if file.path not in self.known and self.keys.may_be_in(file)]

    def prepare(self, files: Sequence[DataFile]) -> None:
        """Write their successors."""
        for file in files:
            self.known[file.path] = left_by(self.table, file, self.keys)

    def discard(self) -> None:
        """Remove what was written and is not in the newest version."""
        written = [*self.adds, *(add for left in self.known.values() for add in left.adds or ())]
        self.table.discard(written)

    def lefts(self) -> dict[str, Left]:
        """What becomes of the files of the newest version that lose rows."""
        found = ((path, self.known.get(path)) for path in self.table.log.files)
        return {path: left for path, left in found if left and left.adds is not None}

    def check(self) -> None:
        """Make sure that what goes is what was there when it was judged.

        Raises:
            Changed: it is not.
        """
        if _total(self.lefts().values()) != self.gone:
            raise Changed


class Staging:
    """A swap that is being made: tells what there is, takes what shall be. One thread, beside others that write.

    Args:
        tables: as `settle` left them.

    Attributes:
        reached: how far the lake is; only hits up to there may be swapped.
        standing: what is there.
    """

    def __init__(self, tables: Tables) -> None:
        self.reached: Mapping[Partition, Position] = dict(tables.reached)
        self.standing = Standing(*(Table(each.log.folder, each.stored) for each in tables[:2]))
        self._events, self._rejects = _Side(tables.events), _Side(tables.rejects)
        self._outcomes: Counter[Partition] = Counter()
        self._withheld: Counter[Partition] = Counter()
        self._is_done = False

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do, or no more."""
        return self._is_done or (self._events.is_idle and self._rejects.is_idle)

    def put(self, exchange: Exchange) -> None:
        """Exchange these rows; of each partition in the order of positions.

        Raises:
            LakeUnavailable: the disk is full or broken.
        """
        name, gone, come, withheld = exchange
        self._events.put(name, gone.events, come.events)
        self._rejects.put(name, gone.rejects, come.rejects)
        self._withheld[name] += withheld
        self._outcomes[name] += _rows(come) + withheld - _rows(gone)

    def lacking(self) -> Mapping[str, Sequence[DataFile]]:
        """What has to be prepared before the commit: files of tables, as of their newest version. Empty: nothing."""
        sides = self._events, self._rejects
        return {side.table.log.folder.name: files for side in sides if (files := side.lacking()) or side.is_waiting}

    def prepare(self, files: Mapping[str, Sequence[DataFile]]) -> None:
        """Write what comes, and the successors of these files, durably. Nothing is seen of it yet.

        Raises:
            LakeUnavailable: a file cannot be read, or the disk is full or broken.
        """
        for side in (self._events, self._rejects):
            side.flush()
            side.prepare(files.get(side.table.log.folder.name, ()))

    def commit(self) -> Sequence[AddAction]:
        """Exchange the rows, if nothing is `lacking`. Returns the files that came.

        Raises:
            Changed: other rows are there than those that shall go.
            Conflict: somebody else committed just now; look again.
            LakeUnavailable: it is not known to be done; what is done of it the next writer ends.
        """
        for side in (self._events, self._rejects):
            side.check()
        events, rejects = self._events.table, self._rejects.table
        lefts = self._events.lefts()
        adds = [*self._events.adds, *(add for left in lefts.values() for add in left.adds or ())]
        moves = self._moves()
        if not self._rejects.is_idle:
            moves |= self._announce()
        events.commit(Change(adds, [left.file for left in lefts.values()]), moves)
        self._is_done = True
        with suppress(Conflict):  # then the next writer does it
            adds += settle(events, rejects, self._rejects.known)
        return adds

    def discard(self) -> None:
        """Remove the files that were written for it and that no table has.

        Raises:
            LakeUnavailable: they cannot be removed, or it is not known which they are; a vacuum takes them.
        """
        with durable.reported("remove what a swap has left"):
            events, rejects = self._events.table, self._rejects.table
            if not swap_note.is_pending(events.log, rejects.log):
                self._events.discard()
                self._rejects.discard()

    def _moves(self) -> dict[str, int]:
        """The running counts; also those that stay, so that nobody moves them at the same moment."""
        now = self._events.table.log.transactions
        moves = {REPLAYED: now[REPLAYED]} if REPLAYED in now else {}
        for name in self._outcomes:
            moves[name + OUTCOMES] = now.get(name + OUTCOMES, 0) + self._outcomes[name]
            moves[name + WITHHELD] = now.get(name + WITHHELD, 0) + self._withheld[name]
            if name + REMOVED in now:
                moves[name + REMOVED] = now[name + REMOVED]
        return moves

    def _announce(self) -> dict[str, int]:
        """Write the note of what the rejects lack once the events are committed; what the commit says of it."""
        log, side = self._events.table.log, self._rejects
        swap = swap_note.swap_of(log) + 1 + secrets.randbits(_RANDOM_BITS)
        swap_note.clear(log.folder)
        swap_note.write(log.folder, swap, swap_note.make(side.gone, side.adds), side.keys)
        return {SWAPPED: swap, FEWER: log.transactions.get(FEWER, 0) + side.gone.total() - side.come}


def settle(events: DeltaWriter, rejects: DeltaWriter, ready: Mapping[str, Left] | None = None) -> Sequence[AddAction]:
    """Do to the rejects what the newest swap of the events left to do, if it is not done. Returns the new files.

    A reject of these hits that is there no more was purged after the swap had
    begun, and counts as removed: what came in its place is one outcome more.

    Args:
        events: refreshed.
        rejects: refreshed after it.
        ready: successors of files of the rejects that are written already, by path.

    Raises:
        Conflict: somebody else wrote meanwhile; refresh and call again.
        LakeUnavailable: it is not known to be done, or the note is lost.
    """
    if not swap_note.is_pending(events.log, rejects.log):
        return ()
    swap = swap_note.swap_of(events.log)
    note, keys = swap_note.read(events.log.folder, swap)
    files = [file for file in rejects.log.files.values() if keys.may_be_in(file)]
    known = ready or {}
    found = [known.get(file.path) or left_by(rejects, file, keys) for file in files]
    lefts = [left for left in found if left.adds is not None]
    purged = Counter(note.gone) - _total(lefts)
    now, moved = rejects.log.transactions, events.log.transactions
    moves = {name + OUTCOMES: now.get(name + OUTCOMES, 0) + count for name, count in purged.items()}
    adds = [*note.files, *(add for left in lefts for add in left.adds or ())]
    rejects.commit(Change(adds, [left.file for left in lefts]), {SWAPPED: swap, FEWER: moved.get(FEWER, 0), **moves})
    swap_note.remove(events.log.folder, swap)
    return adds


def left_by(table: DeltaWriter, file: DataFile, keys: Keys) -> Left:
    """A file without the rows of these hits; see `leave.rewrite`. Without the ids: they may be many."""
    return leave.rewrite(table, file, keys.mask, _PLACE)._replace(ids=frozenset())


def _total(lefts: Iterable[Left]) -> Counter[Partition]:
    """The rows that go, of each partition."""
    total: Counter[Partition] = Counter()
    for left in lefts:
        total.update(left.gone)
    return total


def _rows(rows: Rows) -> int:
    return rows.events.num_rows + rows.rejects.num_rows
