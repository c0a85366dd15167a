"""Numbers, dates and names as a report writes them."""

from datetime import datetime

import pytest

from pixelake.operate.report import words
from tests.operate.report.made import NAUGHTY, report

NUMBERS = {
    "a count": (1_234_567.0, "count", "1,234,567"),
    "nothing": (None, "count", "\N{EN DASH}"),
    "nought": (0, "count", "0"),
    "a share": (0.4956, "share", "50%"),
    "a ratio": (2.1735, "ratio", "2.2"),
    "seconds": (59.4, "seconds", "59s"),
    "minutes": (191.6, "seconds", "3m 12s"),
    "hours": (3_725, "seconds", "1h 02m"),
}


@pytest.mark.parametrize(("value", "unit", "told"), NUMBERS.values(), ids=NUMBERS.keys())
def test_numbers(value: float | None, unit: str, told: str) -> None:
    """They are grouped, rounded, and have their unit."""
    assert words.number(value, unit) == told


CHANGES = {"up": (0.123, "+12%"), "down": (-0.5, "\N{MINUS SIGN}50%"), "none": (0.001, "±0%")} | {
    "not known": (None, ""),
    "many times": (11.0, "\N{MULTIPLICATION SIGN}12"),
}


@pytest.mark.parametrize(("share", "told"), CHANGES.values(), ids=CHANGES.keys())
def test_changes(share: float | None, told: str) -> None:
    """A change has a sign; one that is huge is told as a factor."""
    assert words.change(share) == told


SPANS = {
    "a month": ("2026-10-01", "2026-11-01", "October 2026"),
    "months": ("2025-12-01", "2026-03-01", "December 2025 to February 2026"),
    "a year": ("2026-01-01", "2027-01-01", "2026"),
    "a day": ("2026-11-16", "2026-11-17", "Monday, 16 Nov 2026"),
    "a week": ("2026-11-09", "2026-11-16", "9 to 15 Nov 2026"),
    "over a month's end": ("2026-10-26", "2026-11-02", "26 Oct 2026 to 1 Nov 2026"),
    "today": ("2026-11-16", "2026-11-16T14:05", "16 Nov 2026, 00:00 to 14:05"),
    "up to now": ("2026-11-09", "2026-11-16T14:05", "9 Nov 2026 to 16 Nov 2026, 14:05"),
    "an evening": ("2026-11-16T22:00", "2026-11-17", "16 Nov 2026, 22:00 to 24:00"),
}


@pytest.mark.parametrize(("begins", "ends", "told"), SPANS.values(), ids=SPANS.keys())
def test_periods(begins: str, ends: str, told: str) -> None:
    """A period is told as shortly as it can be, and its last day is one of it."""
    assert words.span(datetime.fromisoformat(begins), datetime.fromisoformat(ends)) == told


@pytest.mark.parametrize("text", NAUGHTY, ids=range(len(NAUGHTY)))
def test_names_are_text_on_one_line(text: str) -> None:
    """Whatever was sent, what is shown has no control character, turns nothing around, and is not endless."""
    shown = words.name(text, "none")
    assert len(shown) <= words.LONGEST + 1
    assert not set(shown) & set("\x00\x07\x1b\r\n\u202e\u202d\u2066\u2069\u200b\ufeff\ud800")
    shown.encode()


def test_what_is_cut_off_or_missing_shows() -> None:
    """A long name ends with an ellipsis; what cannot be seen is written out; no name has a name."""
    assert words.name("x" * 161, "none") == "x" * 160 + "…"
    assert words.name("a\u202eb", "none") == "a\\u202eb"
    assert words.name(None, "none: direct") == "none: direct"


def test_the_site_is_left_out_of_its_pages() -> None:
    """The host of a page is not told again if it is the site; another host is."""
    assert words.page_name("shop.example/a", "shop.example", "") == "/a"
    assert words.page_name("shop.example.org/a", "shop.example", "") == "shop.example.org/a"
    assert words.page_name("shop.example", "shop.example", "") == "shop.example"


FILES = {
    "a host": ("shop.example", "report-shop-example-2026-11-09.html"),
    "a way out": ("../../etc/passwd", "report-etc-passwd-2026-11-09.html"),
    "hidden": (".ssh", "report-ssh-2026-11-09.html"),
    "no letters": ("/\0日本", "report-site-2026-11-09.html"),
    "long": ("a" * 500, f"report-{'a' * 60}-2026-11-09.html"),
    "all": (None, "report-all-sites-2026-11-09.html"),
}


@pytest.mark.parametrize(("site", "told"), FILES.values(), ids=FILES.keys())
def test_the_name_of_a_site_makes_no_path(site: str | None, told: str) -> None:
    """Of it only letters and digits stand in the name of a file."""
    assert words.file_name(report(site=site), "html") == told


def test_a_sum_that_does_not_hold_says_so() -> None:
    """Both sums are added up anew for the report."""
    sound, broken = report(), report(sums={**report().sums, "in_stream": 0})
    assert [holds for _, holds in words.sums_of(sound)] == [True, True]
    assert [holds for _, holds in words.sums_of(broken)] == [False, True]
    assert words.sums_of(report(sums={})) == []
