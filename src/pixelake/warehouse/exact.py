"""When visitors are known: a day of a site knows its people, several days do not, but those with a user_id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from pixelake.warehouse.ask import Ask
from pixelake.warehouse.questions import DAILY, VISITORS, Question
from pixelake.warehouse.trail import day_span
from pixelake.warehouse.zones import STEPS, Clock

MANY_DAYS: Final = "a visitor without a user_id is known for one day of the site only; daily_visitors adds up the days"
OTHER_DAYS: Final = "the days of this zone are not those of the site, for which visitors are known"

_Offsets = Sequence[tuple[datetime, timedelta]]


@dataclass(frozen=True)
class Days:
    """How what is asked for lies within the days of the sites.

    Attributes:
        question: what is asked.
        ask: how.
        clock: on which the buckets are.
        sites: the clocks of the sites.
        interval: how long a bucket is.
    """

    question: Question
    ask: Ask
    clock: Clock
    sites: Sequence[Clock]
    interval: str

    @property
    def are_exact(self) -> bool:
        """Whether the daily visitors of a row are its visitors: no row is of more than one day."""
        if self.question.kind == "series":
            return self.are_days and self.interval not in {"week", "month"}
        return self.is_one_day

    @property
    def is_one_day(self) -> bool:
        """Whether the period lies within one day of each site."""
        spans = [day_span(clock, self.ask.start, self.ask.end) for clock in self.sites]
        return all(first == last for first, last in spans)

    @cached_property
    def are_days(self) -> bool:
        """Whether the buckets of a series lie within days of the sites, or are some of them."""
        return all(
            self._offsets(clock) == self._offsets(self.clock)
            or (self.interval in STEPS and self._are_apart(clock, STEPS[self.interval]))
            for clock in self.sites
        )

    def notes(self) -> dict[str, str]:
        """Why visitors have no number, if they have none."""
        if not any(each.name == VISITORS for each in self.question.columns) or self.are_exact:
            return {}
        if self.question.kind == "series" and not self.are_days:
            return {VISITORS: MANY_DAYS, DAILY: OTHER_DAYS}
        return {VISITORS: MANY_DAYS}

    def _offsets(self, clock: Clock) -> _Offsets:
        return clock.offsets(self.ask.start, self.ask.end)

    def _are_apart(self, clock: Clock, step: timedelta) -> bool:
        """Whether two clocks show the same when only the part within a step is looked at."""
        moments = [moment for each in (clock, self.clock) for moment, _ in self._offsets(each)]
        return all(
            _offset_at(self._offsets(clock), moment) % step == _offset_at(self._offsets(self.clock), moment) % step
            for moment in moments
        )


def _offset_at(offsets: _Offsets, moment: datetime) -> timedelta:
    return next((offset for begun, offset in reversed(offsets) if begun <= moment), offsets[0][1])
