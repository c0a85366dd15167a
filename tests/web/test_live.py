"""The live feed."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from pixelake.web import live
from tests.web.house import SUMS, MemoryLive


@contextmanager
def watching(house, query="", **headers) -> Iterator[Iterator[tuple[str, str, object]]]:
    """The events of a live feed as (kind, id, data), as they come."""
    with house.client.stream("GET", f"/api/v1/live?{query}", headers=headers, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield parsed(answer.iter_lines())


def parsed(lines):
    """Server-sent events out of lines."""
    fields = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], fields.get("id"), json.loads(fields["data"])
            fields = {}


def next_events(feed):
    """The next frame of events: its id, and the events."""
    return next((place, data) for kind, place, data in feed if kind == "events")


def test_a_new_event_arrives(house):
    """An event is with the viewers within a second, with its place as the id."""
    house.live.put(title="before")
    with watching(house) as feed:
        assert next(feed)[0] in ("now", "status")
        house.live.put(title="after")
        began = time.monotonic()
        place, events = next_events(feed)
        assert time.monotonic() - began < 1
        assert (place, [event["title"] for event in events]) == ("2", ["after"])


def test_figures_arrive(house):
    """The live figures and both sums are sent at once, and not again while they stay the same."""
    with watching(house) as feed:
        first = {next(feed)[0], next(feed)[0]}
        assert first == {"now", "status"}
        house.live.put()
        kinds = [next(feed)[0] for _ in range(2)]
        assert sorted(kinds) == ["events", "now"]


def test_the_sums_are_those_of_status(house):
    """The feed carries the status as it is."""
    with watching(house) as feed:
        assert next(data for kind, _, data in feed if kind == "status") == SUMS


def test_resumes_behind_the_last_event(house):
    """A browser that comes back gets what it missed, once, and rather by its last event than by the address."""
    for number in range(1, 6):
        house.live.put(title=str(number))
    with watching(house, "after=1", **{"Last-Event-ID": "3"}) as feed:
        assert [event["title"] for event in next_events(feed)[1]] == ["4", "5"]


def test_an_odd_last_event_id_is_none(house):
    """A Last-Event-ID that is no place of ours is left aside."""
    house.live.put(title="1")
    for odd in ("-1", "x", "9" * 40, "1e3"):
        with watching(house, "after=0", **{"Last-Event-ID": odd}) as feed:
            assert [event["title"] for event in next_events(feed)[1]] == ["1"]


def test_only_the_site_that_was_asked_for(house):
    """A viewer of one site sees no other."""
    with watching(house, "site=blog&after=0") as feed:
        house.live.put(site="shop")
        house.live.put(site="blog", title="mine")
        assert [event["title"] for event in next_events(feed)[1]] == ["mine"]


def test_a_store_that_began_anew(house):
    """A live store that was deleted and begins at 1 again is followed."""
    for _ in range(9):
        house.live.put()
    with watching(house) as feed:
        next(feed)
        house.live.rows = []
        time.sleep(1.2)
        house.live.put(title="new life")
        assert next_events(feed)[1][-1]["title"] == "new life"


def test_a_flood_is_cut_to_what_a_screen_shows(house):
    """Of thousands of events at once a viewer gets the newest hundred."""
    house.live.put()
    first = house.live.rows[-1]
    with watching(house) as feed:
        next(feed)
        house.live.rows = [type(first)(n, {**first.event, "hit_id": f"p-{n}"}) for n in range(1, 3001)]
        place, events = next_events(feed)
        assert (place, len(events), events[-1]["cursor"]) == ("3000", 100, 3000)


def test_an_outage_does_not_end_the_feed(house):
    """While the store cannot be read the feed waits; then it goes on."""
    good = house.live.after
    with watching(house) as feed:
        next(feed)
        house.live.after = lambda *_: 1 / 0
        house.live.put(title="during")
        time.sleep(0.6)
        house.live.after = good
        assert [event["title"] for event in next_events(feed)[1]] == ["during"]


def test_nobody_watches_nothing_is_read(house):
    """Without viewers the store is left alone."""
    time.sleep(0.6)
    assert house.live.calls == 0


def test_one_poller_for_all(house):
    """Twenty viewers cost no more looks at the store than one."""
    threads = [threading.Thread(target=_watch_a_second, args=(house,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.live.calls <= 8  # about two seconds, at one look every 0.4 s


def _watch_a_second(house):
    began = time.monotonic()
    try:
        with httpx.stream("GET", house.url + "/api/v1/live", headers=house.client.headers, timeout=1.0) as answer:
            for _ in answer.iter_lines():
                if time.monotonic() - began > 1:
                    return
    except httpx.ReadTimeout:
        return


def test_a_viewer_that_does_not_read_is_let_go():
    """Frames do not pile up for a viewer that reads too slowly: its stream ends, and the others go on."""

    async def watch():
        store = MemoryLive()
        feed = live.Feed(store, None)
        slow, quick = feed.watch(None, 0), feed.watch(None, 0)
        await anext(slow)
        await anext(quick)
        got = []
        for number in range(live.WAITING + 2):
            store.put(title=str(number))
            await feed._events()
            got.append(await anext(quick))
        left = [frame async for frame in slow]
        feed.close()
        return len(got), left

    assert asyncio.run(watch()) == (live.WAITING + 2, [])


class PausedLive(MemoryLive):
    """A live store during whose looks something else happens."""

    def __init__(self):
        super().__init__()
        self.meanwhile = lambda: None

    def after(self, cursor, limit):
        """As `Live.after`; then something happens."""
        rows = super().after(cursor, limit)
        self.meanwhile()
        return rows

    def newest(self, limit, site=None):
        """As `Live.newest`; then something happens."""
        rows = super().newest(limit, site)
        self.meanwhile()
        return rows


async def _status():
    return SUMS


async def _titles(frames, store, stop):
    """The events that a viewer gets until the one called `stop`."""
    got = []
    while stop not in got:
        await asyncio.sleep(0)
        lines = (await anext(frames)).decode().splitlines(keepends=True)
        got += [
            event["title"] for kind, _, data in parsed([*map(str.rstrip, lines)]) if kind == "events" for event in data
        ]
    return got


def test_nothing_is_sent_twice():
    """A viewer that moved on while the newest event was looked up is not set back."""

    async def watch():
        store = PausedLive()
        store.put(title="old")
        feed = live.Feed(store, _status)
        frames = feed.watch(None, 0)
        await anext(frames)
        await feed._events()
        viewer = next(iter(feed._viewers))

        def moves_on():
            store.meanwhile = lambda: None
            store.put(title="new")
            viewer.cursor = store.rows[-1].cursor

        store.meanwhile = moves_on
        await feed._figures()
        await feed._events()
        store.put(title="last")
        await feed._events()
        got = await _titles(frames, store, "last")
        feed.close()
        return got

    assert asyncio.run(watch()) == ["old", "last"]


def test_nothing_is_skipped():
    """A viewer that joins from further back during a look gets all it missed with the next one."""

    async def watch():
        store = PausedLive()
        for number in range(4):
            store.put(title=str(number))
        feed = live.Feed(store, _status)
        first, second = feed.watch(None, 3), feed.watch(None, 1)
        await anext(first)
        loop = asyncio.get_running_loop()
        store.meanwhile = lambda: asyncio.run_coroutine_threadsafe(anext(second), loop).result()
        look = asyncio.create_task(feed._events())
        await look
        store.meanwhile = lambda: None
        await feed._events()
        got = await _titles(second, store, "3")
        feed.close()
        return got

    assert asyncio.run(watch()) == ["1", "2", "3"]


def test_stopping_ends_the_feeds(house):
    """With viewers connected the server stops in well below two seconds, and their streams end cleanly."""
    with watching(house) as feed:
        next(feed)
        seconds = house.stop()
        assert list(feed) is not None
    assert seconds < 1.5
