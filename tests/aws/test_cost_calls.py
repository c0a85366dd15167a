"""What a call of `consume` asks of S3 and DynamoDB is what its price is worked out from."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelake.aws.consume import Consume
from pixelake.aws.cost_inputs import Inputs
from pixelake.aws.local.cloud import Cloud
from pixelake.aws.local.faults import Faults
from pixelake.aws.local.topology import PLACES, make_table
from pixelake.build import functions
from tests.aws.deliveries import line, of_kinesis
from tests.s3 import reached

CALLS = 6


class Counted:
    """Services on this machine, and what was asked of them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud, self.asked = cloud, Counter[str]()

    def __call__(self, environ: Any, start: Any) -> Any:
        """Count a request, and pass it on."""
        if target := environ.get("HTTP_X_AMZ_TARGET", ""):
            self.asked[target.partition(".")[2]] += 1
        else:
            listed = "list-type" in environ.get("QUERY_STRING", "")
            self.asked["LIST" if listed else environ["REQUEST_METHOD"]] += 1
        return self._cloud(environ, start)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """A bucket and a table; this process reaches them."""
    cloud = Cloud(tmp_path / "objects", Faults({}))
    found = Counted(cloud)
    cloud._server.app = found
    cloud.start()
    make_table(cloud)
    reached(monkeypatch, cloud.environment)
    for name, place in {**PLACES, "PIXELAKE_DATA": str(tmp_path / "data")}.items():
        monkeypatch.setenv(name, place)
    yield found
    cloud.stop()


def test_what_a_call_asks(counted: Counted) -> None:
    """So many PUTs and LISTs, so many GETs and HEADs, and so many more of these for each file of the hour."""
    consume, of = Consume(functions.stages(functions.settings())), Inputs()
    consume(_event(0))
    for number in range(1, CALLS + 1):
        counted.asked.clear()
        consume(_event(number))
        puts, gets = _sum(counted, "PUT", "LIST"), _sum(counted, "GET", "HEAD")
        assert puts == pytest.approx(of.commit_puts, abs=2), counted.asked
        assert gets == pytest.approx(of.commit_gets + of.file_gets * number, rel=0.25), counted.asked
        assert _sum(counted, "PutItem", "UpdateItem") <= of.live_write + 1


def _event(number: int) -> Any:
    return of_kinesis([line(number)], number + 1)


def _sum(counted: Counted, *names: str) -> int:
    return sum(counted.asked[name] for name in names)
