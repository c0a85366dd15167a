"""The lake: events and rejects as two Delta tables in one folder, written exactly once.

A commit to the events carries, for each partition P of the stream, the
application transactions ``P`` (its position) and ``P/outcomes``,
``P/withheld``, ``P/removed`` (the running counts up to there), and
``P/missed`` where the stream had let hits go. One to the rejects carries ``P``;
what replays and purges note is in `pixelake.warehouse.again` and `pixelake.warehouse.swap_note`.

Rejects are committed first, events second. What a crash in between leaves of
rejects lies above the events' position: it does not count, and the next write
of that partition takes it out, because the hit may be judged otherwise then.
"""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from deltalake.transaction import AddAction

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import Conflict, LakeUnavailable
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import again, compact, durable, floor, place, swap, swap_note, unordered
from pixelake.warehouse.base import EVENTS, REJECTS, Outcome, Progress, Rejudged
from pixelake.warehouse.bring import Brought, bring, lines_done
from pixelake.warehouse.compact import Job, Packed
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DataFile, DeltaLog
from pixelake.warehouse.fresh import above, above_floor
from pixelake.warehouse.leave import Gone, Left, put_in_place, rewrite
from pixelake.warehouse.once import once as only_once
from pixelake.warehouse.place import Place
from pixelake.warehouse.recover import broken, set_aside
from pixelake.warehouse.retain import Due, Expired, Note, candidates, extent
from pixelake.warehouse.retain import steps as expiring
from pixelake.warehouse.sums import MISSED, NOTHING, files_above, progress
from pixelake.warehouse.swap import Changed, Staging
from pixelake.warehouse.vacuum import HOLD_WAIT, Swept, alone, remove_replaced, sweep
from pixelake.warehouse.walk import columns_of

LOCK: Final = ".lock"
LOCK_WAIT: Final = 60.0
"""Seconds to wait for another writer; one write takes well below a second."""


ATTEMPTS: Final = 5
LEAVING: Final = 100
LEAVING_BYTES: Final = 64 << 20
"""Files, and bytes of them, that are exchanged by one commit when rows leave: what is cut short is done again."""


