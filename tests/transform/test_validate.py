"""Texts become typed values, or faults."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pixelake.transform.validate import AT, unknown_site, validate

VALUES = {
    "whole": ("5", "5"),
    "signed": ("-0.5", "-0.5"),
    "spaces around": (" 5.10 ", "5.1"),
    "the smallest": ("0.000001", "0.000001"),
    "the largest": ("999999999999.999999", "999999999999.999999"),
    "an exponent": ("1.5e3", "1500"),
    "zeros behind": ("1." + "0" * 30, "1"),
    "no zero before": (".5", "0.5"),
}


@pytest.mark.parametrize(("sent", "expected"), VALUES.values(), ids=VALUES.keys())
def test_numbers(sent: str, expected: str) -> None:
    """A value is exactly what was sent."""
    row, _, faults = validate({"value": [sent]}, 100)
    assert faults == []
    assert row[AT["value"]] == Decimal(expected)


@pytest.mark.parametrize(
    "sent",
    ["x", "1,5", "1e99", "NaN", "Infinity", "0.0000001", "1000000000000", "0x10", "1_000", "١٢", "--1", "1" * 99],
)
def test_bad_numbers(sent: str) -> None:
    """What is no number, too large, or would have to be rounded is a fault."""
    row, _, faults = validate({"value": [sent]}, 100)
    assert [fault.reason for fault in faults] == ["bad_number"]
    assert row[AT["value"]] is None


TIMES = {
    "seconds": ("1770757200", 0),
    "milliseconds": ("1770757200123", 123_000),
    "microseconds": ("1770757200123456", 123_456),
    "ISO": ("2026-02-10T21:00:00Z", 0),
    "ISO with an offset": ("2026-02-10T22:00:00.5+01:00", 500_000),
    "ISO without a zone": ("2026-02-10 21:00:00", 0),
}


@pytest.mark.parametrize(("sent", "micros"), TIMES.values(), ids=TIMES.keys())
def test_times(sent: str, micros: int) -> None:
    """A moment may be written in the usual ways."""
    row, _, faults = validate({"sent_at": [sent]}, 100)
    assert faults == []
    assert row[AT["sent_at"]] == int(datetime(2026, 2, 10, 21, tzinfo=UTC).timestamp()) * 1_000_000 + micros


@pytest.mark.parametrize("sent", ["now", "12", "9" * 30, "2026-13-01", "0001-01-01T00:00:00+14:00", "1600-01-01"])
def test_bad_times(sent: str) -> None:
    """What cannot be read, or lies outside all reason, is a fault."""
    assert [fault.reason for fault in validate({"sent_at": [sent]}, 100)[2]] == ["bad_time"]


def test_nothing_is_less_than_nothing() -> None:
    """-0 is 0: enrichers run once for equal inputs, and must not see now the one and now the other."""
    assert str(validate({"value": ["-0.0"]}, 100)[0][AT["value"]]) == "0.000000"


@pytest.mark.parametrize(
    ("sent", "site"), [("Shop.Example", "shop.example"), (" a_b-c ", "a_b-c"), ("müller.de", "müller.de")]
)
def test_sites(sent: str, site: str) -> None:
    """A site is a host name or a slug, in lower case."""
    assert validate({"site": [sent]}, 100)[0][AT["site"]] == site


@pytest.mark.parametrize("sent", ["<script>", "a b", "a/b", "../a", "\x00", "x" * 254, "💥"])
def test_bad_sites(sent: str) -> None:
    """Anything else is a fault."""
    assert [fault.reason for fault in validate({"site": [sent]}, 1_000)[2]] == ["bad_site"]


def test_currency() -> None:
    """Three letters, in capitals."""
    assert validate({"currency": ["eur"]}, 100)[0][AT["currency"]] == "EUR"
    assert [fault.reason for fault in validate({"currency": ["€"]}, 100)[2]] == ["bad_currency"]
    for code in ("USD", " jpy ", "XCG", "BGN"):
        assert validate({"currency": [code]}, 100)[2] == []
    for code in ("ABC", "EURO", "", "e"):
        assert len(validate({"currency": [code]}, 100)[2]) == bool(code)


def test_a_whole_url_for_a_site_is_told_without_its_query() -> None:
    """`detail` is kept: neither what the page was asked with is in it, nor who asked."""
    (fault,) = validate({"site": ["https://u:p@a.example/b?id=7#x"]}, 1_000)[2]
    assert fault.text.startswith("'a.example/b' is")


def test_unknown_site() -> None:
    """Where sites are closed, one that nobody declared is a fault, told in few letters."""
    assert unknown_site("a", None) is None
    assert unknown_site("a", {"a": 1}) is None
    fault = unknown_site("b" * 253, {"a": 1})
    assert fault
    assert (fault.reason, fault.field, len(fault.text) < 200) == ("unknown_site", "site", True)


def test_all_faults_at_once() -> None:
    """An element tells everything that is wrong with it."""
    sent = {"site": ["<"], "value": ["x"], "currency": ["1"], "sent_at": ["x"], "title": ["y" * 11], "p": ["z" * 12]}
    faults = validate({name: list(texts) for name, texts in sent.items()}, 10)[2]
    assert [(fault.reason, fault.field) for fault in faults] == [
        ("too_long", "title"),
        ("too_long", "p"),
        ("bad_site", "site"),
        ("bad_number", "value"),
        ("bad_currency", "currency"),
        ("bad_time", "sent_at"),
    ]


def test_a_long_name_is_a_fault_too() -> None:
    """Its text is cut in the fault."""
    (fault,) = validate({"n" * 200: ["1"]}, 100)[2]
    assert (fault.reason, len(fault.field)) == ("too_long", 80)


def test_repeated_and_empty_values() -> None:
    """Of a repeated name the first value fills the column and all are kept; an empty text is none."""
    row, properties, faults = validate({"title": ["a", "b"], "event": [""], "x": [], "y": ["1", "1"]}, 100)
    assert faults == []
    assert row[AT["title"]] == "a"
    assert row[AT["event"]] is None
    assert properties == {"title": ["a", "b"], "x": [], "y": ["1", "1"]}
