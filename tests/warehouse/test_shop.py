"""The questions of a shop against small cases worked by hand: the arithmetic stands beside each."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pixelake.errors import QueryError
from pixelake.registry.goals import Funnel, Goal
from pixelake.warehouse import filters
from pixelake.warehouse.shop import declarable
from tests.warehouse.shops import END, Opened, act, buy, picked, put

Shop = Callable[..., Opened]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Opens a shop in which this happened; with goals and funnels, if any are declared."""
    opened: list[Opened] = []

    def make(*acts: Mapping[str, Any], **declared: Any) -> Opened:
        opened.append(Opened(tmp_path / f"lake{len(opened)}", acts, declared))
        return opened[-1]

    yield make
    for each in opened:
        each.lakehouse.close()


# --- revenue


def test_currencies_are_not_added(shop: Shop) -> None:
    """10.10 + 0.20 = 10.30 EUR of two orders, 5.15 each; the 7 USD stand apart, and so do 3 of no currency."""
    ask = shop(buy("a", 0, "10.10"), buy("b", 1, "0.20"), buy("a", 2, "7", "USD"), buy("a", 3, "3", None))
    assert picked(ask("revenue"), "currency", "revenue", "orders", "average", "daily_visitors") == [
        ("EUR", Decimal("10.30"), 2, 5.15, 2),
        ("USD", Decimal(7), 1, 7.0, 1),
        (None, Decimal(3), 1, 3.0, 1),
    ]


def test_amounts_are_exact(shop: Shop) -> None:
    """Ten times 0.1 are 1, and 999999999999.999999 twice are 1999999999999.999998: no float adds so."""
    small, large = [buy("a", at, "0.1") for at in range(10)], [buy("a", 20, "999999999999.999999", "JPY")] * 2
    assert picked(shop(*small, *large)("revenue"), "revenue") == [
        (Decimal("1999999999999.999998"),),
        (Decimal(1),),
    ]


def test_an_order_has_a_value(shop: Shop) -> None:
    """Of two purchases one says no amount: 1 order of 4 EUR. A return of -1 is one more: 3 EUR in 2 orders."""
    assert picked(shop(buy("a", 0, "4"), buy("a", 1))("revenue"), "revenue", "orders") == [(Decimal(4), 1)]
    assert picked(shop(buy("a", 0, "4"), buy("a", 1, "-1"))("revenue"), "revenue", "orders") == [(Decimal(3), 2)]


def test_another_event_earns(shop: Shop) -> None:
    """With `event` it is the values of that event: one donation of 5, and not the purchase of 9."""
    ask = shop(buy("a", 0, "9"), act("a", 1, "donate", value=Decimal(5), currency="EUR"))
    assert picked(ask("revenue", event="donate"), "revenue") == [(Decimal(5),)]


# --- goals


def test_goals_of_a_site(shop: Shop) -> None:
    """Visits of a, b and c. `order` was reached twice in the one of a: 2 conversions, 1 of 3 visits, worth 2 x 2.50."""
    goals = {"shop": (Goal("order", ("event is purchase",), "2.5"), Goal("thanks", ("path contains /thanks",)))}
    ask = shop(buy("a", 0), buy("a", 5), act("b", 0, path="/thanks/you"), act("c", 0), goals=goals)
    assert picked(ask("goals"), "value", "conversions", "visits", "rate", "daily_visitors", "worth") == [
        ("order", 2, 1, 1 / 3, 1, Decimal(5)),
        ("thanks", 1, 1, 1 / 3, 1, None),
    ]


def test_a_goal_has_several_filters(shop: Shop) -> None:
    """All of them must pass: of two purchases one is from Germany."""
    goals = {"shop": (Goal("order", ("event is purchase", "country in DE, AT")),)}
    ask = shop(buy("a", 0, country="DE"), buy("b", 0, country="FR"), goals=goals)
    assert picked(ask("goals"), "conversions", "visits", "rate") == [(1, 1, 0.5)]


def test_a_goal_that_nobody_reached(shop: Shop) -> None:
    """It is there, with 0 of 1 visit."""
    goals = {"shop": (Goal("order", ("event is purchase",)),)}
    assert picked(shop(act("a", 0), goals=goals)("goals"), "value", "conversions", "rate") == [("order", 0, 0.0)]


