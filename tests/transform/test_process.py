"""Decoded hits become rows: pure, deterministic, every column."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.dialects.base import Edit
from pixelake.dialects.native import Native
from pixelake.hit import Codec, Hit
from pixelake.reject import REASONS
from pixelake.settings import Settings
from pixelake.transform.decode import decode
from pixelake.transform.facts import Facts
from pixelake.transform.process import poisoned, process
from pixelake.transform.rules import make_rules
from pixelake.warehouse.base import EVENTS, REJECTS, WITHHELD, Outcome
from tests.judging import AT, CHROME, batch, events, hit, judge, rejects, rules, salted
from tests.strategies import hits


def test_every_column_that_can_be_known() -> None:
    """A rich hit fills its columns; what nobody can know is null."""
    query = (
        "?site=shop&event=purchase&url=https%3A%2F%2Fu%3Ap%40shop.example%2Fa%3Futm_source%3Dnews%26gclid%3D1%26id%3D2%23x"
        "&title=T&value=1.5&currency=eur&referrer=https://www.google.com/search?q=secret&user=u&event_id=e"
        "&impression_id=i&screen=800x600&tz=Europe/Berlin&consent=yes&sent_at=1770757199000&plan=gold&utm_medium=x"
    )
    (event,) = events(hit("/pixel.gif" + query, {"Accept-Language": "de-DE,de;q=0.9"}))
    moment = datetime(2026, 2, 10, 21, tzinfo=UTC)
    expected = {
        "hit_id": "p-1",
        "event_id": "e",
        "impression_id": "i",
        "received_at": moment,
        "occurred_at": moment,
        "sent_at": moment - timedelta(seconds=1),
        "partition": "p",
        "position": 1,
        "source": "http",
        "dialect": "native",
        "method": "GET",
        "site": "shop",
        "event": "purchase",
        "url": "https://shop.example/a?utm_source=news",
        "host": "shop.example",
        "path": "/a",
        "title": "T",
        "value": Decimal("1.500000"),
        "currency": "EUR",
        "properties": [("plan", ["gold"])],
        "referrer": "https://www.google.com/search",
        "referrer_host": "google.com",
        "channel": "paid",
        "utm_source": "news",
        "utm_medium": None,
        "click_id": "gclid",
        "user_id": "u",
        "visitor_before": None,
        "ip": "203.0.113.0",
        "country": None,
        "timezone": "Europe/Berlin",
        "language": "de-DE",
        "user_agent": CHROME,
        "browser": "Chrome",
        "browser_version": "142",
        "os": "Windows",
        "os_version": "10+",
        "device": "desktop",
        "screen": "800x600",
        "bot": False,
        "bot_name": None,
        "proxy": None,
        "prefetch": False,
        "duplicate": False,
        "signed": False,
        "dnt": False,
        "gpc": False,
        "consent": "yes",
        "year": "2026",
        "month": "02",
        "day": "10",
        "hour": "21",
    }
    assert {name: event[name] for name in expected} == expected
    assert len(event["visitor_id"]) == 32


def test_a_repeat_is_flagged() -> None:
    """An event whose id belongs to another hit is a duplicate; its owner is not, and no more one without an id."""
    sent = batch(hit("/?event_id=e"), hit("/?event_id=e"), hit("/"))
    decoded = decode(sent, rules())
    owners = {"p-1": "p-1", "p-2": "p-1"}
    outcome = process(decoded, replace(salted(decoded), owners=owners))
    assert outcome.events["duplicate"].to_pylist() == [False, True, False]


def test_without_a_salt_there_is_no_visitor() -> None:
    """An old hit whose day's salt is destroyed is an event without a visitor."""
    decoded = decode(batch(hit()), rules())
    assert process(decoded, Facts({}, {})).events["visitor_id"].to_pylist() == [None]


def test_a_reject_tells_everything() -> None:
    """All faults, the reason of the first, and the raw hit, its addresses truncated; the visitor as on an event."""
    forwarded = {"X-Forwarded-For": "198.51.100.7, [2001:db8:1:2::3]:443", "DNT": "0"}
    (reject,) = rejects(hit("/?site=s&value=x&currency=1", forwarded))
    assert (reject["stage"], reject["reason"]) == ("validate", "bad_number")
    assert [fault["reason"] for fault in json.loads(reject["detail"])] == ["bad_number", "bad_currency"]
    raw = json.loads(reject["raw"])
    assert (raw["peer"], raw["client"], raw["target"]) == ("203.0.113.0", "203.0.113.0", "/?site=s&value=x&currency=1")
    assert "X-Forwarded-For: 198.51.100.0, [2001:db8:1::]" in raw["headers"]
    assert "100.7" not in reject["raw"]
    (event,) = events(hit("/?site=s"))
    assert reject["visitor_id"] == event["visitor_id"]
    assert [reject[name] for name in ("year", "month", "day", "hour")] == ["2026", "02", "10", "21"]


def test_raw_bytes_survive() -> None:
    """What is no UTF-8 stands in base64: nothing of the hit is lost."""
    (reject,) = rejects(Hit.of(AT, "", "", "POST", b"/events", b"Content-Type: application/json\r\n", b"\xff{"))
    assert reject["stage"] == "decode"
    assert base64.b64decode(json.loads(reject["raw"])["body_base64"]) == b"\xff{"


