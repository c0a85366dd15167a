"""Replays a span of time: hits that the stream still holds are judged anew, and the lake has what they are now.

Read beside everybody, judged as the consumer judges, and exchanged in one commit
of the events (`pixelake.warehouse.swap`). What is not in the lake now stays out
of it; what the lake has not reached yet the consumer judges anyway.
"""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple, Protocol

from pixelake.errors import LakeUnavailable
from pixelake.hit import Hit
from pixelake.operate.exchange import About, Tally, exchange
from pixelake.stream.base import Batch, Partition, Position
from pixelake.stream.sqlite_range import Span
from pixelake.transform.judge import Judge
from pixelake.transform.retry import Retry
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.swap import Staging

PATIENCE: Final = 900.0
"""Seconds to wait for whoever maintains the lake just now."""


class Held(Protocol):
    """What a stream still holds; see `pixelake.stream.sqlite_range.SqliteRange`."""

    def hits(self, span: Span, up_to: Mapping[Partition, Position]) -> Iterator[Batch]:
        """The hits received in a span, up to these positions, of each partition in order."""
        ...


class Swapper(Protocol):
    """Where rows take the place of others; see `pixelake.warehouse.lake.Lake.swap`."""

    def swap(self, judge: Callable[[Staging], None]) -> None:
        """In one commit. `judge` may be asked several times."""
        ...


class Wanted(NamedTuple):
    """Which hits: those received in a span; of these the ones with an event of this site, now or then; None: all."""

    span: Span
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the rows, events and rejects, of the hits in a span; the names are an interface.

    The counts from `unchanged` to `other_site` add up to `looked_at`.

    Attributes:
        looked_at: rows whose hits were judged anew.
        unchanged: those that stay as they are.
        changed: those that have other columns now.
        became_events: rejects that are events now.
        became_rejects: events that are rejects now.
        withheld_now: those that policy keeps nothing of now.
        merged: elements of a hit that is one reject as a whole now.
        other_site: those of hits of another site than the one that was wanted.
        added: outcomes more: elements of a hit that was one reject as a whole.
        no_longer_held: rows of the span whose hits the stream does not hold (any more): they stay as they are. Where
            one site is wanted, its events only.
    """

    looked_at: int
    unchanged: int
    changed: int
    became_events: int
    became_rejects: int
    withheld_now: int
    merged: int
    other_site: int
    added: int
    no_longer_held: int

    def as_dict(self) -> dict[str, Any]:
        """The counts by their names."""
        return asdict(self)


NOTHING = Report(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def as_text(report: Report) -> str:
    """For people; lines without a last newline."""
    moved = (
        (report.became_events, "rejects are events now"),
        (report.became_rejects, "events are rejects now"),
        (report.withheld_now, "are withheld now"),
        (report.merged, "are elements of a hit that is one reject now"),
        (report.added, "more came of hits that were one reject"),
        (report.other_site, "are of another site, and stay"),
        (report.no_longer_held, "rows stay as they are: the stream does not hold their hits"),
    )
    lines = [f"{report.changed:,} of {report.looked_at:,} rows changed; {report.unchanged:,} are as before"]
    return "\n".join(lines + [f"{count:,} {what}" for count, what in moved if count])


class Rerun:
    """One replay of a span; to be run once.

    Args:
        lake: opens the lake for writing; None: there is none yet.
        alone: whether nobody maintains the lake or erases from it meanwhile: what they wait for is in here.
        held: the stream.
        judge: as the consumer's, of today's settings.
        is_anonymous: whether a hit whose client objects to being tracked is anonymous today: its site, and when it was
            received (µs UTC).
        told: called with the rows looked at so far, and about all there are.
    """

    def __init__(
        self,
        lake: Callable[[], Swapper | None],
        alone: Callable[[], AbstractContextManager[bool]],
        held: Held,
        judge: Judge,
        *,
        is_anonymous: Callable[[str, int], bool],
        told: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        self._lake, self._alone, self._held, self._judge = lake, alone, held, judge
        self._is_anonymous, self._told = is_anonymous, told
        self._report = NOTHING

    def run(self, wanted: Wanted) -> Report:
        """Judge them, and exchange what is another now. To be repeated if it is cut short; nothing is seen of it then.

        Raises:
            PixelakeError: the stream, the lake, the registry or the store of event ids cannot be used now.
        """
        with self._alone() as nobody_else:
            if not nobody_else:
                raise LakeUnavailable("maintenance of the lake takes very long", "wait for it, and replay again")
            lake = self._lake()
            if lake is not None:
                lake.swap(lambda staging: self._fill(staging, wanted))
        return self._report

    def _fill(self, staging: Staging, wanted: Wanted) -> None:
        tally, standing = Tally(), staging.standing
        total = standing.count(*wanted.span, wanted.site)
        self._told(0, total)
        for held in self._held.hits(wanted.span, staging.reached):
            batch = _part(held, standing.places(held.partition, held.positions[0], held.positions[-1]))
            for outcome in self._judge(batch, Retry("judge hits anew", threading.Event(), on=())):
                self._put(staging, batch, outcome, wanted.site, tally)
                self._told(min(tally.looked_at, total), total)
        self._report = _report(tally, total)

    def _put(self, staging: Staging, batch: Batch, outcome: Outcome, site: str | None, tally: Tally) -> None:
        first, last = outcome.first[batch.partition], outcome.positions[batch.partition]
        hits = _between(batch, first, last)
        about = About(
            site=site,
            names=dict(zip(hits.positions, hits.ids, strict=True)),
            objects=lambda position: _objects(hits.hits[bisect_left(hits.positions, position)]),
            is_anonymous=self._is_anonymous,
        )
        staging.put(exchange(staging.standing.rows(batch.partition, first, last), outcome, about, tally))


def _report(tally: Tally, total: int) -> Report:
    """What is told of it, if the span has so many rows."""
    counts = asdict(tally)
    lost = total - counts.pop("wanted")
    moved = sum(count for name, count in counts.items() if name not in {"looked_at", "added"})
    return Report(**counts, unchanged=tally.looked_at - moved, no_longer_held=max(0, lost))


def _part(batch: Batch, places: list[Position]) -> Batch:
    """The hits of a batch at some places."""
    wanted = frozenset(places)
    kept = [(hit, at) for hit, at in zip(batch.hits, batch.positions, strict=True) if at in wanted]
    return Batch(batch.partition, [hit for hit, _ in kept], [at for _, at in kept])


def _between(batch: Batch, first: Position, last: Position) -> Batch:
    """The hits of a batch between two positions, both included."""
    start, end = bisect_left(batch.positions, first), bisect_right(batch.positions, last)
    return Batch(batch.partition, batch.hits[start:end], batch.positions[start:end])


def _objects(hit: Hit) -> bool:
    """Whether the client objects to being tracked."""
    return b"1" in (hit.header(b"dnt"), hit.header(b"sec-gpc"))
