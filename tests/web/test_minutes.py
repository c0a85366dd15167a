"""The last half hour by the minute: what is over is remembered, what runs is looked up each time."""

from dataclasses import dataclass, field

from pixelake.clock import SECOND
from pixelake.testing import FakeClock
from pixelake.web.minutes import Minutes

MINUTE = 60 * SECOND


@dataclass
class Store:
    """Minutes of a live store, and since when they were asked for."""

    minutes: dict[int, dict[str, int]] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def by_minute(self, since, site=None):
        """As `Live.by_minute`."""
        self.asked.append(since)
        return {minute: counts for minute, counts in self.minutes.items() if minute >= since // MINUTE * MINUTE}


def test_minutes_are_told_in_order() -> None:
    """Those in which anything came, in ms, with what is not counted as 0."""
    clock = FakeClock()
    now = clock.now() // MINUTE * MINUTE
    store = Store(
        {now: {"hits": 3, "views": 2, "bots": 1}, now - 5 * MINUTE: {"hits": 1}, now - 31 * MINUTE: {"hits": 9}}
    )
    assert Minutes(store, clock).of(None) == [
        {"at": (now - 5 * MINUTE) // 1000, "hits": 1, "views": 0, "bots": 0},
        {"at": now // 1000, "hits": 3, "views": 2, "bots": 1},
    ]


def test_what_is_over_is_looked_up_once_a_minute() -> None:
    """Of ten thousand sites that is much; the minute that runs is looked up each time, and so is the one before."""
    clock = FakeClock()
    now = clock.now() // MINUTE * MINUTE
    store = Store({now - 5 * MINUTE: {"hits": 1}})
    minutes = Minutes(store, clock)
    minutes.of(None)
    store.minutes = {now: {"hits": 7}}
    clock.sleep(1)
    assert [each["hits"] for each in minutes.of(None)] == [1, 7]
    clock.sleep(61)
    assert [each["hits"] for each in minutes.of(None)] == [7]
    assert [clock.now() - since > 10 * MINUTE for since in store.asked] == [True, False, True]
