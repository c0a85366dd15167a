"""Tests of the question `ads`: small cases, with their arithmetic."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pixelake.errors import QueryError
from pixelake.warehouse import ads
from pixelake.warehouse.ask import Answer
from pixelake.warehouse.filters import Test as Where
from tests.warehouse.answered import answered, written

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FROM = datetime(2026, 3, 10, tzinfo=UTC)
BROWSER = {"prefetch": False}

Asking = Callable[..., Answer]


def shown(impression_id: str | None = None, *, at: timedelta = timedelta(), ad: str = "spring", **more: Any) -> Any:
    """An impression."""
    return {
        "event": "impression",
        "impression_id": impression_id,
        "received_at": NOON + at,
        "properties": [("campaign", [ad])],
        **BROWSER,
        **more,
    }


def clicked(impression_id: str | None = None, **more: Any) -> Any:
    """A click."""
    return shown(impression_id, **more) | {"event": "click"}


def bought(*, at: timedelta = timedelta(), **more: Any) -> Any:
    """A conversion."""
    return {"event": "purchase", "received_at": NOON + at, "properties": [], **BROWSER, **more}


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    """Asks of a day with these rows, unless another period is given."""

    def asking(rows: list[Any], start: datetime = FROM, end: datetime = FROM + DAY, **asked: Any) -> Answer:
        return answered(written(tmp_path, rows), "ads", start, end, **asked)

    return asking


def only(answer: Answer) -> dict[str, Any]:
    """The one row."""
    rows: list[dict[str, Any]] = answer.table.to_pylist()
    assert len(rows) == 1
    return rows[0]


def test_from_gross_to_net(ask: Asking) -> None:
    """Each discard has one reason, in order, and gross less all of them is net: 12 - (1+1+2+1+1+1+2) = 3."""
    row = only(
        ask(
            [
                shown("i1", method="HEAD", bot=True, duplicate=True),  # 1 HEAD, whatever else it is
                shown("i2", duplicate=True, bot=True),  # 1 duplicate
                shown("i3", bot=True, prefetch=True),  # 2 bots
                shown("i4", bot=True),
                shown("i5", prefetch=True, proxy="scanner"),  # 1 fetched ahead
                shown("i6", proxy="prefetch-proxy"),  # 1 by a proxy ahead
                shown("i7", proxy="scanner"),  # 1 scanner
                shown("i8"),  # net
                shown("i8"),  # 2 repeated
                shown("i8"),
                shown(None),  # net, without an id, twice: nobody knows whether it is one
                shown(None),
            ]
        )
    )
    assert row["gross"] == 12
    reasons = ("heads", "duplicates", "bots", "prefetched", "prefetch_proxies", "scanners", "repeated")
    assert [row[name] for name in reasons] == [1, 1, 2, 1, 1, 1, 2]
    assert row["net"] == row["gross"] - sum(row[name] for name in reasons) == 3
    assert row["without_id"] == 2


def test_a_machine_takes_no_impression_away(ask: Asking) -> None:
    """An id that a scanner and a prefetch used first counts once when a person sees it: 4 = 1 + 1 + 1 repeated + 1."""
    row = only(ask([shown("i", proxy="scanner"), shown("i", prefetch=True), shown("i"), shown("i")]))
    assert (row["gross"], row["scanners"], row["prefetched"], row["repeated"], row["net"]) == (4, 1, 1, 1, 1)


def test_an_id_counts_once_in_the_period(ask: Asking) -> None:
    """Over two days one id is one impression; each of the two days by itself has one."""
    rows = [shown("i"), shown("i", at=DAY)]
    both = only(ask(rows, end=FROM + 2 * DAY))
    assert (both["gross"], both["repeated"], both["net"]) == (2, 1, 1)


def test_an_id_before_the_period_is_none_of_it(ask: Asking) -> None:
    """What is looked at before the period for the sake of conversions counts as no impression and takes none away."""
    row = only(ask([shown("i", at=-DAY), shown("i")]))
    assert (row["gross"], row["net"], row["repeated"]) == (1, 1, 0)


def test_sites_have_ids_of_their_own(ask: Asking) -> None:
    """The same id at two sites is two impressions."""
    assert only(ask([shown("i", site="a"), shown("i", site="b")]))["net"] == 2


@pytest.mark.parametrize(
    "sent",
    [
        {"ip": "3.5.140.0", "user_agent": "AdServer/1.0"},
        {"ip": None, "proxy": "private-relay"},
        {"source": "cloudfront", "visitor_id": None},
        {"proxy": "gmail", "ip": "66.249.84.0"},
        {"signed": True, "method": "POST", "ip": "3.5.140.0"},
    ],
    ids=["datacentre", "relay", "nobody", "mail proxy", "signed"],
)
def test_no_address_discards(ask: Asking, sent: dict[str, Any]) -> None:
    """What a server or a proxy sends in a person's place counts as it comes: 2 of 2."""
    row = only(ask([shown("i1"), shown("i2", **sent)]))
    assert (row["gross"], row["net"]) == (2, 2)