def test_sites_without_goals(shop: Shop) -> None:
    """There each event but a view is one; a site that declares some has only those, also when all are asked for."""
    other = {"site": "other"}
    goals = {"shop": (Goal("order", ("event is purchase",)),)}
    ask = shop(act("a", 0, "signup"), buy("a", 1), act("b", 0, "signup", **other), act("b", 1, **other), goals=goals)
    assert picked(ask("goals", site="other"), "value", "conversions") == [("signup", 1)]
    assert picked(ask("goals", site=None), "value", "conversions", "rate") == [("order", 1, 0.5), ("signup", 1, 0.5)]


def test_a_goal_behind_midnight(shop: Shop) -> None:
    """A visit from 23:50 reaches it at 00:05: the visit is of the first day, the conversion of the second."""
    late = act("monday", 710)
    early = buy("tuesday", 725, visitor_before="monday")
    ask = shop(late, early)
    assert picked(ask("goals"), "value", "conversions", "visits", "rate") == [("purchase", 0, 1, 1.0)]
    next_day = ask("goals", END, END + timedelta(days=1))
    assert picked(next_day, "value", "conversions", "visits", "rate") == [("purchase", 1, 0, None)]


def test_a_goal_that_cannot_be_looked_for(shop: Shop) -> None:
    """A column that is gone is named, with the goal."""
    goals = {"shop": (Goal("odd", ("plan is pro",)),)}
    with pytest.raises(QueryError, match="goal 'odd' of 'shop': there is no column 'plan'"):
        shop(act("a", 0), goals=goals)("goals")


# --- funnels

STEPS = ["path is /", "event is add_to_cart", "event is purchase"]


def test_drop_off(shop: Shop) -> None:
    """4 look, 3 of them put in, 1 of these orders: 4, 3/4, 1/4; lost 1 of 4, 2 of 3.

    From the step before: 1, 2 and 9 minutes, the median is 2; and 4 minutes to the order.
    """
    ask = shop(
        *(act(who, 0) for who in "abcd"),
        *(put("a", 1, path="/x"), put("b", 2, path="/x"), put("c", 9, path="/x"), buy("a", 5, path="/x")),
    )
    assert picked(ask("funnel", steps=STEPS), "step", "people", "share", "lost", "lost_share", "seconds") == [
        (1, 4, 1.0, 1, 0.25, None),
        (2, 3, 0.75, 2, 2 / 3, 120.0),
        (3, 1, 0.25, None, None, 240.0),
    ]


def test_steps_have_an_order(shop: Shop) -> None:
    """Who orders first and looks then has taken one step; what lies between steps does not matter."""
    ask = shop(buy("a", 0, path="/x"), put("a", 1, path="/x"), act("a", 2))
    assert picked(ask("funnel", steps=STEPS), "people") == [(1,), (0,), (0,)]
    ask = shop(act("a", 0), act("a", 1, path="/b"), put("a", 2, path="/x"), act("a", 3), buy("a", 4, path="/x"))
    assert picked(ask("funnel", steps=STEPS), "people", "seconds") == [(1, None), (1, 120.0), (1, 120.0)]


def test_one_event_is_one_step(shop: Shop) -> None:
    """Twice the same step takes two events."""
    twice = ["path is /", "path is /"]
    assert picked(shop(act("a", 0), act("b", 0), act("b", 1))("funnel", steps=twice), "people") == [(2,), (1,)]


def test_a_person_counts_once(shop: Shop) -> None:
    """On the way that goes furthest: a begins three times and orders once; b twice and never does."""
    ask = shop(
        *(act("a", 0), act("a", 10), put("a", 11, path="/x"), buy("a", 12, path="/x"), act("a", 20)),
        *(act("b", 0), put("b", 1, path="/x"), act("b", 5), put("b", 6, path="/x")),
    )
    assert picked(ask("funnel", steps=STEPS), "people", "seconds") == [(2, None), (2, 60.0), (1, 60.0)]