def test_the_raw_hit_is_kept_once() -> None:
    """Further rejects of one hit point to the first: a large body of bad elements is not kept a thousand times."""
    found = rejects(hit("/events", method="POST", body=b"[1,2,3]"))
    assert [json.loads(reject["raw"]) for reject in found[1:]] == [{"see": "p-1"}, {"see": "p-1"}]
    assert json.loads(found[0]["raw"])["body"] == "[1,2,3]"


def test_an_anonymous_reject_has_no_visitor() -> None:
    """The policy holds for what is refused, too."""
    (reject,) = rejects(hit("/?value=x", {"Sec-GPC": "1"}))
    assert reject["visitor_id"] is None


def test_poison() -> None:
    """A hit that makes the transformation fail becomes a reject that tells the error's type, and no more."""
    outcome = poisoned(batch(hit("/?a=1"), start=5), "ZeroDivisionError", rules())
    (reject,) = outcome.rejects.to_pylist()
    assert (reject["hit_id"], reject["reason"], reject["position"]) == ("p-5", "poison", 5)
    assert "ZeroDivisionError" in reject["detail"]
    assert "secret" not in reject["detail"]
    assert (outcome.first, outcome.positions) == ({"p": 5}, {"p": 5})


def test_poison_is_kept_like_an_anonymous_hit() -> None:
    """Neither user nor secrets; and if not even that can be found out, neither query nor headers nor body."""

    class Broken(Native):
        def edited(self, hit: Hit, edit: Edit) -> tuple[bytes | None, bytes | None]:
            raise ZeroDivisionError

    sent = batch(hit("/?a=1&user=ada&password=hunter2", {"X-A": "b"}))
    raw = json.loads(poisoned(sent, "E", rules()).rejects["raw"][0].as_py())
    assert raw["target"] == "/?a=1&password="
    raw = json.loads(poisoned(sent, "E", make_rules(Settings(), [Broken({})])).rejects["raw"][0].as_py())
    assert (raw["target"], raw["headers"], raw["body"], raw["client"]) == ("/", "", None, "203.0.113.0")


def test_an_anonymous_reject_has_no_user() -> None:
    """As an anonymous event has none."""
    (reject,) = rejects(hit("/?userid=ada&value=x", {"DNT": "1"}))
    assert "ada" not in reject["raw"]


def test_absurd_times() -> None:
    """A hit from beyond the calendar has an outcome like any other, be it poison."""
    for at in (-(10**18), 10**18):
        assert poisoned(batch(hit(at=at)), "ValueError", rules()).rejects.num_rows == 1


def rows(outcome: Outcome) -> list[tuple[int, str | None]]:
    """Position and id of every outcome."""
    kept = [outcome.events, outcome.rejects]
    found = [
        (row["position"], row["hit_id"]) for table in kept for row in table.select(["position", "hit_id"]).to_pylist()
    ]
    return found + [(position, None) for position in outcome.withheld["position"].to_pylist()]


@given(st.lists(hits, min_size=1, max_size=5), st.sampled_from(["ignore", "anonymous", "withhold"]))
def test_every_hit_has_an_outcome(sent: list[Hit], policy: str) -> None:
    """Whatever arrives, each hit has one outcome or more, ids are unique, and the schemas hold."""
    outcome = judge(*sent, do_not_track=policy)
    found = rows(outcome)
    assert {position for position, _ in found} == set(range(1, len(sent) + 1))
    ids = [hit_id for _, hit_id in found if hit_id]
    assert len(ids) == len(set(ids))
    assert (outcome.events.schema, outcome.rejects.schema, outcome.withheld.schema) == (EVENTS, REJECTS, WITHHELD)
    for table in (outcome.events, outcome.rejects):
        table.validate(full=True)
        for field in table.schema:
            assert field.nullable or table[field.name].null_count == 0
    assert set(outcome.rejects["reason"].to_pylist()) <= set(REASONS) - {"poison"}
    assert all(json.loads(raw) for raw in outcome.rejects["raw"].to_pylist())


@given(st.lists(hits, min_size=1, max_size=4))
def test_judging_again_changes_nothing(sent: list[Hit]) -> None:
    """The same hits give the same tables, also one by one, and after a way through the stream's codec."""
    together = judge(*sent)
    codec = Codec()
    again = judge(*codec.decode(codec.encode(sent)))
    assert together.events.equals(again.events)
    assert together.rejects.equals(again.rejects)
    for index, one in enumerate(sent):
        decoded = decode(batch(one, start=index + 1), rules())
        alone = process(decoded, salted(decoded))
        mine = [row for row in together.events.to_pylist() if row["position"] == index + 1]
        assert alone.events.to_pylist() == mine


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_batch_of_nothing_but_rejects(count: int) -> None:
    """Tables without rows have their schema."""
    outcome = judge(hit("/?value=x"), *[hit("/?value=y")] * count)
    assert outcome.events.schema == EVENTS
    assert outcome.rejects.num_rows == count + 1