def test_begin_to_render_is_what_the_tag_says(ask: Asking) -> None:
    """Of 5 net impressions 2 say that the ad rendered (one in its second call), 1 that it did not, 2 nothing: 2."""
    rows = [
        shown("i1", properties=[("campaign", ["spring"]), ("rendered", ["1"])]),
        shown("i2"),
        shown("i2", properties=[("campaign", ["spring"]), ("rendered", ["true"])]),
        shown("i3", properties=[("campaign", ["spring"]), ("rendered", ["0"])]),
        shown("i4"),
        shown(None),
        shown("i9", bot=True, properties=[("campaign", ["spring"]), ("rendered", ["1"])]),
    ]
    row = only(ask(rows))
    assert (row["net"], row["rendered"]) == (5, 2)


def test_a_rendering_of_a_machine_is_none(ask: Asking) -> None:
    """What a bot says of an id that a person sees, too, is not said of the person's: null, with the reason."""
    answer = ask([shown("i", bot=True, properties=[("campaign", ["spring"]), ("rendered", ["1"])]), shown("i")])
    assert only(answer)["rendered"] is None
    assert "rendered" in answer.notes


def test_no_tag_says_anything_of_rendering(ask: Asking) -> None:
    """Then nothing is claimed: null, not 0, and the answer says why."""
    answer = ask([shown("i")])
    assert only(answer)["rendered"] is None
    assert "no tag says" in answer.notes["rendered"]


def test_prerendered_is_unsure(ask: Asking) -> None:
    """Where nobody can tell whether it was fetched ahead, it counts, and is said to be unsure: 1 of 2."""
    row = only(ask([shown("i1", prefetch=None), shown("i2")]))
    assert (row["net"], row["unsure"]) == (2, 1)


def test_clicks_are_counted_once_an_impression(ask: Asking) -> None:
    """5 clicks: 1 bot's, 1 repeated, 3 left, of which 1 has no id; of 4 impressions: a rate of 3/4."""
    rows = [
        *(shown(f"i{number}") for number in range(4)),
        clicked("i1"),
        clicked("i1"),
        clicked("i2"),
        clicked(None),
        clicked("i3", bot=True),
    ]
    row = only(ask(rows))
    assert (row["clicks_gross"], row["clicks"], row["click_rate"]) == (5, 3, 0.75)


def test_a_click_in_a_mail_is_no_ads(ask: Asking) -> None:
    """A click that names its message belongs to `mails`."""
    mail = clicked(None, properties=[("campaign", ["spring"]), ("message", ["m1"])])
    row = only(ask([shown("i"), mail]))
    assert (row["clicks_gross"], row["conversions"]) == (0, 0)


def test_what_a_row_is_of(ask: Asking) -> None:
    """A campaign is the property, else the tag; a creative likewise; a placement the property alone; all is one row."""
    rows = [
        shown("i1", properties=[("campaign", ["c1"]), ("placement", ["p1"]), ("creative", ["k1"])]),
        shown("i2", properties=[], utm_campaign="c1", utm_content="k2"),
        shown("i3", properties=[("campaign", [""])], utm_campaign=None),
    ]
    for by, found in {
        "campaign": {"c1": 2, None: 1},
        "placement": {"p1": 1, None: 2},
        "creative": {"k1": 1, "k2": 1, None: 1},
        "all": {None: 3},
    }.items():
        rows_of = ask(rows, options={"by": by}).table.to_pylist()
        assert {row["value"]: row["net"] for row in rows_of} == found
        rows = []  # they are in the lake


