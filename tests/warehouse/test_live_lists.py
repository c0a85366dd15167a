"""The live store's top lists: exact while they are short, bounded whatever is sent."""

from pathlib import Path
from typing import Any

import pytest

from pixelake.clock import SECOND
from pixelake.testing import FakeClock
from pixelake.warehouse import live_lists
from pixelake.warehouse.live_lists import LONGEST, MOST, Top
from pixelake.warehouse.live_sites import INTERVAL
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from tests.warehouse.outcomes import START, event, outcome

START_US = int(START.timestamp()) * SECOND


class House:
    """A live store and its reader."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock = folder / "live.sqlite", FakeClock(START_US)
        self.store = LiveStore(self.path, 86_400.0, clock=self.clock)
        self.reader = LiveReader(self.path, self.clock)
        self.at = 0

    def write(self, *columns: dict[str, Any]) -> None:
        """One write: an event of the first minute for each of `columns`."""
        rows = []
        for each in columns:
            self.at += 1
            rows.append(event("a", self.at, **{"received_at": START, **each}))
        self.store.write(outcome(rows))

    def top(self, name: str, site: str | None = None, since: int = 0, limit: int = 1000) -> list[Top]:
        """What the reader says."""
        return self.reader.top(name, site, since, limit)

    def rows(self, name: str) -> int:
        """How long the longest list of that name is in the table."""
        sql = "select max(n) from (select count(*) as n from lists where name = ? group by interval, site)"
        return self.store._connection.execute(sql, (name,)).fetchone()[0]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty live store."""
    return House(tmp_path)


def test_lists_of_people(house: House) -> None:
    """Views by page, referring host, country and so on; all people's events by name; machines and repeats nowhere."""
    house.write(
        {"host": "shop", "path": "/", "country": "DE", "referrer_host": "google.com", "browser": "Firefox"},
        {"host": "shop", "path": "/", "country": "FR", "referrer_host": "shop", "browser": "Chrome"},
        {"host": "shop", "path": "/lamp", "country": "DE", "browser": "Chrome", "os": "", "device": "mobile"},
        {"host": None, "path": "/", "site": "blog", "channel": "direct"},
        {"host": "shop", "path": None},
        {"host": "shop", "path": "/", "event": "signup"},
        {"host": "shop", "path": "/", "bot": True},
        {"host": "shop", "path": "/", "duplicate": True},
        {"host": "shop", "path": "/", "method": "HEAD"},
    )
    assert house.top("page", "shop") == [Top("shop/", 2, False), Top("shop/lamp", 1, False)]
    assert house.top("page") == [Top("shop/", 2, False), Top("/", 1, False), Top("shop/lamp", 1, False)]
    assert house.top("country", "shop") == [Top("DE", 2, False), Top("FR", 1, False)]
    assert house.top("referrer_host") == [Top("google.com", 1, False)]
    assert house.top("browser") == [Top("Chrome", 2, False), Top("Firefox", 1, False)]
    assert house.top("os") == []
    assert house.top("device") == [Top("mobile", 1, False)]
    assert house.top("channel", "blog") == [Top("direct", 1, False)]
    assert house.top("event", "shop") == [Top("pageview", 4, False), Top("signup", 1, False)]


def test_what_the_limit_leaves_out_is_the_rest(house: House) -> None:
    """The rest is marked; a client's own "(other)" is not."""
    house.write({"country": "DE"}, {"country": "DE"}, {"country": "(other)"}, {"country": "FR"})
    assert house.top("country", limit=2) == [Top("DE", 2, False), Top("(other)", 1, False), Top("(other)", 1, True)]
    assert house.top("country", limit=0) == [Top("(other)", 4, True)]


def test_intervals(house: House) -> None:
    """A list begins with the interval that `since` is in."""
    house.write({"country": "DE", "received_at": START.replace(minute=9, second=59)})
    house.write({"country": "FR", "received_at": START.replace(minute=10)})
    assert [top.value for top in house.top("country", since=START_US + INTERVAL - 1)] == ["DE", "FR"]
    assert [top.value for top in house.top("country", since=START_US + INTERVAL)] == ["FR"]
    assert house.top("country", since=START_US + 2 * INTERVAL) == []


@pytest.mark.parametrize("writes", [1, 60], ids=["at once", "one after the other"])
def test_many_values_do_not_grow_it(house: House, writes: int) -> None:
    """Thousands of different pages: the list stays short, what people look at stays in it, the sum is exact."""
    total = 0
    for turn in range(writes):
        flood = [{"path": f"/junk/{turn}/{n}"} for n in range(6_000 // writes)]
        real = [{"path": "/real"}] * (120 // writes)
        house.write(*flood, *real)
        total += len(flood) + len(real)
    found = house.top("page", "shop")
    assert found[0] == Top("/real", 120, False)
    assert found[-1].is_rest
    assert sum(top.number for top in found) == total
    assert MOST <= house.rows("page") <= 2 * MOST + 1


def test_two_writers_stay_bounded(house: House) -> None:
    """Each process knows only its own values; together they cannot exceed the bound of each."""
    other = House(house.path.parent)
    other.at = 1_000_000
    for turn in range(20):
        for each in (house, other):
            rows = [event(f"p{id(each)}", turn * 100 + n + 1, path=f"/{id(each)}/{turn}/{n}") for n in range(40)]
            each.store.write(outcome(rows))
    assert house.rows("page") <= 4 * MOST + 1
    assert sum(top.number for top in house.top("page")) == 20 * 2 * 40


def test_long_values_are_the_rest(house: House) -> None:
    """A value of thousands of characters is counted and not kept."""
    house.write({"path": "/" + "x" * LONGEST}, {"path": "/" + "y" * (LONGEST - 1)})
    assert house.top("page") == [Top("/" + "y" * (LONGEST - 1), 1, False), Top("(other)", 1, True)]


def test_too_many_rows_forget_the_oldest_interval(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lists together are bounded, too: what is oldest goes first, the newest interval stays whole."""
    monkeypatch.setattr(live_lists, "ROWS", 10)
    for minute in (0, 10, 20, 30):
        house.write(*({"country": c, "received_at": START.replace(minute=minute)} for c in ("DE", "FR", "IT")))
    intervals = house.store._connection.execute("select distinct interval from lists order by 1").fetchall()
    assert intervals == [(START_US + 2 * INTERVAL,), (START_US + 3 * INTERVAL,)]


def test_a_replay_counts_nothing_twice(house: House) -> None:
    """Lists move with the positions."""
    once = outcome([event("a", 1, country="DE")])
    house.store.write(once)
    house.store.write(once)
    LiveStore(house.path, clock=house.clock).write(once)
    assert house.top("country") == [Top("DE", 1, False)]
