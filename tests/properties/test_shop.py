"""Goals, revenue, funnels, carts and cohorts are those that plain Python finds in the same facts."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from pixelake.registry.goals import Goal
from pixelake.warehouse.rollup.build import Builder
from tests.properties.shoppers import DAY, HOUR, MINUTE, Act, Asked, World, rounded, worlds
from tests.properties.visiting import visits

PASSES: dict[str, Callable[[Act], bool]] = {
    "event is pageview": lambda act: act.event == "pageview",
    "event is add_to_cart": lambda act: act.event == "add_to_cart",
    "event is purchase": lambda act: act.event == "purchase",
    "path is /a": lambda act: act.path == "/a",
    "path contains /": lambda act: act.path is not None,
    "path is": lambda act: act.path is None,
    "event not in signup, purchase": lambda act: act.event not in {"signup", "purchase"},
}
FEW = settings(max_examples=12, deadline=None)


@contextmanager
def asked(world: World, **declared: Any) -> Iterator[Asked]:
    """The lake of a world."""
    with tempfile.TemporaryDirectory() as folder:
        found = Asked(world, Path(folder) / "lake", declared)
        try:
            yield found
        finally:
            found.close()


def without(rows: Sequence[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Rows without some columns."""
    return rounded({name: value for name, value in row.items() if name not in names} for row in rows)


# --- revenue


@FEW
@given(worlds(), st.sampled_from(["purchase", "add_to_cart", "nothing"]))
def test_revenue(world: World, name: str) -> None:
    """Amounts of a currency add up exactly, as decimals do, and those of two never."""
    sold = [act for act in world.hits() if act.event == name and act.value is not None]
    expected = []
    for currency in {act.currency for act in sold}:
        its = [act for act in sold if act.currency == currency]
        total = sum((act.value or Decimal() for act in its), Decimal())
        expected.append(
            {
                "currency": currency,
                "revenue": total.quantize(Decimal("0.000001")),
                "orders": len(its),
                "average": float(total) / len(its),
                "daily_visitors": len({(world.day(act), act.person) for act in its}),
            }
        )
    with asked(world) as lake:
        assert without(lake.ask("revenue", event=name), "visitors") == rounded(expected)


# --- goals


GOALS = {"one": (Goal("buy", ("event is purchase",), "2.5"), Goal("look", ("path is /a", "event is pageview")))}


def goals_of(act: Act) -> list[str]:
    """Which goals an act reaches."""
    if act.site != "one":
        return [] if act.event == "pageview" else [act.event]
    names = ["buy"] if act.event == "purchase" else []
    return names + (["look"] if act.event == "pageview" and act.path == "/a" else [])


@FEW
@given(worlds())
def test_goals(world: World) -> None:
    """Declared goals, or all events but views, are counted by hit, by visit and by person of a day."""
    hits, walked = world.hits(), visits(world)
    inside = Counter(
        name for visit in walked for name in {n for act in visit if world.passes(act) for n in goals_of(act)}
    )
    reached = Counter(name for act in hits for name in goals_of(act))
    bought = sum(act.site == "one" and act.event == "purchase" for act in hits)
    declared = {goal.name for goal in GOALS["one"]}
    expected = [
        {
            "value": name,
            "conversions": reached[name],
            "visits": inside[name],
            "rate": inside[name] / len(walked) if walked else None,
            "daily_visitors": len({(world.day(act), act.person) for act in hits if name in goals_of(act)}),
            "worth": Decimal("2.5") * bought if name == "buy" and bought else None,
        }
        for name in declared | set(reached) | set(inside)
    ]
    with asked(world, goals=GOALS) as lake:
        assert without(lake.ask("goals"), "visitors") == rounded(expected)


# --- funnels


def way(world: World, acts: Sequence[Act], steps: Sequence[str], window: timedelta) -> list[datetime]:
    """The times of the way of one person that counts, found by trying all of them."""
    for length in range(len(steps), 0, -1):
        ways = [
            some
            for some in combinations(acts, length)
            if world.start <= some[0].at < world.end
            and some[-1].at - some[0].at <= window
            and all(PASSES[step](act) for step, act in zip(steps, some, strict=False))
        ]
        if ways:
            first = min(some[-1].order for some in ways)
            return max([act.at for act in some] for some in ways if some[-1].order == first)
    return []