def test_a_conversion_is_the_last_clicks(ask: Asking) -> None:
    """Clicks on x, then y, then an impression of z, then the purchase: y has it; a click behind it is too late."""
    rows = [
        clicked("i1", ad="x", at=timedelta(minutes=1), visitor_id="v"),
        clicked("i2", ad="y", at=timedelta(minutes=2), visitor_id="v"),
        shown("i3", ad="z", at=timedelta(minutes=3), visitor_id="v"),
        bought(at=timedelta(minutes=4), visitor_id="v"),
        clicked("i4", ad="x", at=timedelta(minutes=5), visitor_id="v"),
    ]
    answer = ask(rows)
    assert {row["value"]: row["conversions"] for row in answer.table.to_pylist()} == {"x": 0, "y": 1, "z": 0}


def test_an_impression_brings_a_conversion_only_if_asked(ask: Asking) -> None:
    """With touch=impression: the click, though an impression came later; without any click, the last impression."""
    rows = [
        clicked("i1", ad="x", at=timedelta(minutes=1), visitor_id="v"),
        shown("i2", ad="y", at=timedelta(minutes=2), visitor_id="v"),
        bought(at=timedelta(minutes=3), visitor_id="v"),
        shown("i3", ad="y", at=timedelta(minutes=1), visitor_id="w"),
        bought(at=timedelta(minutes=3), visitor_id="w"),
    ]
    told = {row["value"]: row for row in ask(rows, options={"touch": "impression"}).table.to_pylist()}
    assert {name: (row["conversions"], row["after_click"]) for name, row in told.items()} == {"x": (1, 1), "y": (1, 0)}
    told = {row["value"]: row for row in ask([], options={"touch": "click"}).table.to_pylist()}
    assert {name: row["conversions"] for name, row in told.items()} == {"x": 1, "y": 0}
    assert told["x"]["unattributed"] == 1


@pytest.mark.parametrize(("after", "found"), [(7 * DAY, 1), (7 * DAY + timedelta(microseconds=1), 0)])
def test_the_window(ask: Asking, after: timedelta, found: int) -> None:
    """Seven days later, to the microsecond, an ad still has the conversion; also if the ad lies before the period."""
    rows = [clicked("i", at=-after, user_id="u"), bought(user_id="u"), shown("i2")]
    row = only(ask(rows))
    assert (row["clicks"], row["conversions"], row["unattributed"]) == (0, found, 1 - found)


def test_a_longer_window(ask: Asking) -> None:
    """30 days: a click of 20 days ago has it; with 7 days nobody has."""
    rows = [clicked("i", at=-20 * DAY, user_id="u"), bought(user_id="u"), shown("i2")]
    assert only(ask(rows))["conversions"] == 0
    assert only(ask([], options={"window": "30"}))["conversions"] == 1


def test_an_old_click_leaves_it_to_a_new_impression(ask: Asking) -> None:
    """A click that lies before the window does not count: then the impression in the window has it."""
    rows = [
        clicked("i1", ad="old", at=-10 * DAY, user_id="u"),
        shown("i2", ad="new", at=-DAY, user_id="u"),
        bought(user_id="u"),
    ]
    told = ask(rows, options={"touch": "impression"}).table.to_pylist()
    assert [(row["value"], row["conversions"], row["after_click"]) for row in told] == [("new", 1, 0)]


def test_beyond_the_day_only_who_has_a_user_id(ask: Asking) -> None:
    """3 conversions a day after a click: with a user_id it is found; else it is not, and that is told.

    3 in all, 1 attributed, 2 not, both unknowable: a share of 2/3.
    """
    rows = [
        clicked("i1", at=-DAY, user_id="u", visitor_id="u1"),
        clicked("i2", at=-DAY, visitor_id="v1"),
        bought(user_id="u", visitor_id="u2"),
        bought(visitor_id="v2"),
        bought(visitor_id=None),
        shown("i3"),
    ]
    answer = ask(rows)
    row = only(answer)
    assert (row["conversions_all"], row["conversions"], row["unattributed"], row["unknowable"]) == (3, 1, 2, 2)
    assert row["unknowable_share"] == pytest.approx(2 / 3)
    assert "user_id" in answer.notes["unknowable"]


def test_a_known_user_without_an_ad_is_known(ask: Asking) -> None:
    """Whoever has a user_id and no ad in the window came without one: not unknowable, and nothing is said of it."""
    answer = ask([shown("i", user_id="other"), bought(user_id="u")])
    row = only(answer)
    assert (row["unattributed"], row["unknowable"]) == (1, 0)
    assert "unknowable" not in answer.notes


