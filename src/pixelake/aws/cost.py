"""What a design costs in a month: what `pixelake.aws.cost_lines` counts, at the prices of `pixelake.aws.prices`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pixelake.aws.cost_inputs import Inputs
from pixelake.aws.cost_lines import DESIGNS, Line, Load
from pixelake.aws.prices import prices

CLAIMS: Final[Mapping[str, tuple[str, float]]] = {
    "firehose": ("$50 for 30 million", 50 / 30),
    "queue": ("under $1 a million", 1.0),
}
"""What was published of such a design, and that in dollars a million."""


class Item(NamedTuple):
    """A line with its price.

    Attributes:
        name: what for.
        units: how many, in a month.
        unit: of what.
        fixed: whether it is there without any hit.
        dollars: by the list.
        free: of these, what an account has free for ever.
    """

    name: str
    units: float
    unit: str
    fixed: bool
    dollars: float
    free: float


class Bill(NamedTuple):
    """Of a month.

    Attributes:
        design: whose.
        events: of the month.
        items: what it is for; none is nothing.
    """

    design: str
    events: float
    items: Sequence[Item]

    @property
    def dollars(self) -> float:
        """By the list."""
        return sum(item.dollars for item in self.items)

    @property
    def free(self) -> float:
        """What the free tier takes off, if nothing else of the account uses it."""
        return sum(item.free for item in self.items)

    @property
    def fixed(self) -> float:
        """What is there without any hit, by the list."""
        return sum(item.dollars for item in self.items if item.fixed)

    @property
    def a_million(self) -> float | None:
        """Of all of it by the list, a million events; none without events."""
        return self.dollars / self.events * 1e6 if self.events else None


def bill(design: str, events: float, of: Inputs) -> Bill:
    """What a month of so many events costs in a design of `DESIGNS`."""
    lines = [line for line in DESIGNS[design](Load(events, of)) if line.units > 0]
    return Bill(design, events, list(_priced(lines)))


def _priced(lines: Sequence[Line]) -> Iterator[Item]:
    """Each line begins where the one before it with that price ended, in its steps as in what is free."""
    so_far: dict[str, float] = {}
    for line in lines:
        price, before = prices().of[line.price], so_far.get(line.price, 0.0)
        so_far[line.price] = upto = before + line.units
        dollars = price.of(upto) - price.of(before)
        free = price.of(min(upto, price.free)) - price.of(min(before, price.free))
        yield Item(line.name, line.units, price.unit, line.fixed, dollars, free)


def as_json(bills: Sequence[Bill]) -> dict[str, Any]:
    """For programs."""
    told = prices()
    return {"prices": told.date, "region": told.region, "currency": "USD", "bills": [_bill(each) for each in bills]}


def _bill(of: Bill) -> dict[str, Any]:
    claim = CLAIMS.get(of.design)
    return {
        "topology": of.design,
        "events": of.events,
        "list": _cents(of.dollars),
        "fixed": _cents(of.fixed),
        "free": _cents(of.free),
        "a_million": None if of.a_million is None else _cents(of.a_million),
        "published": claim and {"said": claim[0], "a_million": _cents(claim[1])},
        "lines": [{**each._asdict(), "dollars": _cents(each.dollars), "free": _cents(each.free)} for each in of.items],
    }


def _cents(dollars: float) -> float:
    return round(dollars, 4)


def as_text(bills: Sequence[Bill], *, lines: bool) -> Iterator[str]:
    """For people: a table of the designs, and each line of them if asked for."""
    told = prices()
    yield f"Dollars a month in {told.region}, list prices of {told.date}. Free: what an account has free for ever."
    if lines:
        for each in bills:
            yield from ("", *_lines(each))
    yield ""
    yield f"{'topology':<14} {'list':>12} {'fixed':>10} {'free':>10} {'to pay':>12} {'a million':>11}  published"
    for each in bills:
        yield _summary(each)


def _summary(of: Bill) -> str:
    claim = CLAIMS.get(of.design)
    said = f"{claim[0]}: {claim[1]:.2f} a million" if claim else "-"
    million = "-" if of.a_million is None else f"{of.a_million:.4f}"
    sums = f"{of.dollars:>12,.2f} {of.fixed:>10,.2f} {of.free:>10,.2f} {of.dollars - of.free:>12,.2f}"
    return f"{of.design:<14} {sums} {million:>11}  {said}"


def _lines(of: Bill) -> Iterator[str]:
    yield f"{of.design}, {of.events:,.0f} events: {(DESIGNS[of.design].__doc__ or '').strip()}"
    for item in of.items:
        mark = "fixed" if item.fixed else ""
        yield f"  {item.name:<34} {item.dollars:>10,.2f} {item.free:>8,.2f} {mark:<6} {item.units:>20,.1f}  {item.unit}"
