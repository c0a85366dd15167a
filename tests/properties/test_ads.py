"""Ads and mails, counted by the questions and, on random traffic, by plain Python that shares nothing with them."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.warehouse.answered import answered, written

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
MACHINES = ("scanner", "prefetch-proxy")
HOURS = (0, 13, 23)
"""Each is a file of each day. Most is at midnight, where visitors change their names."""
SEEDS = range(6)

Row = dict[str, Any]


def _traffic(random: Random) -> list[Row]:
    """Five days of a few people at two sites, with machines, repeats, and visits over midnight."""
    rows = []
    for _ in range(400):
        moment = BEGIN + timedelta(
            days=random.randrange(5),
            hours=random.choice(HOURS),
            seconds=random.randrange(3_600),
            microseconds=random.randrange(3),
        )
        who, site = random.randrange(6), random.choice(["shop", "blog"])
        identified = who < 2 or (who == 2 and random.random() < 0.5)
        visitor = None if who == 5 else f"{moment:%m%d}-{site}-{who}"
        early = moment.hour == 0 and moment.minute < 30 and visitor
        sent = {
            "campaign": random.choice(["x", "y", ""]),
            "rendered": random.choice(["1", "0", "no", "true"]) if random.random() < 0.2 else "",
            "message": random.choice(["m", "n"]) if random.random() < 0.3 else "",
            "recipient": f"r{who}" if random.random() < 0.97 else "",
        }
        rows.append(
            {
                "event": random.choice(["impression", "impression", "click", "purchase", "open", "pageview"]),
                "received_at": moment,
                "site": site,
                "user_id": f"user{who}" if identified else None,
                "visitor_id": visitor,
                "visitor_before": f"{moment - timedelta(days=1):%m%d}-{site}-{who}" if early else None,
                "impression_id": f"i{random.randrange(60)}" if random.random() < 0.8 else None,
                "properties": [(name, [value]) for name, value in sent.items() if value],
                "utm_campaign": random.choice([None, "tag"]),
                "bot": random.random() < 0.08,
                "duplicate": random.random() < 0.05,
                "prefetch": random.choice([True, None, False, False, False]),
                "method": random.choice(["HEAD", *["GET"] * 19]),
                "proxy": random.choice([*MACHINES, "gmail", "apple-mpp", "yahoo", "private-relay", *[None] * 14]),
            }
        )
    return rows


def _sent(row: Row, name: str) -> str | None:
    return next((values[0] for told, values in row["properties"] if told == name), None)


def _discard(row: Row) -> str | None:
    if row["method"] == "HEAD":
        return "heads"
    if row["duplicate"]:
        return "duplicates"
    if row["bot"]:
        return "bots"
    if row["prefetch"]:
        return "prefetched"
    return {"scanner": "scanners", "prefetch-proxy": "prefetch_proxies"}.get(row["proxy"])


def _what(row: Row) -> str | None:
    if row["event"] == "click" and _sent(row, "message"):
        return None
    return row["event"] if row["event"] in ("impression", "click") else None


def _order(row: Row) -> tuple[datetime, str]:
    return row["received_at"], f"a-{row['position']}"


def _ad(row: Row) -> str | None:
    return _sent(row, "campaign") or row["utm_campaign"]


def _touch_of(buy: Row, rows: list[Row], window: timedelta, touch: str) -> Row | None:
    """The ad that a conversion is counted for, found by looking at all of them."""
    if buy["user_id"]:
        names = {buy["user_id"]}
    else:
        names = {buy["visitor_id"]} - {None}
        names |= {
            row["visitor_before"]
            for row in rows
            if row["visitor_id"] in names and not row["user_id"] and not _discard(row) and row["visitor_before"]
        }
    found = [
        row
        for row in rows
        if _what(row) in ("click", touch)
        and not _discard(row)
        and row["site"] == buy["site"]
        and (row["user_id"] or row["visitor_id"]) in names
        and _order(row) < _order(buy)
        and buy["received_at"] - row["received_at"] <= window
    ]
    clicks = [row for row in found if _what(row) == "click"]
    return max(clicks or found, key=_order, default=None)


def _empty() -> dict[str, int]:
    return defaultdict(int)


def _ads(rows: list[Row], start: datetime, end: datetime, window: timedelta, touch: str) -> dict[str | None, Any]:
    """Campaign -> its counts; and those of all conversions."""
    told: dict[str | None, Any] = defaultdict(_empty)
    within = sorted((row for row in rows if start <= row["received_at"] < end), key=_order)
    _count_loads([row for row in within if _what(row)], told)
    buys = [row for row in within if row["event"] == "purchase" and not _discard(row)]
    for buy in buys:
        if best := _touch_of(buy, rows, window, touch):
            told[_ad(best)]["conversions"] += 1
            told[_ad(best)]["after_click"] += _what(best) == "click"
        else:
            told["-all"]["unattributed"] += 1
            told["-all"]["unknowable"] += not buy["user_id"]
    told["-all"]["conversions_all"] = len(buys)
    return told


def _count_loads(loads: list[Row], told: dict[str | None, Any]) -> None:
    """Impressions and clicks, oldest first."""
    taken: dict[Any, Row] = {}
    drawn: dict[Any, set[bool]] = defaultdict(set)
    for row in loads:
        key, why = (_what(row), row["site"], row["impression_id"] or row["position"]), _discard(row)
        if not why and (said := _sent(row, "rendered")):
            drawn[key].add(said not in ("0", "no", "false"))
        if not why and taken.setdefault(key, row) is not row:
            why = "repeated"
        is_click = _what(row) == "click"
        told[_ad(row)]["clicks_gross" if is_click else "gross"] += 1
        if not is_click and why:
            told[_ad(row)][why] += 1
    for (what, *_), row in taken.items():
        told[_ad(row)]["clicks" if what == "click" else "net"] += 1
    for key, row in taken.items():
        if key[0] == "impression":
            counts = told[_ad(row)]
            counts["without_id"] += not row["impression_id"]
            counts["unsure"] += row["prefetch"] is None
            counts["rendered"] += True in drawn[key]
            counts["telling"] += bool(drawn[key])


def _periods(random: Random) -> Iterator[tuple[datetime, datetime]]:
    yield BEGIN, BEGIN + timedelta(days=5)
    for _ in range(3):
        start = BEGIN + timedelta(seconds=random.randrange(4 * 86_400))
        yield start, start + timedelta(seconds=random.randrange(1, 3 * 86_400))


COUNTS = (
    *("gross", "heads", "duplicates", "bots", "prefetched", "prefetch_proxies", "scanners", "repeated", "net"),
    *("without_id", "unsure", "clicks_gross", "clicks", "conversions", "after_click"),
)


@pytest.mark.parametrize("seed", SEEDS)
def test_ads_are_what_plain_python_counts(seed: int) -> None:
    """Every count of every campaign, over all and over some of the period, with windows and both kinds of touches."""
    random = Random(seed)
    rows = [{**row, "position": number} for number, row in enumerate(_traffic(random), 1)]
    bare = [{name: value for name, value in row.items() if name != "position"} for row in rows]
    with TemporaryDirectory() as folder, written(Path(folder), bare) as lakehouse:
        for start, end in _periods(random):
            days, touch = random.choice([1, 2, 3]), random.choice(["click", "impression"])
            options = {"window": days, "touch": touch}
            answer = answered(lakehouse, "ads", start, end, options=options).table.to_pylist()
            expected = _ads(rows, start, end, timedelta(days=days), touch)
            overall = expected.pop("-all")
            found = {row["value"]: row for row in answer}
            assert set(found) == set(expected)
            for ad, row in found.items():
                counts = expected[ad]
                assert {name: row[name] for name in COUNTS} == {name: counts[name] for name in COUNTS}
                assert row["rendered"] == (counts["rendered"] if counts["telling"] else None)
                assert row["gross"] - sum(row[name] for name in COUNTS[1:8]) == row["net"]
                for name in ("conversions_all", "unattributed", "unknowable"):
                    assert row[name] == overall[name]
            if found:
                attributed = sum(row["conversions"] for row in answer)
                assert attributed + overall["unattributed"] == overall["conversions_all"]


def _kind(row: Row) -> str:
    if row["duplicate"]:
        return "duplicates"
    if row["proxy"] == "scanner":
        return "scanners"
    if row["bot"] or row["prefetch"] or row["method"] == "HEAD" or row["proxy"] == "prefetch-proxy":
        return "machines"
    return {"gmail": "gmail", "apple-mpp": "apple_mpp", "yahoo": "proxies"}.get(row["proxy"], "opens")


def _mails(rows: list[Row], message: str | None) -> Row:
    """The counts of one message."""
    some = [row for row in rows if _sent(row, "message") == message]
    opens, clicks = ([row for row in some if row["event"] == event] for event in ("open", "click"))
    kinds = ("duplicates", "scanners", "machines", "gmail", "apple_mpp", "proxies", "opens")
    found: Row = {kind: sum(_kind(row) == kind for row in opens) for kind in kinds}
    read = [row for row in opens if _kind(row) in ("gmail", "proxies", "opens")]
    followed = [row for row in clicks if message and _kind(row) not in ("duplicates", "scanners", "machines")]
    readers, clickers = ({_recipient(row) for row in those} for those in (read, followed))
    found |= {"opens_gross": len(opens), "clicks": len(followed)}
    found["unique_opens"] = None if None in readers else len(readers)
    found["unique_clicks"] = None if None in clickers else len(clickers)
    is_known = None not in readers | clickers
    found["opened_and_clicked"] = len(readers & clickers) if is_known else None
    found["click_to_open"] = len(readers & clickers) / len(readers) if is_known and readers else None
    return found


def _recipient(row: Row) -> tuple[str, str] | None:
    name = row["user_id"] or _sent(row, "recipient")
    return (row["site"], name) if name else None


@pytest.mark.parametrize("seed", SEEDS)
def test_mails_are_what_plain_python_counts(seed: int) -> None:
    """Every count of every message, and of those that name none."""
    random = Random(seed)
    rows = _traffic(random)
    with TemporaryDirectory() as folder, written(Path(folder), rows) as lakehouse:
        for start, end in _periods(random):
            within = [row for row in rows if start <= row["received_at"] < end]
            for row in answered(lakehouse, "mails", start, end, options={"by": "message"}).table.to_pylist():
                expected = _mails(within, row["value"])
                assert {name: row[name] for name in expected} == expected
