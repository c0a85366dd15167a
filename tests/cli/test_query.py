"""`pixelake query`: what it prints, on which stream, and how it fails."""

import csv
import io
import json
import re
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pixelake import build
from pixelake.build import asking
from pixelake.cli import run
from pixelake.cli.query import _command
from pixelake.settings import load
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.live_sqlite import LiveStore
from pixelake.warehouse.questions import questions
from pixelake.warehouse.rows import rows_of
from tests.operate.importing import log_line
from tests.warehouse.outcomes import event, outcome

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTED = sorted(
    {line for page in PAGES for line in re.findall(r"^pixelake query.*", page.read_text(), re.MULTILINE)}
)
DAYS = ["--from", "2026-09-30", "--to", "2026-10-04"]
Raw = Callable[[Sequence[str]], bytes]
Told = Callable[[Sequence[str]], str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the events of a log of two days, twelve hours apart."""
    folder = tmp_path_factory.mktemp("query")
    log = folder / "access.log"
    log.write_text("".join(log_line(n * 43_200) + "\n" for n in range(4)))
    data = folder / "data"
    assert run(["import", str(log), "--format", "combined", "--site", "shop.example", "--data", str(data)]) == 0
    return data


@pytest.fixture
def raw(data: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Raw:
    """What a question prints, byte by byte."""

    def ask(arguments: Sequence[str]) -> bytes:
        assert run(["query", *arguments, "--data", str(data)]) == 0
        return capfdbinary.readouterr().out

    capfdbinary.readouterr()
    return ask


@pytest.fixture
def told(raw: Raw) -> Told:
    """What a question prints."""
    return lambda arguments: raw(arguments).decode()


def test_without_a_question_all_are_listed(told: Told) -> None:
    """Each with what it answers; also `now`, which the live store answers."""
    rows = json.loads(told(["--format", "json"]))
    assert {row["question"] for row in rows} == {*questions(), "now"}
    assert all(row["answers"] for row in rows)


def test_the_same_rows_in_each_format(told: Told, raw: Raw, data: Path) -> None:
    """They are those that the question has, whoever asks."""
    ask = ["series", *DAYS, "--interval", "day", "--site", "shop.example"]
    rows = json.loads(told([*ask, "--format", "json"]))
    assert [row["hits"] for row in rows] == [0, 2, 2, 0]
    assert [row["hits"] for row in csv.DictReader(io.StringIO(told([*ask, "--format", "csv"])))] == list("0220")
    assert told(ask).count("\n") == 6
    table = pq.read_table(io.BytesIO(raw([*ask, "--format", "parquet"])))
    assert [row["views"] for row in table.to_pylist()] == [row["views"] for row in rows]
    settings = load({"data": str(data)}, {})
    shared = asking.Look(settings)
    with build.asked_lake(settings) as lake:
        start = datetime(2026, 9, 30, tzinfo=UTC)
        made = asking.questions(lake, asking.wall_clocks(settings, shared), shared)
        answer = made.ask(Ask("series", start, start + timedelta(days=4), "shop.example", interval="day"))
    assert [row["visits"] for row in rows_of(answer.table)] == [row["visits"] for row in rows]


def test_notes_are_told_beside_the_rows(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Why there is no number, and that there are more rows: on stderr, so that the rows stay rows."""
    assert run(["query", "newest", *DAYS, "--limit", "3", "--format", "json", "--data", str(data)]) == 0
    captured = capfd.readouterr()
    assert len(json.loads(captured.out)) == 3
    assert "there are more" in captured.err
    assert run(["query", "overview", *DAYS, "--format", "json", "--data", str(data)]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)[0]["visitors"] is None
    assert "user_id" in captured.err


def test_filters_and_options(told: Told) -> None:
    """Filters choose events; an option of the question's own is a flag, or a name with a value."""
    rows = told(
        ["newest", *DAYS, "--filter", "site is shop.example", "--filter", "path is /nowhere", "--format", "json"]
    )
    assert json.loads(rows) == []
    by = [["--by", "utm_source"], ["--option", "by=utm_source"]]
    assert [json.loads(told(["campaigns", *DAYS, *each, "--format", "json"])) for each in by] == [[], []]


def test_beside_the_period_before(told: Told) -> None:
    """`--compare` puts it beside."""
    (row,) = json.loads(
        told(["overview", "--from", "2026-10-02", "--to", "2026-10-03", "--compare", "--format", "json"])
    )
    assert (row["hits"], row["before_hits"], row["change_hits"]) == (2, 2, 0)


def test_explain(told: Told) -> None:
    """Where the rows would come from, and by which SQL; as rows, without the SQL, for programs."""
    assert "select" in told(["pages", *DAYS, "--explain"])
    rows = json.loads(told(["pages", *DAYS, "--explain", "--format", "json"]))
    assert {row["source"] for row in rows} <= {"rows", "trail", "days", "months"}


def test_now(told: Told, data: Path) -> None:
    """Who is here: from the live store, beside its writer or without one."""
    (row,) = json.loads(told(["now", "--format", "json"]))
    assert row == {"visitors_5": 0, "hits_5": 0, "visitors_30": 0, "hits_30": 0}
    just = datetime.now(UTC) - timedelta(minutes=1)
    settings = load({"data": str(data)}, {})
    store = build.live_store(settings)
    assert isinstance(store, LiveStore)
    rows = [
        event("x", n, received_at=just - (n == 3) * timedelta(minutes=15), visitor_id=f"v{n % 2}") for n in (1, 2, 3)
    ]
    store.write(outcome(rows))
    (row,) = json.loads(told(["now", "--format", "json"]))
    assert row == {"visitors_5": 2, "hits_5": 2, "visitors_30": 2, "hits_30": 3}


def test_before_the_first_hit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """On an empty folder there are zeros, and nothing is written."""
    for name in ("overview", "pages", "now"):
        assert run(["query", name, "--format", "json", "--data", str(tmp_path)]) == 0
    assert not list(tmp_path.iterdir())
    assert '"hits":0' in capfd.readouterr().out.replace(" ", "")


@pytest.mark.parametrize("name", sorted(questions()))
def test_each_question_tells_what_it_takes(name: str) -> None:
    """Its own options stand beside those of all, and none of them is also another's, or a setting's."""
    command = _command(questions()[name])
    flags = [flag for each in command.params for flag in each.opts]
    assert len(flags) == len(set(flags))
    for option in questions()[name].options:
        assert f"--{option.name.replace('_', '-')}" in flags


BAD = {
    "a question that there is not": (["overvew"], "overview"),
    "a site that there is not": (["overview", "--site", "shp"], "shop.example"),
    "a site that there is not, now": (["now", "--site", "shp"], "sites list"),
    "a zone that there is not": (["overview", "--zone", "Mars/Olympus"], "Europe/Zurich"),
    "a period that there is not": (["overview", "--period", "forever"], "yesterday"),
    "a period backwards": (["overview", "--from", "2026-03-02", "--to", "2026-03-01"], "before"),
    "a date that there is not": (["overview", "--from", "2026-02-30"], "2026-03-29"),
    "a filter that is none": (["pages", "--filter", "country"], "country is DE"),
    "a column that there is not": (["pages", "--filter", "colour is red"], "properties.NAME"),
    "an interval that there is not": (["series", "--interval", "year"], "minute"),
    "an option that it has not": (["pages", "--option", "x=1"], "it takes"),
    "an option without a value": (["pages", "--option", "x"], "--option"),
    "a flag that it has not": (["overview", "--limit", "3"], "limit"),
    "a limit that cannot be": (["pages", "--limit", "0"], "1 to"),
    "a value that it cannot be": (["campaigns", "--by", "x"], "utm_source"),
    "half a character": (["pages", "--filter", "path is \udcff"], "half a character"),
}


@pytest.mark.parametrize(("arguments", "hint"), BAD.values(), ids=BAD.keys())
def test_misuse(data: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], hint: str) -> None:
    """What cannot be asked so is one line on stderr, with what it may be, and exit 2."""
    capfd.readouterr()
    assert run(["query", *arguments, "--data", str(data)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert hint in line


def test_what_fails_is_no_misuse(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No data folder: exit 1."""
    assert run(["query", "overview", "--data", str(tmp_path / "none")]) == 1
    assert "--data" in capfd.readouterr().err


@pytest.mark.parametrize("command", DOCUMENTED)
def test_what_the_documents_show(data: Path, capfd: pytest.CaptureFixture[str], command: str) -> None:
    """Each command works as it is written there; a funnel has to be declared first."""
    code = run([*shlex.split(command, comments=True)[1:], "--data", str(data)])
    error = capfd.readouterr().err
    assert code == 0 or "the site has none named 'order'" in error
