"""Tests of `pixelake.operate.report.places`."""

import pytest

from pixelake.operate.report.places import country

CODES = {
    "a country": ("DE", "Germany"),
    "with a letter that is not ASCII": ("AX", "Åland Islands"),
    "no code": ("XX", "XX"),
    "a stranger's text": ("<b>", "<b>"),
    "nothing": (None, None),
}


@pytest.mark.parametrize(("code", "name"), CODES.values(), ids=CODES.keys())
def test_country(code: str | None, name: str | None) -> None:
    """A code that ISO 3166 has becomes its short English name; all else stays what it was."""
    assert country(code) == name
