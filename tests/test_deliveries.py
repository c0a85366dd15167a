"""The whole program, to which Firehose delivers: each hit is in the lake and on the dashboard once."""

import json
from base64 import b64encode
from pathlib import Path
from urllib.request import Request, urlopen

from deltalake import DeltaTable

from pixelake.clock import SECOND, SYSTEM
from pixelake.warehouse.live_sqlite import LiveReader
from pixelake.warehouse.sums import LakeReader
from tests.running import Running, running
from tests.sinks import eventually

KEY = "a-key-of-thirty-letters-or-so-1"
ENVIRONMENT = {"PIXELAKE_FIREHOSE_KEY": KEY, "PIXELAKE_LAKE_WINDOW": "1"}
LINE = "%d.000\t203.0.113.9\t200\tGET\tcdn.example\t/pixel.gif?site=s.example&n=%d\t%s\tFirefox\t-\tFR\n"


def deliver(serve: Running, request: str, first: int, *, named: bool) -> None:
    """Send some lines, as Firehose does."""
    now = SYSTEM.now() // SECOND
    lines = [LINE % (now, at, f"request-{at:09}" if named else "-") for at in range(first, first + 10)]
    records = [{"data": b64encode(line.encode()).decode()} for line in lines]
    sent = json.dumps({"requestId": request, "timestamp": now * 1_000, "records": records}).encode()
    headers = {"X-Amz-Firehose-Access-Key": KEY, "X-Amz-Firehose-Request-Id": request}
    with urlopen(Request(f"{serve.pixel}/firehose", sent, headers), timeout=30) as answer:
        assert json.load(answer)["requestId"] == request


def numbers(data: Path) -> list[int]:
    """Of the hits that are in the lake."""
    rows = DeltaTable(str(data / "lake" / "events")).to_pyarrow_table(columns=["properties"])
    return sorted(int(dict(row["properties"])["n"][0]) for row in rows.to_pylist())


def test_what_is_delivered_counts_once(tmp_path: Path) -> None:
    """Although requests come again, to a program that was started anew, and CloudFront writes lines twice."""
    with running(tmp_path, environment=ENVIRONMENT) as serve:
        deliver(serve, "first", 0, named=True)
        deliver(serve, "second", 100, named=False)
        deliver(serve, "first", 0, named=True)
        eventually(lambda: LakeReader(serve.data / "lake").sums().outcomes == 30, 60)
    with running(tmp_path, environment=ENVIRONMENT) as serve:
        deliver(serve, "second", 100, named=False)
        deliver(serve, "third", 5, named=True)
        eventually(lambda: LakeReader(serve.data / "lake").sums().outcomes == 50, 60)
        eventually(lambda: len(LiveReader(serve.data / "live" / "live.sqlite").newest(100)) == 25, 30)
        assert numbers(serve.data) == [*range(15), *range(100, 110)]
        sums = LakeReader(serve.data / "lake").sums()
        assert (sums.in_lake, sums.withheld, sums.rejected) == (25, 25, 0)
