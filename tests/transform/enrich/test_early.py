"""What came too soon behind a mail."""

import pytest

from pixelake.transform.enrich.early import NAME, early, is_early
from tests.judging import AT
from tests.work import growth

SECOND = 1_000_000
EPOCH = AT // SECOND

SENT = {
    "a second before, in seconds": (str(EPOCH - 1), True),
    "five seconds before, in ms": (str((EPOCH - 5) * 1_000), True),
    "in µs": (str(AT - 5 * SECOND), True),
    "a little longer before": (str(AT - 5 * SECOND - 1), False),
    "by a clock that is a little ahead": (str(EPOCH + 4), True),
    "by a clock that is far ahead": (str(EPOCH + 600), False),
    "in text": ("2026-02-10T20:59:58Z", True),
    "in text, in another zone": ("2026-02-10T21:59:58.5+01:00", True),
    "in text, an hour before": ("2026-02-10T19:59:58Z", False),
    "nonsense": ("{{sent}}", False),
    "nothing": ("", False),
    "a year that no clock has": ("0001-01-01T00:00:00+14:00", False),
    "digits of another script": ("\u0661" * 10, False),
    "too many digits": ("9" * 30, False),
}


@pytest.mark.parametrize(("sent", "expected"), SENT.values(), ids=SENT.keys())
def test_within_seconds(sent: str, expected: bool) -> None:
    """Within five seconds of sending, either way, however the time is written."""
    assert is_early([AT], [{NAME: [sent]}]) == [expected]


def test_rows() -> None:
    """Each row for itself; what no mail sent is never too soon."""
    said = [{}, {NAME: [str(EPOCH)]}, {NAME: []}, {"other": [str(EPOCH)]}, {NAME: ["x", str(EPOCH)]}]
    assert is_early([AT] * 5, said) == [False, True, False, False, False]


def test_a_scanner() -> None:
    """It is one if nothing better is known of it."""
    assert early(True, bot=False, proxy=None) == ("scanner",)
    assert early(True, bot=False, proxy="apple-mpp") == ("apple-mpp",)
    assert early(True, bot=True, proxy=None) == (None,)
    assert early(False, bot=False, proxy=None) == (None,)


@pytest.mark.parametrize("run", ["1", "2026-", "T", "\u0661"])
def test_long_ones_take_no_longer(run: str) -> None:
    """Only the beginning is looked at."""
    assert growth(lambda text: is_early([AT], [{NAME: [text]}]), run) < 4