def test_over_midnight(ask: Asking) -> None:
    """A click at 23:50, another hit at 00:10, a purchase at 01:00: one visitor, as the hit says who it was before."""
    start = datetime(2026, 3, 10, tzinfo=UTC)
    rows = [
        clicked("i", at=timedelta(hours=-12, minutes=-10), visitor_id="old"),
        {"received_at": start + timedelta(minutes=10), "visitor_id": "new", "visitor_before": "old"},
        bought(at=-11 * HOUR, visitor_id="new"),
        shown("i2"),
    ]
    assert only(ask(rows))["conversions"] == 1


def test_one_site_knows_nothing_of_another(ask: Asking) -> None:
    """A click at one site brings no purchase at another, though the user is the same."""
    rows = [clicked("i", site="a", user_id="u"), bought(at=HOUR, site="b", user_id="u")]
    assert only(ask(rows))["unattributed"] == 1


def test_machines_convert_nobody(ask: Asking) -> None:
    """Clicks and purchases of bots, repeats and fetches ahead bring nothing."""
    rows = [
        clicked("i1", visitor_id="v", bot=True),
        clicked("i2", visitor_id="v", prefetch=True),
        bought(at=HOUR, visitor_id="v"),
        clicked("i3", visitor_id="w"),
        bought(at=HOUR, visitor_id="w", duplicate=True),
        bought(at=HOUR, visitor_id="w", method="HEAD"),
    ]
    row = only(ask(rows))
    assert (row["conversions_all"], row["conversions"], row["unattributed"]) == (1, 0, 1)


def test_events_have_the_names_that_are_told(ask: Asking) -> None:
    """Impressions, clicks and conversions may be called anything."""
    rows = [
        shown("i") | {"event": "ad.seen"},
        clicked("i", visitor_id="v") | {"event": "ad.hit"},
        bought(at=HOUR, visitor_id="v") | {"event": "signup"},
    ]
    row = only(ask(rows, options={"impression": "ad.seen", "click": "ad.hit", "conversion": "signup"}))
    assert (row["net"], row["clicks"], row["conversions"]) == (1, 1, 1)


def test_a_filter_picks_ads_after_they_were_judged(ask: Asking) -> None:
    """An id seen from DE, then from FR, is one impression, of DE; the filters DE and FR share what both together have.

    The purchase comes from AT, and counts for the click that brought it, which is of FR.
    """
    rows = [
        shown("i", country="DE"),
        shown("i", country="FR"),
        clicked("i", country="FR", visitor_id="v"),
        bought(at=HOUR, country="AT", visitor_id="v"),
    ]
    all_of_it, german, french = (
        only(ask(rows)),
        *(only(ask([], filter=Where("country", "is", (at,)))) for at in ("DE", "FR")),
    )
    for name in ("gross", "repeated", "net", "clicks", "conversions"):
        assert german[name] + french[name] == all_of_it[name]
    assert (german["net"], french["net"], french["conversions"]) == (1, 0, 1)


def test_the_lists_have_names_and_dates(ask: Asking) -> None:
    """The answer names the lists by which machines are known, with the dates that they tell."""
    lists = only(ask([shown("i")]))["lists"]
    assert "crawlers.txt of 20" in lists
    assert "signatures.txt of 20" in lists
    assert "proxies.toml of 20" in lists


@pytest.mark.parametrize("window", ["0", "-1", "367", "x", "1e3", str(10**30)])
def test_a_window_that_cannot_be(ask: Asking, window: str) -> None:
    """It is refused with its name and what it may be."""
    with pytest.raises(QueryError, match=r"^window: "):
        ask([shown("i")], options={"window": window})
    assert ads.LONGEST == 366


def test_rows_in_order(ask: Asking) -> None:
    """The most net impressions first, then by the name; those without one last."""
    rows = [shown("1", ad="b"), shown("2", ad="a"), shown("3", ad="c"), shown("4", ad="c"), shown("5", ad="")]
    assert [row["value"] for row in ask(rows).table.to_pylist()] == ["c", "a", "b", None]


def test_before_there_is_anything(ask: Asking) -> None:
    """An empty lake, and a period without ads, have no rows, with all columns."""
    answer = ask([bought()])
    assert (answer.table.num_rows, answer.notes) == (0, {})
    assert "unknowable_share" in answer.table.column_names
