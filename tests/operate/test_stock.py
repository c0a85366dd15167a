"""Tests of `pixelake.operate.stock`: what the metrics say of the sums, what waits and what is free."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Gauge

from pixelake import telemetry
from pixelake.clock import SECOND
from pixelake.errors import LakeUnavailable
from pixelake.operate.status import Status
from pixelake.operate.stock import Bounds, Stock, tell
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.stream.base import Extent
from pixelake.testing import FakeClock
from pixelake.transform.feed import Health

CLOCK = FakeClock()
GOOD: dict[str, Any] = {
    "accepted": 9,
    "in_stream": 2,
    "settled": 7,
    "outcomes": 8,
    "in_lake": 5,
    "rejected": 1,
    "withheld": 1,
    "removed": 1,
    "lag_seconds": 3.5,
    "oldest_hit_age_seconds": 60.0,
    "missed": 0,
    "damaged": [],
    "set_aside": [],
}


class Held:
    """A stream of one partition: hits 1 to 9 in 1,000 bytes, of which 4 are committed."""

    def extents(self) -> list[Extent]:
        """The partition."""
        return [Extent("p", 1, 9, 1_000)]

    def committed(self, group: str) -> dict[str, int]:
        """How far the consumer is."""
        return {"p": 4}

    def received_at(self, partition: str, position: int) -> int:
        """The fifth came 40 seconds ago."""
        return CLOCK.now() - 40 * SECOND


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gauges of this test alone."""
    made: dict[str, Gauge] = {}

    def gauge(name: str) -> Gauge:
        declared = telemetry.METRICS[name]
        return made.setdefault(name, Gauge(declared.name, declared.help, declared.labels, registry=None))

    monkeypatch.setattr(telemetry, "gauge", gauge)


@pytest.fixture
def registry(tmp_path: Path) -> SqliteRegistry:
    """With a salt that is two days old, and kept for two more."""
    found = SqliteRegistry(tmp_path / "registry.sqlite", clock=CLOCK)
    found.salts([datetime.fromtimestamp(CLOCK.now() / SECOND, UTC).date()])
    return found


def _stock(tmp_path: Path, registry: SqliteRegistry, status: Callable[[], Status], clock: FakeClock = CLOCK) -> Stock:
    return Stock(status, Held(), registry, Bounds(tmp_path, 5_000, 100), clock)


def _shown(name: str, **labels: str) -> float:
    found = [
        sample.value
        for metric in telemetry.gauge(f"pixelake_{name}").collect()
        for sample in metric.samples
        if sample.labels == labels
    ]
    return found[0]


def test_all_is_well(tmp_path: Path, registry: SqliteRegistry) -> None:
    """The sums hold, and the rest is told as it is."""
    _stock(tmp_path, registry, lambda: Status(**GOOD)).take()
    assert _shown("sums_off") == 0
    assert (_shown("lag_seconds"), _shown("unsettled_hits")) == (3.5, 2)
    assert (_shown("stream_bytes"), _shown("stream_bound_bytes")) == (1_000, 5_000)
    assert _shown("disk_reserve_bytes") == 100 < _shown("disk_free_bytes")
    assert (_shown("lost_hits"), _shown("damaged_files"), _shown("salts_overdue")) == (0, 0, 0)
    assert _shown("checked_timestamp_seconds") == CLOCK.now() / SECOND


@pytest.mark.parametrize("changed", [{"in_lake": 4}, {"settled": 6}, {"lost_behind": {"p": 3}}], ids=str)
def test_a_sum_that_does_not_hold(tmp_path: Path, registry: SqliteRegistry, changed: dict[str, Any]) -> None:
    """It is told, whichever it is."""
    _stock(tmp_path, registry, lambda: Status(**GOOD | changed)).take()
    assert _shown("sums_off") == 1


def test_losses(tmp_path: Path, registry: SqliteRegistry) -> None:
    """What is lost or damaged is counted."""
    _stock(tmp_path, registry, lambda: Status(**GOOD | {"missed": 3, "damaged": ["a", "b"]})).take()
    assert (_shown("lost_hits"), _shown("damaged_files")) == (3, 2)


def test_the_lake_is_away(tmp_path: Path, registry: SqliteRegistry) -> None:
    """What waits is told by the stream alone; that nobody has seen the sums is told by a time that stands still.

    Also if nobody ever has: without that time there would be nothing to alert on.
    """

    def away() -> Status:
        raise LakeUnavailable("away")

    later = FakeClock(CLOCK.now())
    stock = _stock(tmp_path, registry, away, later)
    later.advance(600)
    with pytest.raises(LakeUnavailable):
        stock.take()
    assert (_shown("unsettled_hits"), _shown("lag_seconds")) == (5, 640.0)
    assert _shown("checked_timestamp_seconds") == CLOCK.now() / SECOND


def test_salts_overdue(tmp_path: Path, registry: SqliteRegistry) -> None:
    """A salt that nobody destroys is told some hours after it was due, and no longer once it is destroyed."""
    later = FakeClock(CLOCK.now())
    stock = _stock(tmp_path, registry, lambda: Status(**GOOD), later)
    later.advance((2 * 24 + 16) * 3_600)  # the day's end in the last zone, and its retention
    stock.take()
    assert _shown("salts_overdue") == 0
    later.advance(6 * 3_600)
    stock.take()
    assert _shown("salts_overdue") == 1
    registry.destroy_salts(later.now() - 7_200 * SECOND)
    registry.destroy_salts(later.now())
    stock.take()
    assert _shown("salts_overdue") == 0


def test_sinks() -> None:
    """How far each sink is."""
    tell(
        [
            Health("live", attached=True, waiting=0, oldest=None, error=""),
            Health("lake", attached=False, waiting=12, oldest=CLOCK.now() - 8 * SECOND, error="away"),
        ],
        CLOCK,
    )
    assert (_shown("sink_lag_seconds", sink="live"), _shown("sink_lag_seconds", sink="lake")) == (0.0, 8.0)
    assert (_shown("sink_waiting_rows", sink="lake"), _shown("sink_detached", sink="lake")) == (12, 1)
    assert _shown("sink_detached", sink="live") == 0