class Lake:
    """The lake, open for writing: a `pixelake.warehouse.base.Sink`. Made if it is not there. One thread.

    Several processes may write at once. On a disk, a lock file makes those of one
    machine take turns; in an object store whoever commits second looks again.

    A lake that an older version wrote is brought to the layout of today first, which may take long.

    Attributes:
        set_aside: files that opening moved out of the way, because a power cut broke them.
    """

    def __init__(self, folder: Place, clock: Clock = SYSTEM, schema: pa.Schema = EVENTS) -> None:
        self._folder, self._clock = place.absolute(folder), clock
        with durable.reported(f"open the lake {folder}"):
            if isinstance(self._folder, Path):
                durable.make_folder(self._folder, self._folder.parent.parent)
            with self._turn():
                self.set_aside = _mend(self._folder, clock) if isinstance(self._folder, Path) else []
                self._events = DeltaWriter(self._folder / EVENTS_FOLDER, schema, clock)
                self._rejects = DeltaWriter(self._folder / REJECTS_FOLDER, REJECTS, clock)
                with suppress(Conflict):  # somebody else does it just now
                    swap.settle(self._events, self._rejects)
                    swap_note.clear(self._events.log.folder)
                self._raise_floor(())

    def _turn(self) -> AbstractContextManager[None]:
        """Hold off the other writers of this machine; only where a disk needs it."""
        folder = self._folder
        return durable.locked(folder / LOCK, LOCK_WAIT, self._clock) if isinstance(folder, Path) else nullcontext()

    def positions(self) -> Mapping[Partition, Position]:
        """The position of each partition this lake has ever written; durable.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        self._events.refresh()
        return {partition: each.position for partition, each in progress(self._events.log).items()}

    def write(self, outcome: Outcome, *, coarse: bool = False) -> None:
        """Put the outcomes above the stored positions into the lake, together with the positions, durably.

        Args:
            outcome: of some hits.
            coarse: see `DeltaWriter.add_files`.

        Raises:
            LakeUnavailable: it is not known to be written; repeat the call.
        """
        self._attempt(lambda: self._write(outcome, coarse), "is there a second consumer of them?")

    def write_new(self, outcome: Outcome, *, coarse: bool = False) -> Outcome:
        """Do what `write` does, but withhold hits that the lake has under their names (`pixelake.warehouse.once`).

        Returns:
            What was written. To repeat the call adds nothing.

        Raises:
            LakeUnavailable: it is not known to be written; repeat the call.
        """
        return self._attempt(
            lambda: self._write(outcome, coarse, once=True), "import it again: it goes on where it was"
        )

    def settle(
        self, outcome: Outcome, partition: Partition, bar: Callable[[Outcome], Outcome] = lambda outcome: outcome
    ) -> Outcome:
        """Put in the hits that are new, of some that came in no order: by ``hit_id``, durably.

        Args:
            outcome: of one partition, whose name and positions only tell its hits apart.
            partition: which they get; at which positions, the lake says (`pixelake.warehouse.unordered`).
            bar: withholds what must not come any more; asked again if `begin_erasing` was called since it was.

        Returns:
            What was new, at the positions it has now. To repeat the call adds nothing.

        Raises:
            LakeUnavailable: it is not known to be written; repeat the call.
        """
        return self._attempt(lambda: self._settle(outcome, partition, bar), "it is tried again by whoever reads on")

    def begin_erasing(self) -> None:
        """Let everybody who settles hits ask again who is erased, unless what they settle is there when this returns.

        Raises:
            LakeUnavailable: it is not known to be done; repeat the call.
        """
        with durable.reported("write to the lake"), self._turn():
            for table in (self._events, self._rejects):
                self._note_erasing(table)

    @staticmethod
    def _note_erasing(table: DeltaWriter) -> None:
        for _ in range(ATTEMPTS):
            table.refresh()
            with suppress(Conflict):  # of another erasure
                return table.commit(Change(()), {unordered.ERASED: table.log.transactions.get(unordered.ERASED, 0) + 1})
        raise LakeUnavailable("others erase somebody at the same moment", "try again")

    def _attempt(self, write: Callable[[], Outcome], hint: str) -> Outcome:
        """Write outcomes, from the start again if somebody else came first."""
        with durable.reported("write to the lake"), self._turn():
            for _ in range(ATTEMPTS):
                try:
                    return write()
                except Conflict:
                    continue
        raise LakeUnavailable("others wrote the same partitions meanwhile", hint)

    def merge(self, rejudged: Rejudged) -> Collection[str]:
        """Make events of rejects; see `pixelake.warehouse.base.Merger`.

        Raises:
            LakeUnavailable: it is not known to be done; repeat the call.
        """
        return self._again(lambda tables: again.merge(tables, rejudged)).ids

    def purge(self, wanted: again.Wanted) -> Iterator[int]:
        """Remove rejects, step by step; see `pixelake.warehouse.base.Merger`.

        Raises:
            LakeUnavailable: the last step is not known to be done; repeat the call.
        """
        clean: set[str] = set()
        while gone := self._again(lambda tables: again.purge(tables, wanted, clean)).ids:
            yield len(gone)

    def plan(self, *, thorough: bool = True) -> Sequence[tuple[DeltaWriter, Job]]:
        """What a compaction would do now, for `compact`.

        Args:
            thorough: also where it hardly pays: see `pixelake.warehouse.packing`.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        with durable.reported("read the lake"), self._turn():
            reached = progress(self._events.log) if self.positions() else {}
            self._rejects.refresh()
            stale = files_above(
                self._rejects.log, {name: reached.get(name, NOTHING) for name in again.partitions(self._rejects.log)}
            )
            tables = (self._events, ()), (self._rejects, stale)  # those are about to be written anew
            now = datetime.fromtimestamp(self._clock.now() / SECOND, UTC)
            plans = [(table, compact.plan(table.log, now, without, thorough=thorough)) for table, without in tables]
            return [(table, job) for table, jobs in plans for job in jobs]

    def compact(self, todo: tuple[DeltaWriter, Job]) -> Packed:
        """Make one large file of many small ones, durably, beside whoever writes: the lock is held for the commit only.

        Raises:
            LakeUnavailable: it is not known to be done; nothing is lost or doubled.
        """
        table, job = todo
        adds = compact.pack(table, job)
        with durable.reported("write to the lake"), self._turn():
            table.refresh()
            done = all(file.path in table.log.files for file in job.files)
            if done:
                try:
                    table.commit(Change(adds, job.files, is_new=False), {})
                except Conflict:
                    done = False
                else:
                    self._raise_floor(adds)
            if not done:
                table.discard(adds)
        return compact.packed(table, job, adds if done else ())

    def _again(self, act: Callable[[again.Tables], again.Done]) -> again.Done:
        """Do something to the rejects, from the start again if somebody else came first."""
        with durable.reported("write to the lake"), self._turn():
            for _ in range(ATTEMPTS):
                reached = self.positions()
                self._rejects.refresh()
                try:
                    swap.settle(self._events, self._rejects)
                    done = act(again.Tables(self._events, self._rejects, reached))
                except Conflict:
                    continue
                self._raise_floor(done.adds)
                return done
        raise LakeUnavailable("others wrote the same rejects meanwhile", "try again")

    def _write(self, outcome: Outcome, coarse: bool = False, *, once: bool = False) -> Outcome:
        self._events.refresh()
        self._rejects.refresh()
        swap.settle(self._events, self._rejects)
        stored = progress(self._events.log)
        fresh = above(outcome, {partition: each.position for partition, each in stored.items()})
        if not fresh.positions:
            return fresh
        reached = {partition: stored.get(partition, NOTHING) for partition in fresh.positions}
        _warn_of_gaps(fresh, reached)
        if once:
            self._write_rejects(unordered.NOTHING, reached)  # takes out what a crash left there
            fresh = only_once(again.Tables(self._events, self._rejects, {}), fresh)
        self._put(fresh, reached, coarse)
        return fresh

    def _settle(self, outcome: Outcome, name: Partition, bar: Callable[[Outcome], Outcome]) -> Outcome:
        self._events.refresh()
        self._rejects.refresh()
        swap.settle(self._events, self._rejects)
        self._take_turn(name)
        reached = {name: progress(self._events.log).get(name, NOTHING)}
        tables = again.Tables(self._events, self._rejects, {name: reached[name].position})
        found = unordered.numbered(tables, bar(outcome), name)  # after both logs were read: see `begin_erasing`
        if found.positions:
            stays = (name + unordered.TURN, unordered.ERASED)
            self._put(found, reached, turn={each: self._events.log.transactions.get(each, 0) for each in stays})
        return found

    def _take_turn(self, name: Partition) -> None:
        """Take out rejects whose events are not there; first of all, whoever may still be about to commit those fails.

        Raises:
            Conflict: somebody else does the same.
        """
        turn = self._events.log.transactions.get(name + unordered.TURN, 0)
        if files_above(self._rejects.log, {name: progress(self._events.log).get(name, NOTHING)}):
            self._events.commit(Change(()), {name + unordered.TURN: turn + 1})
            self._rejects.refresh()
            reached = {name: progress(self._events.log).get(name, NOTHING)}
            self._write_rejects(unordered.NOTHING, reached)

    def _put(
        self,
        fresh: Outcome,
        reached: Mapping[Partition, Progress],
        coarse: bool = False,
        turn: Mapping[str, int] | None = None,
    ) -> None:
        """Write what is above the positions that are reached: rejects first, events second.

        With a `turn` rejects are committed also where there are none: two who settle hits of one partition meet there.
        """
        rejects = self._write_rejects(fresh, reached, coarse, always=turn is not None)
        events = self._events.add_files(fresh.events, coarse=coarse)
        missed = _missed(fresh, reached, self._events.log)
        _commit(self._events, Change(events), _transactions(fresh, reached) | missed | dict(turn or {}))
        self._raise_floor([*events, *rejects])

    def _write_rejects(
        self, fresh: Outcome, reached: Mapping[Partition, Progress], coarse: bool = False, *, always: bool = False
    ) -> Sequence[AddAction]:
        stale = files_above(self._rejects.log, reached)
        if not stale and not fresh.rejects.num_rows and not always:
            return ()
        kept = [_without(self._rejects.log, file, reached) for file in stale]
        adds = self._rejects.add_files(pa.concat_tables([*kept, fresh.rejects]), coarse=coarse)
        stays = {unordered.ERASED: self._rejects.log.transactions.get(unordered.ERASED, 0)} if always else {}
        _commit(self._rejects, Change(adds, list(stale)), dict(fresh.positions) | stays)
        return adds

    def _raise_floor(self, ours: Sequence[AddAction]) -> None:
        """Note how far the tables are durable; `ours` is known to be.

        What is written is durable without: a failure is only reported.
        """
        synced = {add.path for add in ours}
        for log in (self._events.log, self._rejects.log):
            if not isinstance(log.folder, Path):
                continue
            try:
                old = floor.read(log.folder)
                if log.version > old:
                    names = [file.name for file in log.added_since(old)]
                    floor.raise_to(log.folder, log.version, names, synced)
            except (OSError, LakeUnavailable) as error:
                structlog.get_logger().warning(
                    "cannot note how far the lake is durable", table=log.folder.name, error=str(error)
                )

    def vacuum(self, keep: float) -> Sequence[Swept] | None:
        """Remove what no version of the last `keep` seconds needs; see `pixelake.warehouse.vacuum`.

        Returns:
            What went, of each table; None if somebody holds all files just now.

        Raises:
            LakeUnavailable: the lake cannot be read or written; nothing is lost.
        """
        with alone(self._folder) as nobody_else:
            if not nobody_else:
                return None
            self._settle_floor()
            if swap_note.is_pending(self._events.log, self._rejects.log):  # it needs files that no log names yet
                raise LakeUnavailable("somebody else exchanges rows of the lake just now", "try again")
            return [sweep(table, keep, self._clock, self._turn) for table in (self._events, self._rejects)]

    def remove_replaced(self, names: Mapping[str, Collection[str]], wait: float = HOLD_WAIT) -> int:
        """Remove data files that were replaced at once, durably, whatever their age. Returns how many were there.

        One that the newest version names stays.

        Args:
            names: table (``events``, ``rejects``) -> files below its folder.
            wait: seconds to wait for those who hold all files.

        Raises:
            LakeUnavailable: it is not known to be done, or somebody holds the files; call again.
        """
        with alone(self._folder, wait, self._clock) as nobody_else:
            if not nobody_else:
                raise LakeUnavailable("a backup of the lake holds its files", "wait for it, and try again")
            self._settle_floor()
            tables = {EVENTS_FOLDER: self._events, REJECTS_FOLDER: self._rejects}
            with self._turn():
                return sum(remove_replaced(tables[name], files) for name, files in names.items())

    def expire(self, due: Due, note: Note) -> Iterator[int | None]:
        """Take out the events that are `due`, step by step; after each the number of rows that went.

        Args:
            due: which.
            note: what the last run has done.

        Returns:
            None of a step that was in vain, since somebody else took one of its files: what is left of it is for
            another call.

        Raises:
            LakeUnavailable: the last step is not known to be done; call again.
        """
        with durable.reported("read the lake"), self._turn():
            self._events.refresh()
        for step in expiring(self._events, candidates(self._events.log, due, note), due):
            yield self._expire(step)

    def _expire(self, step: Expired) -> int | None:
        table = self._events
        with durable.reported("write to the lake"), self._turn():
            for _ in range(ATTEMPTS):
                table.refresh()
                if any(file.path not in table.log.files for file in step.files):
                    return None
                counts = {partition + again.REMOVED: count for partition, count in step.gone.items()}
                removed = {name: table.log.transactions.get(name, 0) + count for name, count in counts.items()}
                try:
                    table.commit(Change(step.adds, step.files), removed)
                except Conflict:
                    continue
                self._raise_floor(step.adds)
                return step.gone.total()
        return None

    def expire_rejects(self, before: int) -> Iterator[int]:
        """Remove the rejects received before a moment (µs UTC), step by step; after each the number of those removed.

        Raises:
            LakeUnavailable: the last step is not known to be done; call again.
        """
        with durable.reported("read the lake"), self._turn():
            self._rejects.refresh()
        clean = {file.path for file in self._rejects.log.files.values() if extent(file)[0] >= before}

        def wanted(rows: pa.Table) -> Any:
            return pc.less(rows["received_at"].cast(pa.int64()), pa.scalar(before, pa.int64()))

        while gone := self._again(lambda tables: again.purge(tables, wanted, clean)).ids:
            yield len(gone)

    def look(self) -> int:
        """The newest version of the events.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        self._events.refresh()
        return self._events.log.version

    def _settle_floor(self) -> None:
        """Look at the newest version of both tables, finish what others left, and note that it is durable."""
        with durable.reported("read the lake"), self._turn():
            self._events.refresh()
            self._rejects.refresh()
            with suppress(Conflict):
                swap.settle(self._events, self._rejects)
            self._raise_floor(())

    def bring(self, brought: Brought) -> int:
        """Bring rows of another lake in, durably; see `pixelake.warehouse.bring`. Returns how many are new.

        Raises:
            LakeUnavailable: it is not known to be done; repeat the call. Or another process imports the same file.
        """
        return len(self._again(lambda tables: bring(tables, brought)).ids)

    def lines_done(self, table: str, name: str) -> int:
        """How many lines of a file of rows are in that table (``events``, ``rejects``).

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        writer = self._events if table == EVENTS_FOLDER else self._rejects
        writer.refresh()
        return lines_done(writer.log, name)

    def columns(self, table: str) -> pa.Schema:
        """The columns of that table (``events``, ``rejects``), also those that others added, the folders last."""
        return columns_of((self._events if table == EVENTS_FOLDER else self._rejects).log)

    def swap(self, judge: Callable[[Staging], None]) -> None:
        """Let rows take the place of others of the same hits, in one commit of the events; durable. Beside all others.

        Args:
            judge: says which; see `pixelake.warehouse.swap`. Is asked again if what it was told is not so any more.

        Raises:
            LakeUnavailable: it is not known to be done; nothing is lost or doubled.
        """
        for _ in range(ATTEMPTS):
            begun: list[Staging] = []
            self._again(lambda tables, found=begun: _begin(tables, found))  # type: ignore[misc]
            try:
                judge(begun[0])
            except BaseException:
                begun[0].discard()
                raise
            try:
                self._exchange(begun[0])
            except Changed:
                structlog.get_logger().info("others changed the same rows meanwhile; judging them again")
                begun[0].discard()
                continue
            return begun[0].discard()
        raise LakeUnavailable("others changed the same rows meanwhile", "try again")

    def _exchange(self, staging: Staging) -> None:
        """Write what is needed beside the others, and commit it once nobody has changed the files meanwhile.

        Raises:
            Changed: other rows are there than those that shall go.
        """
        while not staging.is_idle and (files := self._exchanged(staging)):
            with durable.reported("write to the lake"):
                staging.prepare(files)

    def _exchanged(self, staging: Staging) -> Mapping[str, Sequence[DataFile]]:
        """Commit it, and return nothing; or return the files that have to be written anew first."""
        lacking: list[Mapping[str, Sequence[DataFile]]] = []

        def act(tables: again.Tables) -> again.Done:
            settled = again.settle(tables)
            lacking[:] = [files] if (files := staging.lacking()) else []
            return settled if lacking else again.Done((), [*settled.adds, *staging.commit()])

        self._again(act)
        return lacking[0] if lacking else {}

    @property
    def place(self) -> Place:
        """Where it lies."""
        return self._folder

    def leave(self, gone: Gone, columns: Sequence[str] | None = None, clean: Collection[str] = ()) -> Iterator[Left]:
        """Take the rows of the events that are meant, step by step, and count them as removed.

        The lock is held for the commits only. All are gone when the last step is; the old files stay on the disk.

        Args:
            gone: tells which, of rows with the `columns` (`pixelake.warehouse.leave.rewrite`).
            columns: that it wants to see; None: all.
            clean: paths of files that have none, and are not looked at.

        Returns:
            What became of each file, once that is committed; its rows may have been told before, if somebody else
            replaced the file meanwhile.

        Raises:
            LakeUnavailable: the last step is not known to be done; repeat the call.
        """
        seen = set(clean)
        while files := self._not_in(seen):
            waiting: list[Left] = []
            for file in files:
                try:
                    left = rewrite(self._events, file, gone, columns)
                except LakeUnavailable:
                    self._events.refresh()
                    if file.path in self._events.log.files:
                        raise
                    continue  # it was replaced and vacuumed
                seen.add(file.path)
                if left.adds is None:
                    yield left
                    continue
                waiting.append(left)
                if len(waiting) >= LEAVING or sum(each.file.size for each in waiting) >= LEAVING_BYTES:
                    yield from self._leave(waiting, seen)
                    waiting = []
            yield from self._leave(waiting, seen)

    def _not_in(self, seen: Container[str]) -> list[DataFile]:
        self._events.refresh()
        return [file for path, file in self._events.log.files.items() if path not in seen]

    def _leave(self, lefts: Sequence[Left], seen: set[str]) -> Sequence[Left]:
        """Put successors in the place of files that are still there; returns what became of those."""
        if not lefts:
            return ()
        with durable.reported("write to the lake"), self._turn():
            for _ in range(ATTEMPTS):
                self._events.refresh()
                done = [each for each in lefts if each.file.path in self._events.log.files]
                try:
                    adds = put_in_place(self._events, done)
                except Conflict:
                    continue
                self._raise_floor(adds)
                seen.update(add.path for add in adds)
                return done
        raise LakeUnavailable("others wrote the same files meanwhile", "try again")