def test_the_window_is_from_the_first_step(shop: Shop) -> None:
    """0:00 -> 0:50 -> 1:10 is longer than an hour, though a later begin at 0:20 is not: 50 minutes to the end."""
    late = [put("a", 50, path="/x"), buy("a", 70, path="/x")]
    assert picked(shop(act("a", 0), *late)("funnel", steps=STEPS, window=1), "people") == [(1,), (1,), (0,)]
    rows = shop(act("a", 0), act("a", 20), *late)("funnel", steps=STEPS, window=1)
    assert picked(rows, "people", "seconds") == [(1, None), (1, 1800.0), (1, 1200.0)]


def test_a_funnel_ends_behind_the_period(shop: Shop) -> None:
    """A user begins at noon and orders 20 hours later, on the next day: within 24 hours, not within 12."""
    ask = shop(act("x", 0, user_id="u"), put("x", 1, path="/x", user_id="u"), buy("y", 1200, path="/x", user_id="u"))
    assert picked(ask("funnel", steps=STEPS), "people", "anonymous") == [(1, 0), (1, 0), (1, 0)]
    assert picked(ask("funnel", steps=STEPS, window=12), "people") == [(1,), (1,), (0,)]
    next_day = ask("funnel", END, END + timedelta(days=1), steps=STEPS)
    assert picked(next_day, "people", "share") == [(0, None), (0, None), (0, None)]


def test_visitors_over_midnight(shop: Shop) -> None:
    """Without a user_id, who was seen at 00:10 is the one of the evening; who comes at 08:00 is another person."""
    evening = [act("monday", 715), put("monday", 716, path="/x")]
    linked = [act("tuesday", 730, path="/b", visitor_before="monday"), buy("tuesday", 1200, path="/x")]
    assert picked(shop(*evening, *linked)("funnel", steps=STEPS), "people") == [(1,), (1,), (1,)]
    assert picked(shop(*evening, linked[1])("funnel", steps=STEPS), "people") == [(1,), (1,), (0,)]
    french = filters.Test("country", "is", ("FR",))  # a filter does not hide who it is
    abroad = [{**each, "country": "FR"} for each in (*evening, linked[1])]
    assert picked(shop(*abroad, linked[0])("funnel", steps=STEPS, passing=french), "people") == [(1,), (1,), (1,)]


def test_machines_take_no_steps(shop: Shop) -> None:
    """A bot that does all of it is nobody."""
    ask = shop(act("a", 0, bot=True), put("a", 1, bot=True, path="/x"), buy("a", 2, bot=True, path="/x"))
    assert picked(ask("funnel", steps=STEPS), "people") == [(0,), (0,), (0,)]


def test_a_declared_funnel(shop: Shop) -> None:
    """It is asked for by its name; a step may have several filters."""
    funnels = {"shop": (Funnel("order", (("path is /", "country is DE"), ("event is purchase",))),)}
    ask = shop(act("a", 0, country="DE"), act("b", 0, country="FR"), buy("a", 1), funnels=funnels)
    assert picked(ask("funnel", funnel="order"), "name", "people") == [
        ("path is / and country is DE", 1),
        ("event is purchase", 1),
    ]
    with pytest.raises(QueryError, match="funnel: the site has none named 'other'"):
        ask("funnel", funnel="other")
    with pytest.raises(QueryError, match="funnel: a declared funnel is one of a site"):
        ask("funnel", site=None, funnel="order")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "steps: give them, or the name"),
        ({"steps": STEPS, "funnel": "x"}, "steps: give them, or the name"),
        ({"steps": ["path is /"]}, "steps: 1 of them"),
        ({"steps": ["path is /"] * 13}, "steps: 13 of them"),
        ({"steps": ["path is /", "nope"]}, "steps: 'nope' is none"),
        ({"steps": ["path is /", "nope is x"]}, "steps: there is no column 'nope'"),
        ({"steps": ["path is /", "path matches ("]}, "steps: .* is no pattern"),
        ({"steps": STEPS, "window": 0}, "window: '0' is no number of hours"),
        ({"steps": STEPS, "window": "long"}, "window: 'long' is no number"),
        ({"steps": STEPS, "window": 10**9}, "window: '1000000000' is no number of hours"),
    ],
)
def test_funnels_that_cannot_be(shop: Shop, options: dict[str, Any], message: str) -> None:
    """They are refused with the name of the option, and what it may be."""
    with pytest.raises(QueryError, match=message) as refused:
        shop(act("a", 0))("funnel", **options)
    assert refused.value.hint


