"""Every number of a report is that of a question."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pixelake import build
from pixelake.build import asking
from pixelake.cli import run
from pixelake.errors import Misasked, QueryError
from pixelake.operate.report.gather import Gather, Report, Wanted
from pixelake.operate.report.sections import ROWS
from pixelake.settings import Settings
from pixelake.warehouse.ask import Answer, Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.rows import rows_of
from pixelake.warehouse.zones import fixed
from tests.operate.importing import log_line

SITE = "shop.example"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
NOW = datetime(2026, 10, 15, 7, tzinfo=UTC)
WEEK = Wanted(SITE, datetime(2026, 10, 8, tzinfo=UTC), datetime(2026, 10, 15, tzinfo=UTC))
SUMS = {"accepted": 2, "in_stream": 1, "settled": 1, "outcomes": 1, "in_lake": 1, "rejected": 0} | {
    "withheld": 0,
    "removed": 0,
    "lag_seconds": 0.1,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks of a log: in the second there is more, of more pages than a list shows."""
    folder = tmp_path_factory.mktemp("gather")
    lines = [
        log_line(n * 3_600, f"/page-{n % 11}", agent=BOT if n % 7 == 0 else "Mozilla/5.0 Firefox/144.0")
        for n in [*range(0, 168, 2), *range(168, 336)]
    ]
    (folder / "access.log").write_text("\n".join(lines) + "\n")
    told = ["import", str(folder / "access.log"), "--format", "combined", "--site", SITE]
    assert run([*told, "--data", str(folder / "data")]) == 0
    return folder / "data"


@pytest.fixture(scope="module")
def asked(data: Path) -> Iterator[tuple[Questions, Clocks]]:
    """What answers, and the clocks."""
    settings = Settings(data=data)
    look = asking.Look(settings)
    clocks = asking.wall_clocks(settings, look)
    with build.asked_lake(settings) as lake:
        yield asking.questions(lake, clocks, look), clocks()


@pytest.fixture(scope="module")
def report(asked: tuple[Questions, Clocks]) -> Report:
    """Of the second week."""
    return Gather(*asked).report(WEEK, SUMS, NOW)


def ask(asked: tuple[Questions, Clocks], question: str, **more: Any) -> list[Mapping[str, Any]]:
    """The rows of a question about the same week."""
    return [*rows_of(asked[0].ask(Ask(question, WEEK.start, WEEK.end, site=SITE, **more)).table)]


def test_the_figures_are_those_of_overview(asked: tuple[Questions, Clocks], report: Report) -> None:
    """Value, value before and change, column by column."""
    (row,) = ask(asked, "overview", compare=True)
    for each in report.figures:
        name = each.of.column
        assert (each.value, each.before, each.change) == (row[name], row[f"before_{name}"], row[f"change_{name}"])
    assert {each.of.column: each.value for each in report.figures}["views"] == 144
    assert {each.of.column: each.before for each in report.figures}["views"] == 72


def test_the_chart_is_the_series(asked: tuple[Questions, Clocks], report: Report) -> None:
    """A point a day, beside the day of the week before."""
    rows = ask(asked, "series", interval="day", compare=True)
    assert [each.views for each in report.points] == [row["views"] for row in rows]
    assert [each.before for each in report.points] == [row["before_views"] for row in rows]
    assert [each.at.day for each in report.points] == [*range(8, 15)]


def test_each_list_is_its_question(asked: tuple[Questions, Clocks], report: Report) -> None:
    """In its order, as far as it is shown; that there is more is told."""
    for panel in report.panels:
        rows = ask(asked, panel.of.question, limit=ROWS, compare=True, options=dict(panel.of.options))
        assert [each.name for each in panel.rows] == [row[panel.of.key] for row in rows]
        assert [each.value for each in panel.rows] == [row[panel.of.column] for row in rows]
        assert [each.change for each in panel.rows] == [row[f"change_{panel.of.column}"] for row in rows]
    pages = next(panel for panel in report.panels if panel.of.question == "pages")
    assert (len(pages.rows), pages.more) == (ROWS, True)


def test_machines_are_told_apart(asked: tuple[Questions, Clocks], report: Report) -> None:
    """All hits, and those of people; machines have a list of their own."""
    assert (report.everything, report.people) == (168, 144)
    assert report.everything == ask(asked, "overview", people=False)[0]["hits"]
    assert "bots" in {panel.of.question for panel in report.panels}


def test_what_is_not_there_is_left_out(report: Report) -> None:
    """A site without campaigns has no list of them; one without countries hears that they are not known."""
    titles = {panel.of.title for panel in report.panels}
    assert "Campaigns" not in titles
    assert "Countries" in titles