def _begin(tables: again.Tables, begun: list[Staging]) -> again.Done:
    """Begin a swap with nothing left to do of others."""
    settled = again.settle(tables)
    begun.append(Staging(tables))
    return settled


def _commit(table: DeltaWriter, change: Change, transactions: Mapping[str, int]) -> None:
    """Commit; if somebody else came first, nothing of what was written for it is left: it may be of who is erased."""
    try:
        table.commit(change, transactions)
    except Conflict:
        table.discard(change.adds)
        raise


def _mend(folder: Path, clock: Clock) -> Sequence[str]:
    """Set aside what a power cut broke in either table; their names."""
    tables = folder / EVENTS_FOLDER, folder / REJECTS_FOLDER
    found = {table: broken(table) for table in tables}  # of both, before anything is moved
    for table, files in found.items():
        set_aside(table, files, clock)
    return [f"{table.name}/{path.name}" for table, files in found.items() for path in files]


def _transactions(fresh: Outcome, reached: Mapping[Partition, Progress]) -> dict[str, int]:
    """The positions and running counts once `fresh` is written."""
    withheld = _count(fresh.withheld)
    outcomes = _count(fresh.events) + _count(fresh.rejects) + withheld
    versions: dict[str, int] = dict(fresh.positions)
    for partition, before in reached.items():
        versions[f"{partition}/outcomes"] = before.outcomes + outcomes[partition]
        versions[f"{partition}/withheld"] = before.withheld + withheld[partition]
    return versions


