"""What has to be done again and again: the table of tasks that keep a lake small, lawful and quick to read.

`TASKS` is the table. `serve` runs what is due beside its consumer
(`pixelake.operate.keeper`), `pixelake maintain` by hand. Each task is whole at
every moment, however it is cut short: what is done stays done, the next run
does the rest. One process at a time maintains a lake on a machine. How the last
run of each went is in the registry.

`Task` and `start` are for the small things that a role repeats in a thread.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import LakeUnavailable, PixelakeError, RegistryUnavailable
from pixelake.operate import compaction
from pixelake.operate.retention import ages, retain_rows
from pixelake.registry.base import Maintained
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.warehouse import packing
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.delta_log import DeltaLog, logs_of
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.rollup.build import Builder, Built
from pixelake.warehouse.vacuum import Swept, maintaining

HOUR: Final = 3_600.0
"""Seconds."""
PATIENCE: Final = 5.0
"""Seconds to wait for who packs the open hour just now."""
AGAIN: Final = 300.0
"""Seconds after which a task that failed is tried again, if it is not due sooner."""
ROLLUP_SECONDS: Final = 120.0
"""After so long no further day is counted in this run: other tasks wait for it."""

Told = Callable[[int, int], None]
"""Hears how much is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done when a role starts and then each `every` seconds. It may be cut short at any moment."""

    name: str
    every: float
    run: Callable[[], object]


def start(tasks: Sequence[Task], stop: threading.Event) -> None:
    """Run each task in a thread of its own until `stop` is set. One that fails is logged and tried again next time."""
    for task in tasks:
        threading.Thread(target=_repeat, args=(task, stop), name=task.name, daemon=True).start()


def _repeat(task: Task, stop: threading.Event) -> None:
    while True:
        try:
            task.run()
        except (PixelakeError, OSError) as error:
            structlog.get_logger().warning(f"cannot {task.name}", error=str(error))
        if stop.wait(task.every):
            return


# --- the table


@dataclass(frozen=True, slots=True)
class House:
    """What the tasks work on.

    Attributes:
        lake: opens it for writing.
        place: where it is.
        registry: whose salts go, and which knows the ages of sites.
        history: seconds that replaced files stay.
        retention: days that events stay; 0: for ever.
        rejects_retention: the same of rejects.
        clock: tells what is due.
        memory: what roll-ups may take when they are made, as DuckDB writes it.
        spill: the folder for what does not fit into that.
        logs: of its tables, as they were last seen: to look again is to read on, in a bucket a request or two and not
            one for each entry since the last checkpoint. One thread looks.
    """

    lake: Callable[[], Lake]
    place: Place
    registry: SqliteRegistry
    history: float
    retention: int
    rejects_retention: int
    clock: Clock = SYSTEM
    memory: str = "256MB"
    spill: Path | None = None
    logs: Mapping[str, DeltaLog] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "logs", logs_of(self.place))


class Outcome(NamedTuple):
    """What a task did: in a line, and in figures."""

    text: str
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chore:
    """A row of the table.

    Attributes:
        name: as `pixelake maintain` takes it.
        every: seconds from the beginning of a run to that of the next.
        is_heavy: it runs in a process of its own, which gives its memory back.
        run: does it; by hand, or since it is due.
        is_wanted: whether there is anything to do, found out cheaply.
    """

    name: str
    every: float
    is_heavy: bool
    run: Callable[[House, Told, bool], Outcome]
    is_wanted: Callable[[House], bool] = field(default=lambda _: True)


def _salts(house: House, _told: Told, _by_hand: bool) -> Outcome:
    count = house.registry.destroy_salts(house.clock.now())
    return Outcome(f"{count:,} salts destroyed" if count else "no salt is due", {"destroyed": count})


def _compact(house: House, told: Told, by_hand: bool) -> Outcome:
    found = compaction.compact(house.lake(), told, thorough=by_hand)
    return Outcome(compaction.as_text(found), found.as_dict())


def _is_compactable(house: House) -> bool:
    now = datetime.fromtimestamp(house.clock.now() / SECOND, UTC)
    for log in house.logs.values():
        log.refresh()
        if packing.plan(log, now, thorough=False):
            return True
    return False


def _retain(house: House, told: Told, by_hand: bool) -> Outcome:
    if not _is_retention_set(house):
        return Outcome("all is kept for ever", {"events": 0, "rejects": 0, "day": ""})
    found = retain_rows(
        house.lake(),
        house.place,
        ages(house.retention, house.registry.snapshot().retentions),
        house.rejects_retention,
        told,
        trusted=by_hand,
        clock=house.clock,
    )
    gone = f"{found.events:,} events and {found.rejects:,} rejects were older than they may be"
    return Outcome(gone if found.day else "a new day counts at a second look, in an hour", found.as_dict())


def _is_retention_set(house: House) -> bool:
    days = (house.retention, house.rejects_retention, *house.registry.snapshot().retentions.values())
    return any(days)


def _rollup(house: House, told: Told, by_hand: bool) -> Outcome:
    return _made(_builder(house).run(told, float("inf") if by_hand else ROLLUP_SECONDS))


def _rebuild(house: House, told: Told, _by_hand: bool) -> Outcome:
    return _made(_builder(house).run(told, anew=True))


def _made(found: Built) -> Outcome:
    if not any(found):
        return Outcome("each day that is over is counted", found._asdict())
    line = f"{found.days:,} days counted and {found.months:,} months joined"
    line += f", {found.dropped:,} roll-ups did not hold any more" * bool(found.dropped)
    return Outcome(line + f", {found.waiting:,} days wait" * bool(found.waiting), found._asdict())


def _is_rollup_wanted(house: House) -> bool:
    return _builder(house).is_wanted()


def _builder(house: House) -> Builder:
    clocks = Clocks.of_registry(house.registry.snapshot(), house.registry.default_zone)
    return Builder(house.place, clocks, house.memory, house.spill, house.clock, logs=house.logs)


def _vacuum(house: House, _told: Told, _by_hand: bool) -> Outcome:
    swept = house.lake().vacuum(house.history)
    if swept is None:
        raise LakeUnavailable("a backup of the lake holds its files", "wait for it, and try again")
    return Outcome(_as_text(swept), {each.table: _figures(each) for each in swept})


def _figures(swept: Swept) -> Mapping[str, Any]:
    return {name: figure for name, figure in asdict(swept).items() if name != "table"}


def _as_text(swept: Sequence[Swept]) -> str:
    files, strays, size, entries, folders = (
        sum(getattr(each, name) for each in swept) for name in ("files", "strays", "bytes", "entries", "folders")
    )
    if not files + strays + entries + folders:
        return "nothing to remove"
    line = f"{files:,} replaced files ({size / 1e6:,.1f} MB) and {entries:,} of the log removed"
    return line + f", {strays:,} that nobody committed" * bool(strays) + f", {folders:,} empty folders" * bool(folders)


TASKS: Final = {
    task.name: task
    for task in (
        Chore("salts", HOUR, False, _salts),
        Chore("retain", HOUR, True, _retain, _is_retention_set),
        Chore("compact", 300.0, True, _compact, _is_compactable),
        Chore("rollup", 300.0, True, _rollup, _is_rollup_wanted),
        Chore("vacuum", HOUR, True, _vacuum),
    )
}
"""Name -> task, in the order in which they run: what goes need neither be compacted nor counted; what was replaced is
swept last, and with it the log that tells which roll-ups hold."""

BY_HAND: Final = {**TASKS, "rebuild": replace(TASKS["rollup"], run=_rebuild)}
"""The table, and what is done only if somebody asks for it."""


# --- a run


@dataclass(frozen=True, slots=True)
class Done:
    """How a task went.

    Attributes:
        task: its name.
        seconds: it took.
        text: what was done; empty if it failed.
        figures: of it.
        error: why it failed; empty if it did not.
        hint: what to do then.
    """

    task: str
    seconds: float
    text: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        """What was done, by its names."""
        return {"seconds": self.seconds, "done": self.text, "error": self.error, **self.figures}

    def as_line(self) -> str:
        """For people."""
        return f"{self.task:<8} {self.error or self.text} ({self.seconds:.1f} s)"


def due(house: House) -> list[Chore]:
    """The tasks whose time has come, and those that failed a while ago.

    Raises:
        RegistryUnavailable: it cannot be told.
    """
    known, now = house.registry.tasks(), house.clock.now()
    return [task for task in TASKS.values() if _is_due(task, known.get(task.name), now)]


def _is_due(task: Chore, last: Maintained | None, now: int) -> bool:
    if last is None or last.started > now:  # the clock went back
        return True
    every = min(task.every, AGAIN) if last.error else task.every
    return now - last.started >= every * SECOND


def run(house: House, tasks: Sequence[Chore], told: Told = lambda *_: None, *, by_hand: bool = False) -> list[Done]:
    """Do these tasks, one after the other; one that fails does not keep the others from being tried.

    Args:
        house: what they work on.
        tasks: of the table.
        told: hears how far each is.
        by_hand: somebody asked for it, so also do what hardly pays, and trust the clock.

    Raises:
        LakeUnavailable: somebody else maintains the lake just now; nothing was done.
    """
    with maintaining(house.place, PATIENCE) as nobody_else:
        if not nobody_else:
            raise LakeUnavailable("the lake is maintained by somebody else just now", "wait for it, and try again")
        return [perform(house, task, told, by_hand=by_hand) for task in tasks]


def perform(house: House, task: Chore, told: Told = lambda *_: None, *, by_hand: bool = False) -> Done:
    """Do one task, and note in the registry how it went. The caller is the only one who maintains the lake.

    A registry that cannot be written to keeps nothing from being done: its disk may be the one that is full.
    """
    began = house.clock.monotonic()
    _note(lambda: house.registry.begin_task(task.name, house.clock.now()))
    try:
        outcome = task.run(house, told, by_hand)
        done = Done(task.name, round(house.clock.monotonic() - began, 3), outcome.text, outcome.figures)
    except (PixelakeError, OSError) as error:
        done = Done(
            task.name,
            round(house.clock.monotonic() - began, 3),
            error=" ".join(str(error).split()),
            hint=getattr(error, "hint", ""),
        )
    _note(lambda: house.registry.end_task(task.name, house.clock.now(), done.text, done.error))
    return done


def _note(write: Callable[[], None]) -> None:
    try:
        write()
    except RegistryUnavailable as error:
        structlog.get_logger().warning("cannot note how a task of maintenance went", error=str(error))
