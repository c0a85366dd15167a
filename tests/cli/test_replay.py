"""`pixelake replay` beside a running server: what it prints, what the lake has then, how it fails."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from pixelake.cli import run
from tests.judging import CHROME
from tests.running import Running, running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that has taken two views, one of a machine that it does not know, and a purchase."""
    with running(tmp_path_factory.mktemp("served"), "--lake-window", "0.3") as server:
        for query, agent in (("n=1", "Mozilla/5.0"), ("n=2", CHROME), ("event=purchase&order=none", "Mozilla/5.0")):
            with urlopen(Request(f"{server.pixel}/pixel.gif?site=a&{query}", headers={"User-Agent": agent})) as answer:
                assert answer.status == 200
        yield server


@pytest.fixture
def data(served: Running, capfd: pytest.CaptureFixture[str]) -> str:
    """The data folder, once everything has settled."""
    data = str(served.data)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert run(["status", "--json", "--data", data]) == 0
        if json.loads(capfd.readouterr().out)["settled"] == 3:
            return data
        time.sleep(0.2)
    raise AssertionError("the hits do not settle")


def ask(data: str, capfd: pytest.CaptureFixture[str], query: str) -> list[dict[str, Any]]:
    """The answer to some SQL."""
    assert run(["sql", query, "--format", "json", "--data", data]) == 0
    return list(json.loads(capfd.readouterr().out))


def test_new_lists_and_schemas(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What they say of old hits is in the lake at once; the sums hold; a second run finds nothing to change."""
    (Path(data) / "lists").mkdir(exist_ok=True)
    (Path(data) / "lists" / "crawlers.txt").write_text("Chrome\n")
    (Path(data) / "schemas").mkdir(exist_ok=True)
    (Path(data) / "schemas" / "purchase.json").write_text('{"properties": {"order": {"pattern": "^[0-9]+$"}}}')
    assert run(["replay", "--from", "1h", "--json", "--data", data]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["looked_at"], found["changed"], found["became_rejects"], found["unchanged"]) == (3, 1, 1, 1)
    rows = ask(data, capfd, "select bot, bot_name, user_agent from events where bot")
    assert rows == [{"bot": True, "bot_name": "Chrome", "user_agent": CHROME}]
    assert ask(data, capfd, "select reason from rejects") == [{"reason": "schema"}]
    assert run(["status", "--json", "--data", data]) == 0
    status = json.loads(capfd.readouterr().out)
    assert status["outcomes"] == status["in_lake"] + status["rejected"] == 3
    assert run(["replay", "--from", "2020-01-01", "--to", "2999-12-31", "--site", " A ", "--data", data]) == 0
    assert capfd.readouterr().out.splitlines()[0] == "0 of 3 rows changed; 2 are as before"


def test_bad_spans(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Are told in one line."""
    for arguments in ((), ("--from", "yesterday"), ("--from", "1h", "--to", "2h"), ("--from", "999999w")):
        assert run(["replay", *arguments, "--data", data]) == 2
        told = capfd.readouterr()
        assert (told.out, len(told.err.splitlines())) == ("", 1)


def test_before_the_first_hit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """There is nothing to look at."""
    (tmp_path / "data").mkdir()
    assert run(["replay", "--from", "24h", "--data", str(tmp_path / "data")]) == 0
    assert capfd.readouterr().out.splitlines() == ["0 of 0 rows changed; 0 are as before"]
