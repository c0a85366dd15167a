"""The live store on DynamoDB is bounded, whatever clients send; its sums stay exact."""

import random
from typing import Any

import pytest

from pixelake.clock import SECOND
from pixelake.testing import FakeClock
from pixelake.warehouse import live_dynamodb, live_dynamodb_docs, live_dynamodb_entries, live_dynamodb_log
from pixelake.warehouse.dynamodb import Table
from pixelake.warehouse.live_dynamodb import DynamoLive
from pixelake.warehouse.live_dynamodb_docs import Counts, Delta, Places
from pixelake.warehouse.live_dynamodb_reader import DynamoLiveReader
from pixelake.warehouse.live_lists import MOST
from pixelake.warehouse.live_sites import OTHER
from tests.warehouse.live_tables import everything, size
from tests.warehouse.outcomes import START, event, outcome, reject

START_US = int(START.timestamp()) * SECOND
NOW = FakeClock(START_US + 600 * SECOND)
ITEM = 400 * 1024


@pytest.fixture
def table(dynamodb: str) -> Table:
    """A new table."""
    return Table(dynamodb)


WORDS = "".join(map(chr, random.Random(7).choices(range(0x4E00, 0x9FFF), k=100_000)))


def text(source: random.Random, length: int) -> str:
    """What hardly compresses."""
    start = source.randrange(len(WORDS) - length)
    return WORDS[start : start + length]


def sum_of(counts: Counts, name: str) -> int:
    """What all sites together have in their lists of that name."""
    return sum(sum(own.lists.get(name, {}).values()) for own in counts.sites.values())


