"""Names of countries, as the time zone database has them: short English ones, by ISO 3166 codes."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


def country(code: str | None) -> str | None:
    """The name of a country; what is no code of one stays as it is."""
    return None if code is None else _names().get(code, code)


@cache
def _names() -> Mapping[str, str]:
    text = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return dict(each for each in rows if len(each) == 2)
