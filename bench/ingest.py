"""What the function behind API Gateway costs: its import, its first request, and each one behind it.

Each import is in a fresh interpreter, with its files in memory and compiled.
The first request also makes the client of AWS and signs a put, which an address
where nobody listens refuses at once. All others go to a place that keeps
nothing: what is left is ours, and the wire is not in it.

    scripts/bench ingest                15 imports, 5 rounds of 2,000 requests
"""

import argparse
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rig.machine import describe
from rig.tables import say, spread, table

from pixelake.aws.ingest import Ingest
from pixelake.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.aws.requests import FORMATS

HEADERS: Final = (
    ("Host", "pixel.example"),
    ("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0"),
    ("Accept", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "de-DE,de;q=0.9,en;q=0.8"),
    ("Referer", "https://shop.example/"),
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
)
JSON: Final = (*HEADERS, ("Content-Type", "application/json"))
QUERY: Final = "site=shop.example&event=view&url=https%3A%2F%2Fshop.example%2Fcart&title=Your%20cart&user=42"
FRESH: Final = """
import sys, time
wall, cpu = time.perf_counter(), time.process_time()
from pixelake.aws.ingest import handler
print(time.perf_counter() - wall, time.process_time() - cpu)
event = {"version": "2.0", "rawPath": "/pixel.gif", "rawQueryString": "a=1", "headers": {}, "requestContext": {
    "http": {"method": "GET", "sourceIp": "203.0.113.9"}, "requestId": "x", "timeEpoch": 1770711000123}}
wall, cpu = time.perf_counter(), time.process_time()
assert handler(event, None)["statusCode"] == 503
print(time.perf_counter() - wall, time.process_time() - cpu)
"""
NOBODY: Final = {
    "PIXELAKE_STREAM": "kinesis://hits",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
}


class Nowhere:
    """Keeps nothing."""

    most = 1 << 20

    def put(self, hit_id: str, line: bytes) -> None:
        """Forget it."""


def fresh(count: int) -> Sequence[Sequence[float]]:
    """Milliseconds, of each fresh process: import (wall, processor), first request (wall, processor)."""
    found = []
    for number in range(count + 1):
        done = subprocess.run(
            [sys.executable, "-c", FRESH], env={**os.environ, **NOBODY}, capture_output=True, text=True, check=True
        )
        if number:  # the first one reads the files from the disk
            found.append([1_000 * float(each) for each in done.stdout.split()])
    return found


def requests(event: dict[str, Any], rounds: int, count: int) -> Sequence[float]:
    """Microseconds of the processor for a request: the median of each round."""
    function = Ingest(Settings(), Nowhere())
    medians = []
    for _ in range(rounds):
        gc.collect()
        taken = []
        for _ in range(count):
            began = time.process_time_ns()
            function(event)
            taken.append((time.process_time_ns() - began) / 1_000)
        medians.append(statistics.median(taken))
    return medians


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description="What the function behind API Gateway costs.")
    parser.add_argument("--imports", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2_000)
    given = parser.parse_args()
    print(describe())
    say("fresh processes")
    columns = zip(*fresh(given.imports), strict=True)
    names = ("import", "import, processor", "first request", "first request, processor")
    rows = [(name, spread(values, ".0f")) for name, values in zip(names, columns, strict=True)]
    table("A cold start, in ms: median (least to most)", ("what", "ms"), rows)
    say("requests")
    kinds = {
        "image": ("/pixel.gif", QUERY, HEADERS, b"", "GET"),
        "events, 2 kB": ("/events", "", JSON, b'{"a":"%s"}' % (b"x" * 2_000), "POST"),
    }
    rows = [
        (
            f"{kind}, format {name}",
            spread(requests(make(*asked[:4], method=asked[4]), given.rounds, given.count), ".0f"),
        )
        for kind, asked in kinds.items()
        for name, make in FORMATS.items()
    ]
    table("A request without the network, in µs of the processor: median of the rounds", ("what", "µs"), rows)


if __name__ == "__main__":
    main()