def test_hostile_steps(shop: Shop) -> None:
    """What a step compares with is a value, whatever it looks like; so are names of properties."""
    hostile = "x') or true; drop table events; --"
    ask = shop(act("a", 0, path=hostile), act("a", 1, properties=[("a'b", [hostile])]), act("b", 0))
    steps = [f"path is {hostile}", f"properties.a'b is {hostile}"]
    assert picked(ask("funnel", steps=steps), "people") == [(1,), (1,)]


# --- carts


def test_abandoned(shop: Shop) -> None:
    """3 carts, 1 ordered 59 minutes later, 1 too late after 61, 1 never: 2/3 abandoned, with 7 + 2 x 1.50 = 10 EUR."""
    ask = shop(
        *(put("a", 0, "5"), buy("a", 59)),
        *(put("b", 0, "7"), buy("b", 61)),
        *(put("c", 0, "1.50"), put("c", 30, "1.50")),
    )
    names = ("value", "carts", "ordered", "abandoned", "still_open", "rate", "value_left", "currency")
    assert picked(ask("carts"), *names) == [("all", 3, 1, 2, 0, 2 / 3, Decimal(10), "EUR")]
    assert picked(ask("carts", window=61), "carts", "ordered") == [(3, 2)]


def test_a_cart_goes_on(shop: Shop) -> None:
    """An order ends it, and more than the window of silence: 0, 50 and 100 are one, 111 a second, 300 a third."""
    ask = shop(put("a", 0), put("a", 50), put("a", 100), buy("a", 110), put("a", 111), put("a", 300))
    assert picked(ask("carts"), "carts", "ordered", "abandoned") == [(3, 1, 2)]


def test_a_cart_of_the_day_before(shop: Shop) -> None:
    """It belongs to when it was begun: of 23:40 and, linked, 00:10 the second is no cart of the second day."""
    ask = shop(put("monday", 700), put("tuesday", 730, visitor_before="monday"), buy("tuesday", 740))
    assert picked(ask("carts"), "carts", "ordered") == [(1, 1)]
    assert ask("carts", END, END + timedelta(days=1)) == []


def test_two_currencies(shop: Shop) -> None:
    """Never added: all together have no value left; by currency 5 EUR and 7 USD, and a cart without any amount."""
    ask = shop(put("a", 0, "5"), put("a", 1, "7", "USD"), put("b", 0))
    assert picked(ask("carts"), "carts", "value_left", "currency") == [(2, None, None)]
    assert picked(ask("carts", by="currency"), "value", "carts", "value_left", "currency") == [
        ("EUR", 1, Decimal(5), "EUR"),
        ("USD", 1, Decimal(7), "USD"),
        (None, 1, None, None),
    ]


def test_where_carts_are_left(shop: Shop) -> None:
    """The last page seen within the window: a left at the checkout, b where the thing lay; c was gone before /later."""
    ask = shop(
        *(act("a", 0, path="/thing"), put("a", 1, path="/thing"), act("a", 5, path="/checkout")),
        *(act("b", 0, path="/thing"), put("b", 1, path="/thing")),
        *(put("c", 0, path="/thing"), act("c", 100, path="/later")),
    )
    assert picked(ask("carts", by="page"), "value", "abandoned") == [("h/thing", 2), ("h/checkout", 1)]


def test_a_cart_may_be_open(shop: Shop) -> None:
    """One that was filled just now is not abandoned yet, and no part of the rate."""
    now = datetime.now(UTC)
    fresh = put("a", 0) | {"received_at": now - timedelta(minutes=5)}
    old = put("b", 0) | {"received_at": now - timedelta(minutes=90)}
    rows = shop(fresh, old)("carts", now - timedelta(hours=3), now)
    assert picked(rows, "carts", "abandoned", "still_open", "rate") == [(2, 1, 1, 1.0)]


