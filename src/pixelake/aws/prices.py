"""List prices of AWS, from one dated file (``prices.toml``)."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

_FILE: Final = "prices.toml"


class Price(NamedTuple):
    """What units of something cost in a month.

    Attributes:
        unit: what is counted.
        per: how many of it a price is for.
        steps: up to which number a month, and the price; the last has no end.
        free: units a month that cost an account nothing, for ever.
        source: the page that says so.
        seen: when it did.
        quoted: another page that says the same, and its month; empty: it was not read again.
    """

    unit: str
    per: float
    steps: Sequence[tuple[float, float]]
    source: str
    seen: str
    free: float = 0.0
    quoted: str = ""

    def of(self, units: float) -> float:
        """Dollars of so many units in a month, without what is free."""
        total, below = 0.0, 0.0
        for upto, price in self.steps:
            total += max(0.0, min(units, upto) - below) * price / self.per
            below = upto
        return total


class Prices(NamedTuple):
    """All of them.

    Attributes:
        date: of the file.
        region: whose prices these are.
        of: by their names.
    """

    date: str
    region: str
    of: Mapping[str, Price]


@cache
def prices() -> Prices:
    """What the file says."""
    told = tomllib.loads(resources.files("pixelake.aws").joinpath(_FILE).read_text("utf-8"))
    date, region = told.pop("date"), told.pop("region")
    found = {
        name: Price(**{**each, "steps": [(upto, price) for upto, price in each["steps"]]})
        for name, each in told.items()
    }
    return Prices(date, region, found)
