"""The function behind streams and queues: every hit is in the lake once, whatever AWS hands out, and how often."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from pixelake.aws import consume as module
from pixelake.aws.consume import Consume
from pixelake.build import functions
from pixelake.errors import LakeUnavailable, SettingsError, SourceError, WarehouseError
from pixelake.stream.aggregate import pack
from pixelake.warehouse.live_sqlite import LiveReader
from pixelake.warehouse.sums import LakeReader
from tests.aws.deliveries import line, newer, of_kinesis, of_sqs
from tests.aws.requests import sample

Made = Callable[[], Consume]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a function that shares a folder with the others."""
    places = {name: f"file://{tmp_path}/{name}" for name in ("lake", "registry", "live")}
    named = {f"PIXELAKE_{name.upper()}": place for name, place in places.items()}
    return {**named, "PIXELAKE_DATA": str(tmp_path / "f")}


@pytest.fixture
def made(environment: dict[str, str]) -> Made:
    """Makes another instance of the function."""
    return lambda: Consume(functions.stages(functions.settings(environment)))


def rows(folder: Path, table: str = "events") -> list[dict[str, Any]]:
    """What the lake has."""
    found: list[dict[str, Any]] = DeltaTable(str(folder / "lake" / table)).to_pyarrow_table().to_pylist()
    return found


def paths(folder: Path) -> Counter[str]:
    """The pages in the lake, and how often."""
    return Counter(row["path"] for row in rows(folder))


EVENTS = {
    "kinesis": lambda numbers: of_kinesis([line(number) for number in numbers]),
    "sqs": lambda numbers: of_sqs([line(number).decode() for number in numbers]),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_handed_out_again(made: Made, tmp_path: Path, kind: str) -> None:
    """In other batches, to other instances: each hit is one event, and the live store counts it once."""
    first, second = made(), made()
    for consume, numbers in ((first, range(5)), (second, range(3, 9)), (first, range(9))):
        assert consume(EVENTS[kind](numbers)) == {"batchItemFailures": []}
    assert paths(tmp_path) == Counter(f"/{number}" for number in range(9))
    assert len(LiveReader(tmp_path / "live").newest(100)) == 9
    assert LakeReader(tmp_path / "lake").sums().holds


def test_an_aggregate(made: Made, tmp_path: Path) -> None:
    """Records of Kinesis that hold several are opened; what lies in them again is one."""
    packed = pack(line(number) for number in range(4))
    made()(of_kinesis([each.data for each in packed] + [line(3), line(4)]))
    assert paths(tmp_path) == Counter(f"/{number}" for number in range(5))


@pytest.mark.parametrize("kind", EVENTS)
def test_what_nobody_can_read(made: Made, tmp_path: Path, kind: str) -> None:
    """It is a reject with what was sent, and holds up nobody, however often it comes."""
    bodies = [line(1).decode(), "not a hit", '{"v":1}', line(2).decode()]
    event = of_kinesis([body.encode() for body in bodies]) if kind == "kinesis" else of_sqs(bodies)
    consume = made()
    for _ in range(2):
        assert consume(event) == {"batchItemFailures": []}
    assert paths(tmp_path) == Counter(["/1", "/2"])
    found = [json.loads(row["raw"])["line"] for row in rows(tmp_path, "rejects")]
    assert sorted(found) == ["not a hit", '{"v":1}']


def test_a_newer_version_in_a_queue(made: Made, tmp_path: Path) -> None:
    """It stays there for a newer program; all others are settled."""
    bodies = [line(1).decode(), newer().decode(), line(2).decode()]
    assert made()(of_sqs(bodies)) == {"batchItemFailures": [{"itemIdentifier": "message-2"}]}
    assert paths(tmp_path) == Counter(["/1", "/2"])


def test_a_newer_version_in_a_stream(made: Made, tmp_path: Path) -> None:
    """What comes before it is settled; from there on the shard waits."""
    event = of_kinesis([line(1), newer(), line(2)])
    assert made()(event) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert paths(tmp_path) == Counter(["/1"])


def test_a_live_store_that_is_away(made: Made, tmp_path: Path) -> None:
    """The lake has the hit, and AWS is told to call again; once it is back, the store has counted each once."""
    (tmp_path / "live").mkdir()
    consume = made()
    with pytest.raises(WarehouseError, match="live"):
        consume(of_kinesis([line(1)]))
    assert paths(tmp_path) == Counter(["/1"])
    (tmp_path / "live").rmdir()
    consume(of_kinesis([line(1)]))
    consume(of_kinesis([line(2)]))
    assert paths(tmp_path) == Counter(["/1", "/2"])
    assert len(LiveReader(tmp_path / "live").newest(10)) == 2


@pytest.mark.parametrize(("name", "rejects"), [("kinesis", 2), ("sqs", 2)])
def test_samples_of_aws(made: Made, tmp_path: Path, name: str, rejects: int) -> None:
    """They hold no hits of ours: each is a reject, and nothing is to be tried again."""
    assert made()(sample(name)) == {"batchItemFailures": []}
    assert len(rows(tmp_path, "rejects")) == rejects
    assert not rows(tmp_path)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"Records": []},
        {"Records": [None]},
        {"Records": [{"eventSource": "aws:kinesis"}]},
        {"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": "b", "eventSourceARN": "x"}]},
        sample("s3"),
        sample("http-2.0"),
    ],
)
def test_another_event(made: Made, event: object) -> None:
    """It is refused, in words."""
    with pytest.raises(SourceError) as caught:
        made()(event)
    assert "event source mapping" in caught.value.hint


@pytest.mark.parametrize("name", ["lake", "registry"])
def test_without_a_place(environment: dict[str, str], name: str) -> None:
    """What functions share must be named: each would begin its own."""
    del environment[f"PIXELAKE_{name.upper()}"]
    with pytest.raises(SettingsError, match=f"PIXELAKE_{name.upper()} is not set"):
        functions.settings(environment)


def test_the_handler(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It answers; a lake that is gone is raised, with one line in the log that says what to do."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    module._instance.cache_clear()
    assert module.handler(of_kinesis([line(1)]), None) == {"batchItemFailures": []}
    (tmp_path / "lake" / "events" / "_delta_log").rename(tmp_path / "away")
    with pytest.raises(LakeUnavailable):
        module.handler(of_kinesis([line(2)]), None)
    module._instance.cache_clear()
    told = [json.loads(text) for text in capsys.readouterr().err.splitlines() if '"records are not settled"' in text]
    assert len(told) == 1
    assert told[0]["hint"]
    assert told[0]["level"] == "error"
