"""What gives out first, at which rate."""

import json
import re
from pathlib import Path

import pytest

from pixelake.aws import terms
from pixelake.aws.cost_inputs import KNOWN, Inputs, told
from pixelake.aws.limits import COMMIT, DESIGNS, Calls, _full, limits, needed_shards
from pixelake.cli import run


def rates(design: str, *figures: str) -> dict[str, float]:
    """Each limit of a design, and its rate."""
    return {limit.name: limit.rate for limit in limits(design, 1_000.0, told(figures))}


def test_what_shards_take_and_give() -> None:
    """Thirty take 30 MB and 30,000 records a second, and give 60 MB: of whichever there is more."""
    assert needed_shards(30_000, 1_000) == 30
    assert needed_shards(30_000, 100) == 30
    assert needed_shards(3_000, 10 * (1 << 20) / 1_000) == 30
    assert needed_shards(0, 0) == 1
    found = rates("stream", "shards=30", f"hit_bytes={1 << 10}")
    assert found["Kinesis: records into its shards"] == 30_000
    assert found["Kinesis: bytes into its shards"] * (1 << 10) == 30 * (1 << 20)
    assert found["Kinesis: bytes out of its shards"] * (1 << 10) == 60 * (1 << 20)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_lowest_is_first(design: str) -> None:
    """Each has a rate above nothing and a remedy, and they are in order."""
    found = limits(design, 1_000.0, Inputs())
    assert [each.rate for each in found] == sorted(each.rate for each in found)
    assert all(each.rate > 0 and each.remedy for each in found)


def test_what_is_first() -> None:
    """As deployed, a stream is bound by its shards, which the throttle matches; others by the throttle."""
    first = limits("stream", 1.0, told(["hit_bytes=1000"]))[0]
    assert first.rate == terms.THROTTLE.rate == 1_000 * terms.SHARDS
    assert rates("stream", "shards=8")["throttle of the API's stage"] == 8_000
    assert limits("queue", 1.0, Inputs())[0].name == "throttle of the API's stage"
    assert limits("firehose", 1.0, Inputs())[0].rate == 2_000
    assert limits("edge", 1.0, Inputs())[0].name == "Kinesis, lines: records into its shards"


def test_many_trickling_shards_commit_too_often() -> None:
    """A few sources fill the lake's log only with full batches; many do so by committing once a window each."""
    few, many = (Calls(1_000.0, 5.0, count, count, 1_024.0) for count in (2.0, 60.0))
    assert _full(1 / COMMIT, few) == pytest.approx(1_000 / COMMIT)
    rate = _full(1 / COMMIT, many)
    assert 60 / (5.0 + 60 / rate) == pytest.approx(1 / COMMIT)


def test_event_ids_write_to_the_table() -> None:
    """Who sends them meets a limit that others do not have."""
    assert "event ids: the table" not in rates("stream")
    assert rates("stream", "event_ids=1")["event ids: the table"] == 4_000


@pytest.mark.parametrize("name", KNOWN)
def test_no_figure_breaks_it(name: str) -> None:
    """Any of them may be as small as it may be."""
    for design in DESIGNS:
        assert limits(design, 0.0, told([f"{name}={KNOWN[name].metadata['least']}"]))


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """What is reached at the rate is marked; programs get the same."""
    assert run(["aws", "limits", "--events-per-second", "3000", "--topology", "stream"]) == 0
    text = capsys.readouterr().out
    assert "Shards for 3,000 hits of 1,000 bytes a second: 3." in text
    assert "REACHED  Kinesis: records into its shards" in text
    assert run(["aws", "limits", "--events-per-second", "3000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["topologies"]) == set(DESIGNS)
    reached = {each["name"] for each in found["topologies"]["stream"] if each["reached"]}
    assert "Kinesis: records into its shards" in reached
    assert "APIs of the account" not in reached


def test_a_rate_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """It says so in a line."""
    assert run(["aws", "limits", "--events-per-second", "nan"]) == 2
    assert capsys.readouterr().err


def test_the_page_says_so() -> None:
    """What the page tells to be first of each design is."""
    text = (Path(__file__).parents[2] / "docs" / "deploy" / "aws" / "which.md").read_text("utf-8")
    section = text.partition("## What gives out first")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (?:some )?([\d,]+)/s", section, re.MULTILINE)
    assert {name for name, _ in rows} == {"stream", "firehose", "edge", "queue", "fleet", "fleet-s3"}
    for name, rate in rows:
        assert limits(name, 1.0, Inputs())[0].rate == pytest.approx(int(rate.replace(",", "")), rel=0.01)