def test_many_events_are_written_by_parts(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits into no item is cut by position, also within a partition; each hit counts once, also if repeated."""
    monkeypatch.setattr(live_dynamodb_entries, "ROWS", 10)
    rows = [event(name, at) for name in ("a", "b") for at in range(1, 41)]
    whole = outcome(rows, [reject("a", at) for at in range(41, 46)])
    store, reader = DynamoLive(table, clock=NOW), DynamoLiveReader(table, clock=NOW)
    for _ in range(2):
        store.write(whole)
    assert store.positions() == {"a": 45, "b": 40}
    counts = {name: sum(row.number for row in reader.minutes(0) if row.name == name) for name in ("hits", "rejects")}
    assert counts == {"hits": 80, "rejects": 5}
    assert len({row.event["hit_id"] for row in reader.newest(100)}) == 80
    assert len([item for item in everything(table) if "#entry#" in item["pk"]]) >= 8


def test_large_texts_fit(table: Table) -> None:
    """Events of megabytes that do not compress, also as one hit: no item is too large, and all are counted."""
    source = random.Random(7)

    def large(partition: str, position: int, at: int) -> dict[str, Any]:
        words = {name: text(source, 2_000) for name in ("title", "url", "referrer", "user_agent")}
        lists = {name: text(source, 400) for name in ("path", "referrer_host", "country", "browser", "os", "device")}
        made = event(partition, position, **words, **lists, site=text(source, 80))
        return made | {"hit_id": f"{partition}-{position}-{at}"}

    of_many = [large("many", at, 0) for at in range(1, 81)]
    of_one = [large("one", 1, at) for at in range(80)]
    store, reader = DynamoLive(table, clock=NOW), DynamoLiveReader(table, clock=NOW)
    store.write(outcome([*of_many, *of_one]))
    live_dynamodb.merged(store._log, store._term())
    assert sum(names["hits"] for names in reader.by_minute(0).values()) == 160
    assert max(sum(size(value) for value in item.values()) for item in everything(table)) < ITEM
    assert reader.newest(1)
    assert reader.now(900.0).hits == 160


def test_only_so_many_are_shown(table: Table) -> None:
    """Events beyond the bound are not shown any more, as if they had been forgotten; counts stay."""
    store, reader = DynamoLive(table, 1e6, 3, NOW), DynamoLiveReader(table, 1e6, 3, NOW)
    for at in range(1, 6):
        store.write(outcome([event("a", 2 * at), event("a", 2 * at + 1)]))
    assert [row.event["hit_id"] for row in reader.newest(9)] == ["a-11", "a-10", "a-9"]
    assert [row.event["hit_id"] for row in reader.newest(9, "shop")] == ["a-11", "a-10", "a-9"]
    assert reader.by_minute(START_US)[START_US]["hits"] == 10


def test_the_ring_is_used_again(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries are put in the place of the oldest ones; nothing of what was counted is lost with those."""
    for module in ("live_dynamodb_log", "live_dynamodb_merge", "live_dynamodb_reader"):
        monkeypatch.setattr(f"pixelake.warehouse.{module}.RING", 5)
    monkeypatch.setattr(live_dynamodb, "EVERY", 2)
    one, two, known = DynamoLive(table, clock=NOW), DynamoLive(table, clock=NOW), DynamoLiveReader(table, clock=NOW)
    for at in range(1, 15):
        (one, two)[at % 2].write(outcome([event("a", at)]))
        known.newest(3, "shop")
    two.write(outcome([event("a", at) for at in range(1, 15)]))
    for reader in (known, DynamoLiveReader(table, clock=NOW)):
        assert [row.event["hit_id"] for row in reader.newest(9)] == [f"a-{at}" for at in range(14, 9, -1)]
        assert [row.event["hit_id"] for row in reader.newest(9, "shop")] == [f"a-{at}" for at in range(14, 9, -1)]
        assert reader.by_minute(START_US)[START_US]["hits"] == 14
    assert len([item for item in everything(table) if "#entry#" in item["pk"]]) == 5


def test_sites_beyond_the_bound_are_counted_together(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost from the sums; who was first keeps its place, however many come later."""
    monkeypatch.setattr(live_dynamodb_docs, "COUNTED", 2)
    monkeypatch.setattr(live_dynamodb_docs, "LISTED", 1)
    monkeypatch.setattr(live_dynamodb, "EVERY", 2)
    store = DynamoLive(table, clock=NOW)
    store.write(outcome([event("a", 1, site="real"), event("a", 2, site="real")]))
    for turn in range(4):
        rows = [event("a", 3 + turn * 100 + n, site=f"junk-{turn}-{n}", received_at=START) for n in range(100)]
        store.write(outcome([*rows, event("b", turn + 1, site="real")]))
    reader = DynamoLiveReader(table, clock=NOW)
    found: dict[str, int] = {}
    for row in reader.minutes(0):
        found[row.site] = found.get(row.site, 0) + row.number * (row.name == "hits")
    assert sum(found.values()) == 406
    assert found["real"] == 6
    assert len(found) <= 2 * live_dynamodb_docs.SHARDS + 1
    assert reader.by_minute(START_US, OTHER)[START_US]["hits"] == found[OTHER]
    assert sum(top.number for top in reader.top("event", None, 0, 5)) == 406
    assert reader.top("event", "real", 0, 5)[0].number == 6


def test_lists_stay_short() -> None:
    """Many values, one after the other: the sum stays exact, and what is frequent stays."""
    counts = Counts({})
    for turn in range(300):
        counts.add(Delta(0, "x", {0: {"hits": 2}}, {"page": {f"/{turn}": 1, "/real": 1}}))
    pages = counts.sites["x"].lists["page"]
    assert (sum(pages.values()), pages["/real"]) == (600, 300)
    assert len(pages) <= 2 * MOST + 1


def test_a_document_shrinks_until_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of counts the rare values go to the rest, then the last sites to the others; of places the oldest go."""
    monkeypatch.setattr(live_dynamodb_docs, "BYTES", 10_000)
    source = random.Random(3)
    counts, places = Counts({}), Places({})
    for n in range(400):
        site = text(source, 80)
        counts.add(Delta(0, site, {0: {"hits": 1}}, {"page": {text(source, 100): 1}}))
        places.add({site: list(range(n * 1_000, n * 1_000 + 50))}, 0)
    packed = live_dynamodb_docs.packed(counts)
    assert len(packed) <= 10_000
    kept = live_dynamodb_docs.counts(packed)
    assert sum(own.minutes[0]["hits"] for own in kept.sites.values()) == 400
    assert sum_of(kept, "page") == 400
    packed = live_dynamodb_docs.packed(places)
    assert len(packed) <= 10_000
    assert list(live_dynamodb_docs.places(packed).sites)[-1] == list(places.sites)[-1]


def test_who_is_here_of_a_long_past(table: Table) -> None:
    """A backlog is not here, and who left half an hour ago is not counted."""
    clock = FakeClock(START_US + 60 * SECOND)
    store, reader = DynamoLive(table, clock=clock), DynamoLiveReader(table, clock=clock)
    store.write(outcome([event("a", 1)]))
    assert reader.now(1_800.0).hits == 1
    clock.advance(7_200)
    store.write(outcome([event("a", 2), event("a", 3, received_at=START.replace(hour=23))]))
    assert (reader.now(1_800.0).hits, reader.now(7_000.0).hits) == (1, 1)


def test_the_log_is_read_by_what_its_numbers_say(table: Table) -> None:
    """A slot that was used again is not taken for the entry that was there before."""
    store = DynamoLive(table, clock=NOW)
    store.write(outcome([event("a", 1)]))
    log = live_dynamodb_log.Log(table)
    assert list(log.read([1, 2])) == [1]
    assert log.read([1 + live_dynamodb_log.RING]) == {}