def _missed(fresh: Outcome, reached: Mapping[Partition, Progress], log: DeltaLog) -> dict[str, int]:
    """The running counts of positions passed over, where some were."""
    gaps = {name: fresh.first.get(name, 0) - before.position - 1 for name, before in reached.items()}
    return {name + MISSED: log.transactions.get(name + MISSED, 0) + count for name, count in gaps.items() if count > 0}


def _count(rows: pa.Table) -> Counter[Partition]:
    """Rows of each partition."""
    counted: Any = pc.value_counts(rows["partition"])
    return Counter({each["values"]: each["counts"] for each in counted.to_pylist()})


def _warn_of_gaps(fresh: Outcome, reached: Mapping[Partition, Progress]) -> None:
    """Say so when hits between the stored position and the first judged one are missing."""
    for partition, before in reached.items():
        if (first := fresh.first.get(partition, 0)) > before.position + 1:
            structlog.get_logger().warning(
                "the lake misses hits that the stream no longer had",
                partition=partition,
                first=before.position + 1,
                last=first - 1,
            )


def _without(log: DeltaLog, file: DataFile, reached: Mapping[Partition, Progress]) -> pa.Table:
    """A file of rejects, without the rows above the positions reached."""
    rows = again.whole(log, file)
    is_above: Any = above_floor(rows, {partition: each.position for partition, each in reached.items()})
    return rows.filter(pc.invert(is_above.fill_null(False)))
