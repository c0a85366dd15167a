"""What a line of a CloudFront log costs until it is a judged event: all that an import does before the lake is written.

Real-time records of a pixel's hits, of many visitors with recorded user agents,
with the fields that a hit needs and with all. The processor's time is that of
the process, all its threads; the file is looked through first, which is said
apart. README.md beside this file has the results.

    scripts/bench cloudfront               a million lines, five rounds
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from rig.machine import describe
from rig.population import hits
from rig.servers import scratch
from rig.tables import say, spread, table

from pixelake import build
from pixelake.clock import SECOND, SYSTEM
from pixelake.collect.logs import cloudfront
from pixelake.collect.logs.cloudfront_fields import DEFAULT, REALTIME
from pixelake.collect.logs.line import LONGEST, Format, Line
from pixelake.collect.logs.visits import Wanted, hit_of, routes_of
from pixelake.hit import Hit
from pixelake.operate.import_logs import House, LogImport
from pixelake.operate.lines import Source
from pixelake.settings import Settings
from pixelake.warehouse.base import Outcome

SPAN: Final = 3_600 * SECOND
"""Of the log."""
SAFE: Final = "/:;,()!*'=&?@+$-_."
"""What CloudFront does not encode."""
USUAL: Final = {
    "time-to-first-byte": "0.001",
    "sc-bytes": "512",
    "cs-protocol": "https",
    "cs-bytes": "350",
    "x-edge-location": "FRA56-P4",
    "x-host-header": "d111111abcdef8.cloudfront.net",
    "time-taken": "0.001",
    "cs-protocol-version": "HTTP/2.0",
    "c-ip-version": "IPv4",
    "x-edge-result-type": "Hit",
    "ssl-protocol": "TLSv1.3",
    "ssl-cipher": "TLS_AES_128_GCM_SHA256",
    "c-port": "40123",
    "cs-accept": "image/avif,image/webp,*/*;q=0.8",
    "asn": "3320",
}
"""Fields that nobody reads."""
COUNTRIES: Final = ("DE", "FR", "US", "GB", "JP", "-")


class Nowhere:
    """A lake that keeps nothing."""

    def positions(self) -> dict[str, int]:
        """None."""
        return {}

    def write_new(self, outcome: Outcome, *, coarse: bool) -> Outcome:
        """Forget it."""
        assert coarse
        return outcome


class Timed(LogImport):
    """An import that knows how long it judged."""

    seconds = 0.0

    def _outcome(self, *arguments: Any) -> Outcome:
        began = time.process_time()
        outcome = super()._outcome(*arguments)
        self.seconds += time.process_time() - began
        return outcome


def records(count: int, fields: Sequence[str]) -> Iterator[bytes]:
    """Lines of a log, the same each time but for their moment."""
    start = SYSTEM.now() // SPAN * SPAN - 2 * SPAN
    names = [name for name in REALTIME if name in fields]
    for number, hit in enumerate(hits(count, start, SPAN)):
        told = USUAL | _told(hit, number)
        yield "\t".join(told.get(name, "-") for name in names).encode() + b"\n"


def _told(hit: Hit, number: int) -> dict[str, str]:
    target = hit.target.decode()
    sent = {name: (hit.header(name.encode()) or b"-").decode("latin-1") for name in ("user-agent", "referer")}
    return {
        "timestamp": f"{hit.received_at / SECOND:.3f}",
        "c-ip": hit.client,
        "sc-status": "200",
        "cs-method": "GET",
        "cs-host": "px.example",
        "cs-uri-stem": target,
        "x-edge-request-id": f"{number:054x}==",
        "cs-user-agent": quote(sent["user-agent"], safe=SAFE),
        "cs-referer": quote(sent["referer"], safe=SAFE),
        "cs-uri-query": target.partition("?")[2],
        "c-country": COUNTRIES[int(hit.client.partition(".")[0]) % len(COUNTRIES)],
    }


def timed(act: Callable[[], Any]) -> float:
    """Seconds of the processor."""
    began = time.process_time()
    act()
    return time.process_time() - began


def parts(file: BinaryIO, form: Format, wanted: Wanted) -> list[float]:
    """Seconds: to look it through, to cut it into lines, to read these, to make hits of them."""
    through = timed(lambda: Source("log", file))
    source = Source("log", file)
    cut = timed(lambda: _all(source.read(LONGEST)))
    read = timed(lambda: _all(form.read(each.data) for each in source.read(LONGEST)))
    made = timed(lambda: _all(_hits(source, form, wanted)))
    return [through, cut, read - cut, made - read]


def _hits(source: Source, form: Format, wanted: Wanted) -> Iterator[Any]:
    for each in source.read(LONGEST):
        line = form.read(each.data)
        assert isinstance(line, Line)
        yield hit_of(line, line.name, wanted)


def _all(things: Iterator[Any]) -> None:
    for _ in things:
        pass


def judged(source: Source, form: Format, wanted: Wanted, folder: Path) -> tuple[float, float]:
    """Seconds of an import that ends before the lake, and of judging alone; each line must have become an event."""
    settings = Settings(data=folder)
    registry = build.registry(settings)
    nowhere: Any = Nowhere()
    importer = Timed(House(nowhere, build.rules(settings), registry, folder), form, wanted)
    found: list[Any] = []
    seconds = timed(lambda: found.append(importer.run(source, lambda _done, _all: None)))
    registry.close()
    assert found[0].events == source.lines, found[0]
    return seconds, importer.seconds


def main() -> None:
    """Measure with both sets of fields."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000, help="of the log; default: 1,000,000")
    parser.add_argument("--rounds", type=int, default=5, help="imports of each; default: 5")
    options = parser.parse_args()
    print(describe(), flush=True)
    rows = []
    for name, fields in (("the fields of a hit", DEFAULT), ("all fields", REALTIME[:69])):
        say(name)
        rows += _measured(name, fields, options)
    header = ["fields", "bytes", "line to event", "look through", "cut", "read", "make the hit", "sort", "judge"]
    table(f"{options.lines:,} real-time lines, CPU µs a line", header, rows)


def _measured(name: str, fields: Sequence[str], options: argparse.Namespace) -> Iterator[list[str]]:
    form = cloudfront.realtime(fields)
    wanted = Wanted("", routes_of(build.dialects(Settings())))
    with scratch() as folder:
        with (folder / "log").open("wb") as file:
            made = records(options.lines, fields)
            while some := b"".join(islice(made, 10_000)):
                file.write(some)
        with (folder / "log").open("rb", buffering=io.DEFAULT_BUFFER_SIZE) as log:
            pieces = [each / options.lines * 1e6 for each in parts(log, form, wanted)]
            source = Source("log", log)
            runs = []
            for number in range(options.rounds):
                found = judged(source, form, wanted, folder / f"data{number}")
                runs.append([each / options.lines * 1e6 for each in found])
                say("{:.2f} µs a line, of which judging {:.2f}".format(*runs[-1]))
            whole, judging = ([run[n] for run in runs] for n in range(2))
            rest = statistics.median(whole) - statistics.median(judging) - sum(pieces[1:])
            told = [f"{source.size / source.lines:.0f}", spread(whole, ".2f")]
            yield [name, *told, *(f"{each:.2f}" for each in (*pieces, rest)), spread(judging, ".2f")]


if __name__ == "__main__":
    main()
