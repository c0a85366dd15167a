"""What roll-ups say is what rows say: any question, filter, period, zone, interval, whatever happened to the lake."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from pixelake import event as model
from pixelake.clock import SECOND
from pixelake.errors import QueryError
from pixelake.operate.compaction import compact
from pixelake.operate.retention import ages, retain_rows
from pixelake.testing import FakeClock
from pixelake.warehouse import filters
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.base import EVENTS, REJECTS
from pixelake.warehouse.bring import Brought
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.questions import Question, questions
from pixelake.warehouse.rollup.build import Builder
from pixelake.warehouse.zones import INTERVALS, Clock, fixed
from tests.warehouse.outcomes import outcome
from tests.warehouse.rollup.worlds import People, by_rows, clocks, lakehouse
from tests.warehouse.test_swap import into

SETTINGS = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
COLUMNS = filters.filterable({field.name: field.type for field in model.FIELDS})
EXAMPLES = 8
AFTER = 3
"""Questions of each lake, and of one after each thing that happens to it."""
WORLDS = {
    "march": (("zurich", "moved", "kathmandu"), date(2026, 3, 28), 5),
    "april": (("howe", "kolkata"), date(2026, 4, 3), 4),
    "february": (("johns", "zurich"), date(2026, 1, 30), 40),
    "october": (("zurich", "johns"), date(2026, 10, 23), 4),
}
"""Sites, the first day and the number of days: changes of the clock, a site that moves, and whole months."""


class World(NamedTuple):
    """A lake, and two who answer: with roll-ups, and from rows alone."""

    folder: Path
    clocks: Clocks
    people: People
    first: date
    last: date
    with_rollups: Questions
    from_rows: Questions

    def build(self) -> None:
        """Make the roll-ups."""
        Builder(self.folder, self.clocks, clock=later()).run()

    def agrees(self, ask: Ask) -> set[str]:
        """Check that both say the same; return where the answer came from."""
        both = [_said(each, ask) for each in (self.with_rollups, self.from_rows)]
        assert _alike(both[0][0], both[1][0]), ask
        return both[0][1]


def later() -> FakeClock:
    """A time at which all days of all worlds are over."""
    return FakeClock(round(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * SECOND)


def _said(by: Questions, ask: Ask) -> tuple[Any, set[str]]:
    try:
        answer = by.ask(ask)
    except QueryError as error:
        return str(error), set()
    return (answer.table.to_pylist(), dict(answer.notes), answer.more), {part.source for part in answer.parts}


def _alike(one: Any, other: Any) -> bool:
    """Equal; of fractions, but for the order in which they were added."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other)


def made(folder: Path, name: str, visits: int) -> Iterator[World]:
    """A world; its roll-ups are still to be made."""
    sites, first, count = WORLDS[name]
    days = [first + timedelta(days=number) for number in range(count)]
    some = days if count < 10 else [*days[:4], days[15], *days[28:33], *days[36:]]
    known, people = clocks(*sites), People(len(name), sites, some)
    Lake(folder).write(outcome(people.events(visits)))
    with lakehouse(folder) as house:
        yield World(folder, known, people, first, days[-1], Questions(house, lambda: known), by_rows(house, known))


# --- what may be asked

VALUES = {
    "country": ["DE", "AT", "NP", "XX", ""],
    "browser": ["Firefox", "Chrome", ""],
    "path": ["/", "/blog/2026", "blog", "/Blog/a'b", ""],
    "event": ["pageview", "purchase", "PAGE"],
    "utm_source": ["letter", ""],
    "user_id": ["user-1", "user-2", ""],
    "title": ["Home", "ünï", "❤", ""],
    "properties.plan": ["pro", "free", "fr", ""],
    "properties.no": ["x", ""],
}
PLAIN = {"value": ["1", "9.0", ""], "bot": ["true", "false", ""], "dnt": ["true", ""]}
PATTERNS = ["^/b", "(?i)BLOG", "o.$", "[aeiou]{1}", "\\d{4}"]


@st.composite
def one_filter(draw: st.DrawFn) -> list[Any]:
    """A single filter, as JSON has it."""
    column = draw(st.sampled_from([*VALUES, *PLAIN]))
    if column in PLAIN:
        return [draw(st.sampled_from(["is", "is not", "in"])), column, [draw(st.sampled_from(PLAIN[column]))]]
    operator = draw(st.sampled_from(filters.OPERATORS))
    texts = st.sampled_from(PATTERNS if operator.endswith(("matches", "match")) else VALUES[column])
    values = draw(st.lists(texts, min_size=1, max_size=3))
    return [operator, column, [each or "o" for each in values] if "contain" in operator else values]


FILTERS = st.recursive(
    one_filter(),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(list), st.tuples(st.just("not"), inner).map(list)
    ),
    max_leaves=3,
)


