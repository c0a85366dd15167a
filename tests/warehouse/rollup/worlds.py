"""Lakes for the tests of roll-ups: people on sites all over the world, around midnights and changes of the clock."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.reading import Nothing, Standing, Statement
from pixelake.warehouse.zones import Clock, Zones, fixed
from tests.warehouse.outcomes import event

MINUTE = timedelta(minutes=1)
US = timedelta(microseconds=1)
MOVED = datetime(2026, 3, 30, 9, tzinfo=UTC)
"""When the site `moved` went from Berlin to Tokyo."""
ZONES: Mapping[str, Zones] = {
    "zurich": fixed("Europe/Zurich"),
    "kolkata": fixed("Asia/Kolkata"),
    "kathmandu": fixed("Asia/Kathmandu"),
    "howe": fixed("Australia/Lord_Howe"),
    "johns": fixed("America/St_Johns"),
    "moved": ((0, "Europe/Berlin"), ((MOVED - datetime(1970, 1, 1, tzinfo=UTC)) // US, "Asia/Tokyo")),
}
HOWE_BACK = datetime(2026, 4, 4, 15, tzinfo=UTC)
"""When clocks go back on Lord Howe, by half an hour; Zurich's went forward on 29 March, St. John's on 8 March."""


def clocks(*sites: str) -> Clocks:
    """The clocks of these sites; those of the first are those of any other."""
    return Clocks(ZONES[sites[0]], {site: ZONES[site] for site in sites})


class WithoutRollUps:
    """The lake at one version, of which nothing is counted before."""

    def __init__(self, standing: Standing) -> None:
        self._standing, self.kept = standing, Nothing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._standing, name)


class Rows:
    """A lakehouse that looks at rows only."""

    def __init__(self, lakehouse: Lakehouse) -> None:
        self._lakehouse = lakehouse

    def plan(self, make: Callable[[Standing], Statement]) -> tuple[pa.Table, Statement, str]:
        """As `Lakehouse.plan`."""
        return self._lakehouse.plan(lambda standing: make(WithoutRollUps(standing)))


def by_rows(lakehouse: Lakehouse, known: Clocks) -> Questions:
    """Answers questions from rows alone."""
    return Questions(Rows(lakehouse), lambda: known)


class People:
    """Makes what people do: visits at any hour of some days, many around midnight and near the clock's changes.

    Args:
        seed: others with the same do the same.
        sites: where.
        days: on which, by the wall clock there.

    Attributes:
        made: all rows so far.
    """

    def __init__(self, seed: int, sites: Sequence[str], days: Sequence[date]) -> None:
        self._random, self._sites, self._days, self._position = Random(seed), sites, days, 0
        self.made: list[dict[str, Any]] = []

    def events(self, visits: int, partition: str = "a") -> list[dict[str, Any]]:
        """The rows of some more visits."""
        rows = [row for _ in range(visits) for row in self._visit(partition)]
        self.made += rows
        return rows

    def _visit(self, partition: str) -> Iterator[dict[str, Any]]:
        random = self._random
        site, day = random.choice(self._sites), random.choice(self._days)
        clock = Clock(ZONES[site])
        begun, ended = clock.bounds(day)
        near = random.choice(
            [begun, ended, datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=1), HOWE_BACK]
        )
        moment = begun + (ended - begun) * random.random()
        if random.random() < 0.6 and abs(near - begun) < timedelta(days=2):
            moment = near + MINUTE * random.randrange(-90, 90)
        person, facts = random.randrange(9), self._facts()
        for _ in range(random.choice([1, 1, 2, 3, 5])):
            self._position += 1
            yield event(
                partition,
                self._position,
                received_at=moment.replace(microsecond=0),
                site=site,
                **facts,
                **self._names(clock, moment, person),
                **self._act(),
            )
            moment += random.choice(
                [30 * US, MINUTE / 6, 7 * MINUTE, 29 * MINUTE, 30 * MINUTE, 31 * MINUTE, 70 * MINUTE]
            )

    def _names(self, clock: Clock, moment: datetime, person: int) -> dict[str, Any]:
        """A visitor is another one each day; who has a `user_id` has it always, but for before the login."""
        if person == 8:
            return {"visitor_id": None}
        day = clock.date(moment)
        names = {"visitor_id": f"{day}-{person}", "user_id": f"user-{person}" if person < 3 else None}
        if person == 2 and self._random.random() < 0.4:
            names["user_id"] = None
        if clock.date(moment - 30 * MINUTE) != day:
            names["visitor_before"] = f"{day - timedelta(days=1)}-{person}"
        return names

    def _facts(self) -> dict[str, Any]:
        random = self._random
        return {
            "country": random.choice(["DE", "AT", "NP", None]),
            "browser": random.choice(["Firefox", "Chrome", None]),
            "os": random.choice(["Linux", "iOS"]),
            "device": random.choice(["desktop", "mobile", None]),
            "language": random.choice(["de", "en-US", None]),
            "referrer_host": random.choice(["news.example", "www.a.example", "h", None, None]),
            "utm_source": random.choice(["letter", "", None, None]),
            "channel": random.choice(["search", "direct", None]),
            "bot": random.random() < 0.1,
            "bot_name": random.choice(["crawler", None]),
        }

    def _act(self) -> dict[str, Any]:
        random = self._random
        return {
            "host": random.choice(["h", "www.a.example"]),
            "path": random.choice(["/", "/blog/2026", "/Blog/a'b", "/kauf", None]),
            "title": random.choice(["Home", "Ünïcode ❤", None]),
            "event": random.choice(["pageview", "pageview", "pageview", "purchase", "add_to_cart"]),
            "value": random.choice([None, 1, 9, 120]),
            "currency": random.choice([None, "EUR", "CHF"]),
            "method": random.choice(["GET", "GET", "POST", "HEAD"]),
            "prefetch": random.choice([None, False, False, True]),
            "proxy": random.choice([None, None, None, "gmail", "scanner"]),
            "duplicate": random.random() < 0.1,
            "dnt": random.choice([None, True]),
            "properties": random.choice([None, [("plan", ["pro", "free"])], [("plan", ["free"]), ("color", ["red"])]]),
        }


def lakehouse(folder: Path) -> Lakehouse:
    """The lake, with little memory and one thread: many are open in a test run."""
    return Lakehouse(folder, timeout=60, memory="256MB", threads=1)