def test_why_visitors_are_not_known_is_told(report: Report) -> None:
    """Over days the figure is that of each day, added up, and says so."""
    assert report.figures[0].of.column == "daily_visitors"
    assert "Visitors of the whole period are not known" in report.notes[0]


def test_within_a_day_visitors_are_people(asked: tuple[Questions, Clocks]) -> None:
    """A day has the number of different people, and a point an hour."""
    day = replace(WEEK, start=datetime(2026, 10, 14, tzinfo=UTC))
    found = Gather(*asked).report(day, {}, NOW)
    assert found.figures[0].of.column == "visitors"
    assert (found.interval, len(found.points), found.notes, found.sums) == ("hour", 24, [], {})


def test_a_zone_moves_the_days(asked: tuple[Questions, Clocks]) -> None:
    """The wall clock is the one that was asked for."""
    found = Gather(*asked).report(replace(WEEK, zone="Asia/Kolkata"), {}, NOW)
    assert (found.zone, found.begins) == ("Asia/Kolkata", datetime(2026, 10, 8, 5, 30))  # noqa: DTZ001 - a wall clock
    assert found.made == datetime(2026, 10, 15, 12, 30)  # noqa: DTZ001 - a wall clock


def test_all_sites_together(asked: tuple[Questions, Clocks]) -> None:
    """Without a site the report is of all."""
    assert Gather(*asked).report(replace(WEEK, site=None), {}, NOW).everything == 168


def test_unusual_hours_are_marked(asked: tuple[Questions, Clocks]) -> None:
    """Hours of the site are marked in the chart; what is of a page is told alone."""

    class Odd:
        """Says that an hour was unusual."""

        def ask(self, ask: Ask) -> Answer:
            """As `Questions.ask`."""
            answer = asked[0].ask(ask)
            if ask.question != "unusual":
                return answer
            row = dict.fromkeys(answer.table.schema.names) | {
                "begins": datetime(2026, 10, 10, 13, tzinfo=UTC),
                "ends": datetime(2026, 10, 10, 15, tzinfo=UTC),
                "what": "site",
                "value": SITE,
                "reason": "9 hits; 1 to 2 are usual",
            }
            page = row | {"what": "page", "begins": datetime(2026, 10, 12, 13, tzinfo=UTC)}
            page["ends"] = datetime(2026, 10, 12, 14, tzinfo=UTC)
            return replace(answer, table=answer.table.from_pylist([row, page], answer.table.schema))

    found = Gather(Odd(), asked[1]).report(WEEK, {}, NOW)
    assert [each.at.day for each in found.points if each.unusual] == [10]
    assert [each.what for each in found.unusual] == ["site", "page"]


def test_a_list_that_takes_too_long_is_told(asked: tuple[Questions, Clocks]) -> None:
    """The rest of the report is there; without the headlines there is none."""

    class Slow:
        """Gives up one question."""

        def __init__(self, question: str) -> None:
            self.question = question

        def ask(self, ask: Ask) -> Answer:
            """As `Questions.ask`."""
            if ask.question == self.question:
                raise QueryError("it took\nlonger than 20 s", "ask for less")
            return asked[0].ask(ask)

    found = Gather(Slow("pages"), asked[1]).report(WEEK, {}, NOW)
    assert "Pages: not answered, it took longer than 20 s." in found.notes
    assert "Pages" not in {panel.of.title for panel in found.panels}
    with pytest.raises(QueryError, match="longer than 20 s"):
        Gather(Slow("overview"), asked[1]).report(WEEK, {}, NOW)


def test_long_periods_have_no_unusual_hours(asked: tuple[Questions, Clocks]) -> None:
    """They are looked for in three months at most, and that is told; the chart has a point a month."""
    found = Gather(*asked).report(replace(WEEK, start=datetime(2025, 1, 1, tzinfo=UTC)), {}, NOW)
    assert any("92 days at most" in each for each in found.notes)
    assert found.interval == "month"


def test_what_is_not_there_is_misasked(asked: tuple[Questions, Clocks]) -> None:
    """An unknown site, an unknown zone, and a folder without a single site."""
    with pytest.raises(Misasked, match="there is no site"):
        Gather(*asked).report(replace(WEEK, site="nope"), {}, NOW)
    with pytest.raises(QueryError, match="there is no time zone"):
        Gather(*asked).report(replace(WEEK, zone="Mars/Crater"), {}, NOW)
    with pytest.raises(Misasked, match="nothing to report yet"):
        Gather(asked[0], Clocks(fixed("UTC"), {}, frozenset())).report(WEEK, {}, NOW)
