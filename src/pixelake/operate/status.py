"""Where every hit is: the two sums, how far behind the lake is, and what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import LakeUnavailable
from pixelake.operate.notices import Notice
from pixelake.registry.base import Maintained
from pixelake.stream.base import GROUP, Extent, Partition, Position, Watcher
from pixelake.warehouse.sums import LakeReader

LOOKS: Final = 3
"""Readings that may disagree before we believe that they do."""


@dataclass(frozen=True, slots=True)
class Status:
    """Counts of hits and of what became of them; the names are an interface.

    ``accepted = in_stream + settled`` counts hits, ``outcomes = in_lake +
    rejected + withheld + removed`` what the settled ones became.

    Attributes:
        accepted: hits that are or were durable in the stream.
        in_stream: those of them that wait for the lake.
        settled: those of them that are through.
        missed: those of them that the stream no longer had, or could not read, when the lake wanted them.
        outcomes: what the settled hits became; a body of many elements is one hit and many outcomes.
        in_lake: events in the lake, in files that are there.
        rejected: rejects in the lake, in files that are there.
        withheld: outcomes that policy kept nothing of.
        removed: events erased, expired or purged since.
        lag_seconds: age of the oldest hit that waits for the lake; 0 if none does.
        oldest_hit_age_seconds: age of the oldest hit that the stream still holds; 0 if it holds none.
        damaged: files that the lake or the stream needs and that are missing or damaged.
        set_aside: folders of what lake and stream put out of the way because it was broken.
        notices: what roles have noticed during the last day.
        evidence: those of `set_aside` that tell of lost hits, and must be kept.
        maintenance: the last run of each task of maintenance.
        lost_behind: partitions of which nobody knows how many hits are lost, each with its last known position.
    """

    accepted: int
    in_stream: int
    settled: int
    outcomes: int
    in_lake: int
    rejected: int
    withheld: int
    removed: int
    lag_seconds: float
    oldest_hit_age_seconds: float
    missed: int
    damaged: Sequence[str]
    set_aside: Sequence[str]
    notices: Sequence[Notice] = field(default_factory=list)
    evidence: Sequence[str] = ()
    lost_behind: Mapping[Partition, Position] = field(default_factory=dict)
    maintenance: Sequence[Maintained] = field(default_factory=list)

    @property
    def hits_hold(self) -> bool:
        """Whether every accepted hit is somewhere."""
        return self.accepted == self.in_stream + self.settled and not self.lost_behind

    @property
    def outcomes_hold(self) -> bool:
        """Whether every outcome is somewhere."""
        return self.outcomes == self.in_lake + self.rejected + self.withheld + self.removed

    @property
    def troubles(self) -> Sequence[str]:
        """What somebody should look at, a line each; none if all is well."""
        lost = [f"{self.missed:,} hits are lost: the stream does not have them any more"] * bool(self.missed)
        damaged = [f"{path} is missing or damaged: restore it from a backup" for path in self.damaged]
        aside = [f"{path} holds what was found broken: {self._advice(path)}" for path in self.set_aside]
        failed = [f"maintenance: {each.task} failed: {each.error}" for each in self.maintenance if each.error]
        return [*lost, *self._unknown, *damaged, *aside, *failed, *(notice.text for notice in self.notices)]

    @property
    def _unknown(self) -> Sequence[str]:
        """The losses that nobody can count, a line each."""
        return [
            f"an unknown number of hits behind position {position} of partition {partition} are lost"
            for partition, position in self.lost_behind.items()
        ]

    def _advice(self, path: str) -> str:
        if path in self.evidence:
            return "keep it, nothing else tells which hits are lost"
        return "remove it if you do not need it for an inquiry"

    def as_dict(self) -> dict[str, Any]:
        """The counts by their names; what cannot be counted is told among what is damaged."""
        found = asdict(self) | {"damaged": [*self.damaged, *self._unknown]}
        del found["evidence"], found["lost_behind"]
        return found


def as_text(found: Status) -> str:
    """For people: both sums with a tick if they hold, how far behind the lake is, and what is wrong with it.

    Lines without a last newline.
    """
    sums = (
        f"{_mark(found.hits_hold)} hits      {found.accepted:,} accepted = {found.in_stream:,} in the stream"
        f" + {found.settled:,} settled\n"
        f"{_mark(found.outcomes_hold)} outcomes  {found.outcomes:,} = {found.in_lake:,} in the lake"
        f" + {found.rejected:,} rejected + {found.withheld:,} withheld + {found.removed:,} removed\n"
        f"  lag       {found.lag_seconds:.1f} s\n"
        f"  stream    its oldest hit is {found.oldest_hit_age_seconds:.0f} s old"
    )
    return "\n".join([sums, *(f"! {trouble}" for trouble in found.troubles)])


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"


def status(
    lake: LakeReader, stream: Watcher, clock: Clock = SYSTEM, check: Callable[[], None] = lambda: None
) -> Status:
    """The status now, beside a running server or without one.

    Args:
        lake: what is settled.
        stream: what is accepted.
        clock: for ages.
        check: raises `LakeUnavailable` if the lake is not where it was: an empty one would be a lie.

    Raises:
        LakeUnavailable: the lake cannot be read; the error tells how much waits for it, and since when.
        StreamError: the stream cannot be read.
    """
    try:
        check()
        found = _look(lake, stream, clock)
    except LakeUnavailable as error:
        raise LakeUnavailable(f"{error}; {as_words(uncommitted(stream, clock))}", error.hint) from error
    for _ in range(LOOKS):
        if found.hits_hold and found.outcomes_hold:
            break  # else: hits may have been settled and let go between the two readings
        found = _look(lake, stream, clock)
    return found


def _look(lake: LakeReader, stream: Watcher, clock: Clock) -> Status:
    """One reading.

    The lake is asked first: what it has settled by then, the stream has
    accepted by the time it is asked. Positions have no gaps, so a position is
    a count; the lake remembers partitions that the stream has let go.
    """
    sums = lake.sums()
    settled = {partition: progress.position for partition, progress in sums.progress.items()}
    extents = stream.extents()
    held = {each.partition: each.first for each in extents if each.first <= each.last}
    open_ends = [each for each in extents if each.last > settled.get(each.partition, 0)]
    waiting = {each.partition: _waiting(each, settled.get(each.partition, 0)) for each in open_ends}
    return Status(
        accepted=sum((settled | {each.partition: each.last for each in open_ends}).values()),
        in_stream=sum(len(places) for ranges in waiting.values() for places in ranges),
        settled=sum(settled.values()) - sums.missed,
        outcomes=sums.outcomes,
        in_lake=sums.in_lake,
        rejected=sums.rejected,
        withheld=sums.withheld,
        removed=sums.removed,
        lag_seconds=_oldest_age(stream, {name: places[0].start for name, places in waiting.items() if places}, clock),
        oldest_hit_age_seconds=_oldest_age(stream, held, clock),
        missed=sums.missed + sum(_lost(each, settled.get(each.partition, 0)) for each in open_ends),
        damaged=[*map(str, sums.damaged), *(path for each in extents for path in each.damaged)],
        set_aside=[*map(str, lake.set_aside()), *(path for each in extents for path in each.set_aside)],
        evidence=[path for each in extents for path in each.evidence],
        lost_behind={
            each.partition: max(each.lost_behind, settled.get(each.partition, 0))
            for each in extents
            if each.lost_behind is not None
        },
    )


class Backlog(NamedTuple):
    """Hits that wait, and for how many seconds the oldest does."""

    hits: int
    age: float


def uncommitted(stream: Watcher, clock: Clock = SYSTEM) -> Backlog:
    """What is known of the hits that wait, without the lake: what the consumer has not committed.

    Raises:
        StreamError: the stream cannot be read.
    """
    committed = stream.committed(GROUP)
    waiting = {each.partition: _waiting(each, committed.get(each.partition, 0)) for each in stream.extents()}
    count = sum(len(places) for ranges in waiting.values() for places in ranges)
    age = _oldest_age(stream, {name: places[0].start for name, places in waiting.items() if places}, clock)
    return Backlog(count, age)


def as_words(backlog: Backlog) -> str:
    """For people."""
    return f"{backlog.hits:,} hits wait, the oldest for {backlog.age:.0f} s" if backlog.hits else "no hits wait"


def _waiting(held: Extent, settled: Position) -> Sequence[range]:
    """The positions behind `settled` that are held and can be read."""
    start, ranges = max(held.first, settled + 1), []
    for first, last in sorted(held.lost):
        ranges.append(range(start, min(first, held.last + 1)))
        start = max(start, last + 1)
    return [places for places in (*ranges, range(start, held.last + 1)) if places]


def _lost(held: Extent, settled: Position) -> int:
    """How many positions behind `settled` were found damaged. The lake counts the others itself."""
    return sum(max(0, last - max(first - 1, settled)) for first, last in held.lost)


def _oldest_age(stream: Watcher, places: Mapping[Partition, Position], clock: Clock) -> float:
    """Seconds since the oldest of these hits was received."""
    times = [stream.received_at(partition, position) for partition, position in places.items()]
    known = [time for time in times if time is not None]
    return round(max(0.0, (clock.now() - min(known)) / SECOND), 3) if known else 0.0