def test_other_names(shop: Shop) -> None:
    """What fills a cart and what orders it is what the site calls so; the two are not the same."""
    ask = shop(act("a", 0, "basket"), act("a", 1, "order"))
    assert picked(ask("carts", cart_event="basket", order_event="order"), "carts", "ordered") == [(1, 1)]
    with pytest.raises(QueryError, match="order_event: it is the cart_event"):
        ask("carts", cart_event="order", order_event="order")
    with pytest.raises(QueryError, match="cart_event: it has no name"):
        ask("carts", cart_event="")
    with pytest.raises(QueryError, match="window: '1441' is no number of minutes"):
        ask("carts", window=1441)


# --- cohorts

JUNE, JULY = datetime(2025, 6, 2, tzinfo=UTC), datetime(2025, 6, 30, tzinfo=UTC)
"""Four weeks from a Monday."""
DAY = 24 * 60


def test_retention_by_week(shop: Shop) -> None:
    """In the week of the 9th come u and v, of whom u is back after one week and v after two: 2/2, 1/2, 1/2."""
    ask = shop(
        *(act("1", 0, user_id="u"), act("2", DAY, user_id="v"), act("3", 7 * DAY, user_id="u")),
        *(act("4", 14 * DAY, user_id="v"), act("5", 14 * DAY, user_id="v")),
    )
    rows = ask("cohorts", JUNE, JULY)
    assert picked(rows, "cohort", "number", "people", "size", "retention", "whole", "hits") == [
        (date(2025, 6, 9), 0, 2, 2, 1.0, True, 2),
        (date(2025, 6, 9), 1, 1, 2, 0.5, True, 1),
        (date(2025, 6, 9), 2, 1, 2, 0.5, True, 2),
    ]


def test_a_week_that_is_not_over(shop: Shop) -> None:
    """It is said to be none as a whole: the period ends on the Wednesday."""
    ask = shop(act("1", 0, user_id="u"))
    assert picked(ask("cohorts", JUNE, END), "number", "whole") == [(0, False)]


def test_the_first_event_ever(shop: Shop) -> None:
    """Who was there before the period is new in no week of it."""
    ask = shop(act("1", -60 * DAY, user_id="old"), act("2", 0, user_id="old"), act("3", 0, user_id="new"))
    assert picked(ask("cohorts", JUNE, END), "cohort", "people", "size") == [(date(2025, 6, 9), 1, 1)]


def test_retention_by_month(shop: Shop) -> None:
    """The cohort of June: 2 users, of whom 1 is there in August and none in July."""
    ask = shop(act("1", 0, user_id="u"), act("2", 0, user_id="v"), act("3", 60 * DAY, user_id="u"))
    rows = ask("cohorts", datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 9, 1, tzinfo=UTC), by="month")
    assert picked(rows, "cohort", "number", "people", "retention") == [
        (date(2025, 6, 1), 0, 2, 1.0),
        (date(2025, 6, 1), 1, 0, 0.0),
        (date(2025, 6, 1), 2, 1, 0.5),
    ]


def test_people_without_a_user_id_are_not_answerable(shop: Shop) -> None:
    """They have no number, but a reason, and their share: 3 of 4 hits."""
    ask = shop(act("1", 0, user_id="u"), act("2", 0), act("3", 1), act("4", DAY))
    rows = ask("cohorts", JUNE, END + timedelta(days=1))
    assert picked(rows, "people", "hits", "hits_share") == [(1, 1, 0.25), (None, 3, 0.75)]
    assert rows[0]["why"] is None
    assert "user_id" in rows[1]["why"]


# --- declared


@pytest.mark.parametrize("text", ["user_id is x", "visitor_id is x", "ip is 1.2.3.0", "visitor_before is x"])
def test_nothing_is_declared_with_a_person(text: str) -> None:
    """A goal stays when somebody is erased, so it cannot be about somebody."""
    with pytest.raises(QueryError, match="is of one person"):
        declarable(["event is purchase", text], {"event": "text", text.split(maxsplit=1)[0]: "text"})


@pytest.mark.parametrize("question", ["revenue", "goals", "carts", "cohorts"])
def test_an_empty_shop(shop: Shop, question: str) -> None:
    """Where nothing happened in the period, there is nothing to tell."""
    assert shop(act("a", 0))(question, END, END + timedelta(days=1)) == []