@FEW
@given(worlds(), st.lists(st.sampled_from(sorted(PASSES)), min_size=2, max_size=3), st.sampled_from([1, 24, 100]))
def test_funnel(world: World, steps: list[str], hours: int) -> None:
    """Each person is where the best of all possible ways ends, and the median is over the ways that count."""
    window = hours * HOUR
    people = world.followed(world.start, world.end + window)
    ways = {person: found for person, acts in people.items() if (found := way(world, acts, steps, window))}
    counts = [sum(len(found) >= number for found in ways.values()) for number in range(1, len(steps) + 1)]
    expected = []
    for number, step in enumerate(steps, 1):
        came, last = counts[number - 1], number == len(steps)
        lost = None if last else came - counts[number]
        took = [
            (found[number - 1] - found[number - 2]).total_seconds() for found in ways.values() if len(found) >= number
        ]
        expected.append(
            {
                "step": number,
                "name": step,
                "people": came,
                "anonymous": sum(len(found) >= number for (_, day), found in ways.items() if day is not None),
                "share": came / counts[0] if counts[0] else None,
                "lost": lost,
                "lost_share": None if lost is None or not came else lost / came,
                "seconds": float(median(took)) if took and number > 1 else None,
            }
        )
    with asked(world) as lake:
        assert rounded(lake.ask("funnel", steps=steps, window=hours)) == rounded(expected)


# --- carts


class Cart:
    """What one person put in, and what became of it."""

    def __init__(self, acts: Sequence[Act], everything: Sequence[Act], window: timedelta) -> None:
        begun = acts[0].at
        acts = [act for act in acts if act.at - begun <= DAY]
        self.begun, self.put = begun, [act for act in acts if act.event == "add_to_cart"]
        last = self.put[-1].at
        self.is_ordered = acts[-1].event == "purchase"
        seen = [a for a in everything if a.event == "pageview" and a.page and begun <= a.at <= last + window]
        self.page = seen[-1].page if seen else next((act.page for act in reversed(self.put) if act.page), None)
        self.amounts: dict[str | None, Decimal] = defaultdict(Decimal)
        for act in self.put:
            if act.value is not None:
                self.amounts[act.currency] += act.value


def carts_of(acts: Sequence[Act], window: timedelta) -> Iterator[Cart]:
    """The carts of one person, one after the other."""
    cart: list[Act] = []
    for act in acts:
        if act.event not in {"add_to_cart", "purchase"}:
            continue
        goes_on = bool(cart) and act.at - cart[-1].at <= window
        if cart and not goes_on:
            yield Cart(cart, acts, window)
            cart = []
        if act.event == "add_to_cart":
            cart.append(act)
        elif goes_on:
            yield Cart([*cart, act], acts, window)
            cart = []
    if cart:
        yield Cart(cart, acts, window)


def counted(value: str | None, carts: Sequence[Cart], only: Any = ...) -> dict[str, Any]:
    """A row of carts."""
    left: dict[str | None, Decimal] = defaultdict(Decimal)
    for cart in carts:
        for currency, amount in cart.amounts.items():
            if not cart.is_ordered and only in (..., currency):
                left[currency] += amount
    abandoned = sum(not cart.is_ordered for cart in carts)
    (currency, amount) = next(iter(left.items())) if len(left) == 1 else (None, None)
    return {
        "value": value,
        "carts": len(carts),
        "ordered": len(carts) - abandoned,
        "abandoned": abandoned,
        "still_open": 0,
        "rate": abandoned / len(carts),
        "value_left": amount,
        "currency": currency,
    }


