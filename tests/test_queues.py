"""The whole program on a stream of AWS: every hit that was answered is in the lake once, whatever is killed."""

import os
import signal
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest
from deltalake import DeltaTable

from pixelake.warehouse.live_sqlite import LiveReader
from pixelake.warehouse.sums import LakeReader
from tests.crash.campaign import children
from tests.running import Running, running
from tests.s3 import Server, reached
from tests.sinks import eventually
from tests.stream.aws import new_queue
from tests.stream.test_kinesis import new_stream

HITS = 30


@pytest.fixture(params=["sqs", "kinesis"])
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, moto: Server) -> dict[str, str]:
    """Of a program whose stream is a new one of that kind."""
    reached(monkeypatch, moto.environment)
    name = f"{new_queue()}?visibility=10" if request.param == "sqs" else new_stream()
    return {**moto.environment, "PIXELAKE_STREAM": f"{request.param}://{name}", "PIXELAKE_LAKE_WINDOW": "1"}


def send(serve: Running, first: int) -> None:
    """Some hits."""
    for number in range(first, first + HITS):
        with urlopen(f"{serve.pixel}/pixel.gif?site=s.example&url=https://s.example/{number}", timeout=10) as answer:
            assert answer.status == 200


def paths(data: Path) -> Counter[str]:
    """The pages in the lake."""
    rows = DeltaTable(str(data / "lake" / "events")).to_pyarrow_table(columns=["path"])
    return Counter(rows["path"].to_pylist())


def in_lake(data: Path) -> int:
    """How many events it has."""
    return LakeReader(data / "lake").sums().in_lake


def test_from_hit_to_lake(tmp_path: Path, environment: dict[str, str]) -> None:
    """With a consumer that is killed while it works, and a program that is started anew."""
    with running(tmp_path, environment=environment) as serve:
        send(serve, 0)
        eventually(lambda: children(serve.pid, "consume") != [], 30)
        os.kill(*children(serve.pid, "consume"), signal.SIGKILL)
        send(serve, HITS)
        eventually(lambda: in_lake(serve.data) == 2 * HITS, 60)
    with running(tmp_path, environment=environment) as serve:
        send(serve, 2 * HITS)
        eventually(lambda: in_lake(serve.data) == 3 * HITS, 60)
        live = LiveReader(serve.data / "live" / "live.sqlite")
        eventually(lambda: len(live.newest(1_000)) == 3 * HITS, 30)
    assert paths(serve.data) == Counter(f"/{number}" for number in range(3 * HITS))
    assert LakeReader(serve.data / "lake").sums().holds