@st.composite
def asks(draw: st.DrawFn, world: World, kind: Question | None = None) -> Ask:
    """Any question about a world."""
    question = kind or questions()[draw(st.sampled_from([*questions()]))]
    site = draw(st.sampled_from([None, *world.clocks.sites, "nobody"]))
    zone = draw(
        st.sampled_from([None, None, "Australia/Lord_Howe", "Asia/Kolkata", "Europe/Zurich", "America/St_Johns"])
    )
    start, end = draw(periods(world, world.clocks.of(site) if zone is None else Clock(fixed(zone))))
    tree = draw(st.one_of(st.none(), FILTERS))
    interval = draw(st.sampled_from([None, *INTERVALS])) if question.kind == "series" else None
    limit = draw(st.sampled_from([None, 1, 3])) if question.kind == "list" else None
    picked = {
        each.name: draw(st.sampled_from(each.choices))
        for each in question.options
        if each.choices and draw(st.booleans())
    }
    return Ask(
        question.name,
        start,
        end,
        site,
        zone,
        interval,
        filters.parse([dumps(tree)], COLUMNS) if tree else filters.NOTHING,
        people=draw(st.integers(0, 4)) > 0,
        limit=limit,
        skip=draw(st.integers(0, 2)) if limit else 0,
        options=picked,
    )


@st.composite
def periods(draw: st.DrawFn, world: World, clock: Clock) -> tuple[datetime, datetime]:
    """Whole days on a clock, whole months, or any moments."""
    length = (world.last - world.first).days
    first = draw(st.integers(-1, length))
    last = draw(st.integers(first, length + 1))
    days = [world.first + timedelta(days=number) for number in (first, last)]
    how = draw(st.sampled_from(["days", "days", "months", "any"]))
    if how == "months":
        days = [
            days[0].replace(day=1),
            (days[1].replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1),
        ]
    start, end = clock.bounds(days[0])[0], clock.bounds(days[1])[1]
    if how == "any":
        start += timedelta(seconds=draw(st.integers(0, 86_000)))
        end -= timedelta(minutes=draw(st.integers(-600, 600)))
    return start, max(end, start + timedelta(minutes=1))


# --- the tests


def check(world: World, examples: int, number: int = 0) -> None:
    """Ask both some questions; others with each number."""

    @seed(number)
    @settings(SETTINGS, max_examples=examples)
    @given(asks(world))
    def agrees(ask: Ask) -> None:
        world.agrees(ask)

    agrees()


def whole(world: World, question: str, **more: Any) -> Ask:
    """A question of all that is in a world."""
    end = datetime.combine(world.last + timedelta(days=3), datetime.min.time(), UTC)
    return Ask(question, datetime.combine(world.first, datetime.min.time(), UTC) - timedelta(days=35), end, **more)


@pytest.mark.parametrize("name", WORLDS)
def test_they_agree(tmp_path: Path, name: str) -> None:
    """Whatever is asked, the answer is that of the rows."""
    world = next(worlds := made(tmp_path / "lake", name, 60))
    world.build()
    check(world, EXAMPLES)
    worlds.close()


def test_every_question_of_all(tmp_path: Path) -> None:
    """Each question over a month and more, with and without a filter, and roll-ups of every kind are read for them."""
    world = next(worlds := made(tmp_path / "lake", "february", 80))
    world.build()
    sources: set[str] = set()
    firefox = filters.parse(["browser is Firefox"], COLUMNS)
    for name in questions():
        sources |= world.agrees(whole(world, name)) | world.agrees(whole(world, name, filter=firefox, site="zurich"))
    assert sources == {"months", "days", "trail", "rows"}
    worlds.close()


def test_they_agree_whatever_happens(tmp_path: Path) -> None:
    """Late hits, an erasure, a swap, an import and retention: before roll-ups are mended, and after."""
    world = next(worlds := made(tmp_path / "lake", "march", 60))
    world.build()
    for number, change in enumerate((late, erasure, judged_anew, brought, compacted, retention)):
        answer = world.from_rows.ask(whole(world, "sites")).table
        change(world)
        assert change is compacted or world.from_rows.ask(whole(world, "sites")).table != answer, change
        check(world, AFTER, number)
        world.build()
        assert world.agrees(whole(world, "overview")) <= {"days", "months"}
        check(world, AFTER, number)
    worlds.close()


def late(world: World) -> None:
    """Hits come days too late."""
    Lake(world.folder).write(outcome(world.people.events(3)))


def erasure(world: World) -> None:
    """A person leaves."""
    lake = Lake(world.folder)
    assert [left for left in lake.leave(lambda rows: pc.equal(rows["user_id"], "user-1"), ["user_id"]) if left.ids]


def judged_anew(world: World) -> None:
    """Some events become others: a replay."""
    rows = [row | {"path": "/judged", "site": "moved"} for row in world.people.made[:4]]
    Lake(world.folder).swap(into(rows))


def brought(world: World) -> None:
    """Rows of another lake are imported."""
    rows = [row | {"hit_id": f"other-{row['hit_id']}"} for row in world.people.events(3, "other")]
    table = pa.Table.from_pylist(rows, EVENTS)
    Lake(world.folder).bring(Brought("events", table, pa.Table.from_pylist([], REJECTS), "a file", 1, len(rows)))


def compacted(world: World) -> None:
    """Files are written anew, and no row changes."""
    compact(Lake(world.folder), lambda *_: None, thorough=True)


def retention(world: World) -> None:
    """The oldest days are too old."""
    until = datetime.combine(world.first + timedelta(days=92), datetime.min.time(), UTC)
    clock = FakeClock(round(until.timestamp()) * SECOND)
    assert retain_rows(Lake(world.folder), world.folder, ages(90, {}), 0, trusted=True, clock=clock).events