@FEW
@given(worlds(), st.sampled_from([10, 60, 1440]))
def test_carts(world: World, minutes: int) -> None:
    """A cart belongs to one person and one time, and is abandoned where no order follows in time."""
    window = minutes * MINUTE
    found = [
        cart
        for acts in world.followed(world.start - window, world.end + DAY).values()
        for cart in carts_of(acts, window)
        if world.start <= cart.begun < world.end
    ]
    pages = {cart.page for cart in found}
    currencies = {currency for cart in found for currency in cart.amounts or {None: Decimal()}}
    with asked(world) as lake:
        assert rounded(lake.ask("carts", window=minutes)) == rounded([counted("all", found)] if found else [])
        assert rounded(lake.ask("carts", window=minutes, by="page")) == rounded(
            counted(page, [cart for cart in found if cart.page == page]) for page in pages
        )
        assert rounded(lake.ask("carts", window=minutes, by="currency")) == rounded(
            counted(each, [cart for cart in found if each in (cart.amounts or {None: Decimal()})], each)
            for each in currencies
        )


# --- cohorts


def bucket(day: date, by: str) -> date:
    """The Monday, or the first, of a day."""
    return day.replace(day=1) if by == "month" else day - timedelta(days=day.weekday())


def after(first: date, number: int, by: str) -> date:
    """So many weeks or months later."""
    if by == "week":
        return first + 7 * DAY * number
    months = first.year * 12 + first.month - 1 + number
    return date(months // 12, months % 12 + 1, 1)


@FEW
@given(worlds(), st.sampled_from(["week", "month"]), st.sampled_from([None, "UTC", "Asia/Kolkata"]))
def test_cohorts(world: World, by: str, zone: str | None) -> None:
    """Users are of the week of their first event ever, and back in those in which they did something."""

    def day_of(act: Act) -> date:
        return act.at.astimezone(ZoneInfo(zone or world.zones[act.site])).date()

    clock = ZoneInfo(zone or (world.zones[world.site] if world.site else "UTC"))
    until = world.end.astimezone(clock).date()
    newest = bucket((world.end - timedelta(microseconds=1)).astimezone(clock).date(), by)
    known = [act for act in world.people() if act.user and world.passes(act) and act.at < world.end]
    firsts: dict[Any, Act] = {}
    for act in known:
        firsts.setdefault(act.person, act)
    cohorts: dict[date, set[Any]] = defaultdict(set)
    for person, act in firsts.items():
        if act.at >= world.start:
            cohorts[bucket(day_of(act), by)].add(person)
    newest = max([newest, *(bucket(day_of(act), by) for act in known)])
    hits = world.hits()
    expected: list[dict[str, Any]] = []
    for cohort, people in cohorts.items():
        number = 0
        while (begin := after(cohort, number, by)) <= newest:
            there = [act for act in known if act.person in people and bucket(day_of(act), by) == begin]
            expected.append(
                {
                    "cohort": cohort,
                    "number": number,
                    "people": len({act.person for act in there}),
                    "size": len(people),
                    "retention": len({act.person for act in there}) / len(people),
                    "whole": after(cohort, number + 1, by) <= until,
                    "hits": len(there),
                    "hits_share": len(there) / len(hits),
                }
            )
            number += 1
    anonymous = sum(not act.user for act in hits)
    if anonymous:
        nobody = dict.fromkeys(["cohort", "number", "people", "size", "retention", "whole"])
        expected.append({**nobody, "hits": anonymous, "hits_share": anonymous / len(hits)})
    with asked(world) as lake:
        rows = lake.ask("cohorts", by=by, zone=zone)
        assert [row["why"] is None for row in rows] == [row["cohort"] is not None for row in rows]
        assert without(rows, "why") == rounded(expected)


# --- counted beforehand


@settings(max_examples=4, deadline=None)
@given(worlds())
def test_roll_ups_say_the_same(world: World) -> None:
    """What is counted or kept beforehand gives the same goals and revenue as rows."""
    with asked(world, goals=GOALS) as lake:
        rows = [rounded(lake.ask(name)) for name in ("goals", "revenue")]
        if world.acts:
            Builder(lake.folder, lake.clocks).run()
        assert [rounded(lake.ask(name)) for name in ("goals", "revenue")] == rows
