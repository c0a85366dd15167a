"""A real server on a free port, over a live store in memory and questions that are counted."""

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pyarrow as pa
from fastapi import FastAPI

from pixelake.clock import SYSTEM
from pixelake.event import FIELDS
from pixelake.registry.access import SCHEMA, Book
from pixelake.registry.base import Site, Snapshot
from pixelake.registry.tokens import PREFIX, Token, hash_of
from pixelake.warehouse.ask import Answer, Ask
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.given_up import GIVEN_UP
from pixelake.warehouse.live_base import MINUTE
from pixelake.web.api import create
from pixelake.web.server import server
from pixelake.web.sources import Sources

TOKEN = "the-token-of-these-tests"
SHOPS = PREFIX + "a-token-of-the-site-shop"
ALLS = PREFIX + "a-token-of-all-sites"
SUMS = {"accepted": 5, "in_stream": 1, "settled": 4, "outcomes": 4, "in_lake": 3, "rejected": 1} | {
    "withheld": 0,
    "removed": 0,
    "lag_seconds": 0.4,
    "oldest_hit_age_seconds": 12.0,
}


@dataclass(frozen=True)
class Row:
    """A recent event."""

    cursor: int
    event: Mapping[str, Any]


@dataclass(frozen=True)
class Now:
    """Who is here."""

    visitors: int
    hits: int


@dataclass
class MemoryLive:
    """A live store in a list."""

    rows: list[Row] = field(default_factory=list)
    calls: int = 0

    def put(self, site="shop", **event):
        """An event that arrives now."""
        cursor = self.rows[-1].cursor + 1 if self.rows else 1
        self.rows = [*self.rows, Row(cursor, {"hit_id": f"p-{cursor}", "site": site, "received_at": 0, **event})]

    def after(self, cursor, limit):
        """As `Live.after`."""
        self.calls += 1
        return [row for row in self.rows if row.cursor > cursor][-limit:]

    def newest(self, limit, site=None):
        """As `Live.newest`."""
        return [row for row in reversed(self.rows) if site in (None, row.event["site"])][:limit]

    def now(self, window_seconds, site=None):
        """As `Live.now`, but nothing is ever over."""
        rows = self.newest(len(self.rows), site)
        return Now(len({row.event["hit_id"] for row in rows}), len(rows))

    def by_minute(self, since, site=None):
        """As `Live.by_minute`: all came in this minute."""
        rows = self.newest(len(self.rows), site)
        return {SYSTEM.now() // MINUTE * MINUTE: {"hits": len(rows), "views": len(rows)}} if rows else {}


@dataclass
class MemoryHits:
    """Single hits in dictionaries."""

    events: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    rejects: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    asked: list[tuple] = field(default_factory=list)

    def event(self, hit_id, site=None, at=None):
        """As `Hits.event`."""
        self.asked.append((hit_id, site, at))
        found = self.events.get(hit_id)
        return found if found and site in (None, found["site"]) else None

    def reject(self, hit_id):
        """As `Hits.reject`."""
        return self.rejects.get(hit_id)

    def replay(self, hit_id):
        """As `Hits.replay`: what is a reject becomes an event."""
        found = self.rejects.pop(hit_id, None)
        return {"looked_at": int(found is not None), "replayed": int(found is not None), "refused": {}}


@dataclass
class CountedQuestions:
    """Answers every question with one row, and counts."""

    asked: list[tuple] = field(default_factory=list)
    seconds: float = 0.0
    error: Exception | None = None
    hits: dict[str, int] = field(default_factory=dict)
    version: str = "1-0"
    given_up: int = 0

    def ask(self, ask: Ask) -> Answer:
        """As `Questions.ask`; stops when nobody waits for it any longer."""
        self.asked.append(ask)
        given_up = GIVEN_UP.get()
        if given_up and given_up.wait(self.seconds):
            self.given_up += 1
        if self.error:
            raise self.error
        if ask.question == "sites":
            return Answer(pa.table({"value": list(self.hits), "hits": list(self.hits.values())}))
        table = pa.table({"value": ["/", "=1+1"], "views": [3, 1], "visitors": [None, None]})
        return Answer(table, {"visitors": "nobody knows"}, version=self.version, more=ask.limit == 2)


@dataclass
class MemoryLake:
    """A lake at some version, which answers every SELECT with one row."""

    version: str = "1-0"
    asked: list[tuple] = field(default_factory=list)
    error: Exception | None = None
    seconds: float = 0.0

    def standing(self):
        """Its version and columns."""
        if self.error:
            raise self.error
        return SimpleNamespace(version=self.version, columns={each.name: each.type for each in FIELDS})

    def sql(self, text, *, site=None, rows=None, size=None):
        """As `Lake.sql`."""
        self.asked.append((text, site))
        if given_up := GIVEN_UP.get():
            given_up.wait(self.seconds)
        if self.error:
            raise self.error
        return pa.table({"n": [1], "text": ["@formula"]})


def book() -> Book:
    """Users, sessions and links in memory."""
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    for statement in SCHEMA:
        database.execute(statement)
    lock = threading.Lock()

    def transact(action, _begin=""):
        with lock:
            return action(database)

    return Book(transact, SYSTEM)


@dataclass
class MemoryRegistry:
    """A registry with a few sites, and a token for one and for all of them."""

    names: list[str] = field(default_factory=lambda: ["shop", "blog"])
    tokens: list[Token] = field(
        default_factory=lambda: [Token(hash_of(SHOPS), "shops", "shop", 1), Token(hash_of(ALLS), "all", None, 1)]
    )
    used: list[str] = field(default_factory=list)
    access: Book = field(default_factory=book)

    def snapshot(self):
        """The sites."""
        held = {token.hash: token for token in self.tokens}
        return Snapshot(1, {name: Site(name, ((0, "UTC"),)) for name in self.names}, tokens=held)

    def use_token(self, held, at):
        """Remembers which."""
        self.used.append(held)

    def secret(self, name):
        """The token."""
        return TOKEN


@dataclass
class House:
    """A running web role: its parts, and a client that holds the token."""

    url: str
    live: MemoryLive
    questions: CountedQuestions
    lake: MemoryLake
    registry: MemoryRegistry
    client: httpx.Client
    stop: Callable[[], float]
    hits: MemoryHits
    app: FastAPI


def sources(questions, lake, live, registry, stalled=lambda: False, *, hits=None) -> Sources:
    """What the web role is handed."""
    return Sources(
        questions,
        lake,
        lambda: Clocks.of_registry(registry.snapshot(), "UTC"),
        live,
        registry,
        lambda: SUMS,
        "http://pixel.test",
        "<img>",
        stalled,
        hits=hits or MemoryHits(),
    )


@contextmanager
def serving(hosts=(), stalled=lambda: False, *, registry=None, trusted=()) -> Iterator[House]:
    """The web role on a free port, until the end of the block."""
    live, questions, lake, registry = MemoryLive(), CountedQuestions(), MemoryLake(), registry or MemoryRegistry()
    hits = MemoryHits()
    app = create(sources(questions, lake, live, registry, stalled, hits=hits), hosts, trusted)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    running = server(app)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()

    def stop() -> float:
        started = time.monotonic()
        running.should_exit = True
        thread.join(10)
        return time.monotonic() - started

    try:
        while not running.started:
            time.sleep(0.005)
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
            yield House(url, live, questions, lake, registry, client, stop, hits, app)
    finally:
        stop()
        listening.close()
