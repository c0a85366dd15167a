"""The designs of AWS on this machine under faults: real HTTP, real functions that die, and what came of each hit.

Every answer 200 is a promise: that hit is in the lake once, under one name, and
the live store has counted it once. What nobody can read is put beside it, and a
hit that kills the function which judges it, until that is mended.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from botocore.session import Session
from deltalake import DeltaTable

DESIGNS: Final = ("stream", "firehose", "edge", "queue")
FAULTS: Final = ("throttle=0.02", "partial=0.05", "duplicate=0.1", "crash=0.1", "late=0.01")
SITES: Final = 3
PATIENCE: Final = 60.0
UNREADABLE: Final = "this is no hit"
POISON: Final = "/poison"
"""The path of a page: a hit of it kills the function that judges it (`tests.crash.lethal`)."""
MENDED: Final = "TESTS_MENDED"
"""A variable: the file that takes the poison away."""
LETHAL: Final = frozenset({"stream", "queue"})
"""Designs whose function judges what it is handed out: it is what dies."""
LONG: Final = 240.0
QUESTIONS: Final = (
    *("overview", "series", "pages", "entries", "exits", "hosts", "titles", "events", "properties"),
    *("referrers", "channels", "campaigns", "countries", "languages", "browsers", "systems", "devices", "screens"),
    *("bots", "proxies", "prefetches", "repeats", "newest"),
)
"""What panels ask."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a run.

    Attributes:
        design: which.
        accepted: hits that were answered 200.
        refused: others, by their status.
        events: rows of the lake.
        lost: accepted, and not there.
        doubled: there more than once, by page or by name.
        counted: hits in the live store.
        rejects: rows, by their reason.
        slowest: seconds of the slowest panel, and which.
    """

    design: str
    accepted: int
    refused: Mapping[str, int]
    events: int
    lost: int
    doubled: int
    counted: int
    rejects: Mapping[str, int]
    slowest: tuple[float, str]

    @property
    def good(self) -> bool:
        """Whether all accepted hits are there once, and counted so."""
        return not self.lost and not self.doubled and self.counted == self.events + sum(self.rejects.values())

    def __str__(self) -> str:
        return (
            f"{self.design}: {self.accepted} accepted, refused {dict(self.refused)}, {self.events} events,"
            f" lost {self.lost}, doubled {self.doubled}, counted live {self.counted}, rejects {dict(self.rejects)},"
            f" slowest panel {self.slowest[0]:.2f} s ({self.slowest[1]})"
        )


@dataclass(slots=True)
class Design:
    """A design that runs.

    Attributes:
        data: its folder.
        pixel: where hits go.
        dashboard: its root, and the token.
        environment: how programs reach its services.
    """

    name: str
    data: Path
    process: "subprocess.Popen[bytes]"
    pixel: str = ""
    dashboard: str = ""
    token: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client of one of its services."""
        return Session().create_client(
            service,
            region_name="us-east-1",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def ask(self, path: str) -> Any:
        """What its dashboard's API answers."""
        request = Request(f"{self.dashboard}/api/v1/{path}", headers={"Authorization": f"Bearer {self.token}"})
        try:
            with urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from None

    def rows(self, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Of its lake, as any engine finds it in the folder."""
        try:
            found = DeltaTable(str(self.data / "lake" / table)).to_pyarrow_table(columns=list(columns))
        except Exception:  # noqa: BLE001 - there is none yet
            return []
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows


@contextmanager
def running(folder: Path, name: str, *flags: str, environment: Mapping[str, str] | None = None) -> Iterator[Design]:
    """A design in a folder, until it has settled all and ended."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pixelake", "aws", "local", "--topology", name, "--data", str(folder / "data")]
    listen = ["--collect", "127.0.0.1:0", "--web", "127.0.0.1:0"]
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PIXELAKE_"))}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [*command, *listen, *flags], stdout=out, stderr=err, env={**plain, **(environment or {})}, cwd=folder
        )
    try:
        made = Design(name, folder / "data", process)
        made.pixel = _said(folder, process, r"^Pixel: (\S+)$")
        address = _said(folder, process, r"^Dashboard: (\S+)$")
        made.environment = dict(each.split("=", 1) for each in _said(folder, process, r"^AWS: (.*)$").split())
        made.dashboard, _, made.token = address.partition("/?token=")
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(180)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert status == 0, (status, (folder / "err").read_text()[-2_000:])


def _said(folder: Path, process: "subprocess.Popen[bytes]", pattern: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(pattern, (folder / "out").read_text(), re.MULTILINE)):
        assert process.poll() is None, (folder / "err").read_text()[-2_000:]
        assert time.monotonic() < deadline, (folder / "err").read_text()[-2_000:]
        time.sleep(0.1)
    return found[1]


class Visitors:
    """Send hits, each of a page of its own, and remember which were answered how."""

    def __init__(self, pixel: str) -> None:
        self._url = urlsplit(pixel)
        self._lock = threading.Lock()
        self.accepted: set[str] = set()
        self.refused: Counter[str] = Counter()

    def send(self, first: int, count: int, at_once: int = 16) -> None:
        """So many hits, over some connections that stay open."""
        numbers = iter(range(first, first + count))
        threads = [threading.Thread(target=self._visit, args=(numbers,)) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def page(self, path: str) -> int:
        """One hit of a page; its status."""
        connection = HTTPConnection(self._url.hostname or "", self._url.port, timeout=PATIENCE)
        try:
            return self._hit(connection, path, "s.example")
        finally:
            connection.close()

    def _visit(self, numbers: Iterator[int]) -> None:
        connection = HTTPConnection(self._url.hostname or "", self._url.port, timeout=PATIENCE)
        while True:
            with self._lock:
                number = next(numbers, None)
            if number is None:
                break
            try:
                self._hit(connection, f"/{number}", f"s{number % SITES}.example")
            except (OSError, HTTPException) as error:
                connection.close()
                with self._lock:
                    self.refused[type(error).__name__] += 1
        connection.close()

    def _hit(self, connection: HTTPConnection, path: str, site: str) -> int:
        headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0", "Referer": "https://news.example/"}
        connection.request("GET", f"{self._url.path}?site={site}&url=https://{site}{path}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        with self._lock:
            if answer.status == 200:
                self.accepted.add(path)
            else:
                self.refused[str(answer.status)] += 1
        return answer.status


def put_unreadable(design: Design) -> None:
    """Put what is no hit where hits go, as a stranger might."""
    if design.name in {"stream", "edge"}:
        design.client("kinesis").put_record(StreamName="hits", Data=UNREADABLE.encode(), PartitionKey="stranger")
    elif design.name == "firehose":
        design.client("firehose").put_record(DeliveryStreamName="hits", Record={"Data": UNREADABLE.encode() + b"\n"})
    else:
        sqs = design.client("sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="hits")["QueueUrl"], MessageBody=UNREADABLE)


def run(
    folder: Path,
    design: str,
    hits: int,
    faults: Sequence[str] = FAULTS,
    tell: Callable[[str], None] = lambda _: None,
    *,
    lethal: bool = True,
    speed: int = 20,
) -> Found:
    """Send hits to a design while faults strike, and look what came of them; with a poisoned one if it is `lethal`."""
    flags = ["--speed", str(speed), *(part for fault in faults for part in ("--fault", fault))]
    with running(folder, design, *flags, environment=_lethal(folder)) as made:
        visitors = Visitors(made.pixel)
        began = time.monotonic()
        visitors.send(0, hits // 2)
        unreadable = _until_put(made)
        visitors.send(hits // 2, hits - hits // 2)
        tell(f"{design}: {hits} hits in {time.monotonic() - began:.0f} s")
        settle(made, len(visitors.accepted), unreadable)
        if lethal and design in LETHAL:
            tell(f"{design}: {_poisoned(made, visitors, folder)} dead, and sent back")
            settle(made, len(visitors.accepted), unreadable)
        slowest = max(_timed(made, question) for question in QUESTIONS)
        live = live_hits(made)
    return found(made, visitors, live, slowest)


@dataclass(frozen=True, slots=True)
class All:
    """What came of all designs."""

    found: Sequence[Found]

    @property
    def good(self) -> bool:
        """Whether each was."""
        return all(each.good for each in self.found)

    def __str__(self) -> str:
        return "\n".join(map(str, self.found))


def designs(folder: Path, hits: int, tell: Callable[[str], None]) -> All:
    """Run each design; see `run`."""
    return All([run(folder / design, design, hits, tell=tell) for design in DESIGNS])


def _lethal(folder: Path) -> Mapping[str, str]:
    """Settings with an enricher that kills, until a file is there."""
    root = str(Path(__file__).parents[2])
    return {"PIXELAKE_ENRICHERS": "tests.crash.lethal:lethal", "PYTHONPATH": root, MENDED: str(folder / "mended")}


def _poisoned(design: Design, visitors: Visitors, folder: Path) -> int:
    """Send a hit that kills who judges it, wait until it is put aside, mend that, send it back; returns how many."""
    while visitors.page(POISON) != 200:
        pass
    deadline = time.monotonic() + LONG
    while not (dead := _dead(design)) and time.monotonic() < deadline:
        time.sleep(1)
    (folder / "mended").touch()
    ways = {"stream": ("s3://pixelake/aws/lambda/", "kinesis://hits"), "queue": ("sqs://hits-dead", "sqs://hits")}
    command = [sys.executable, "-m", "pixelake", "aws", "redrive", *ways[design.name]]
    subprocess.run(command, check=True, env={**os.environ, **design.environment}, timeout=PATIENCE, capture_output=True)
    return dead


def _dead(design: Design) -> int:
    """How many were put aside, with the poison in them."""
    if design.name == "queue":
        sqs, names = design.client("sqs"), ["ApproximateNumberOfMessages"]
        url = sqs.get_queue_url(QueueName="hits-dead")["QueueUrl"]
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])
    return sum(1 for path in (design.data / "aws").rglob("*") if path.is_file())


def _until_put(design: Design) -> int:
    """Put what nobody can read, again if it is throttled; returns how many."""
    for _ in range(20):
        try:
            put_unreadable(design)
        except Exception:  # noqa: BLE001 - throttled: it is a fault
            continue
        return 1
    return 0


def settle(design: Design, accepted: int, rejected: int, seconds: float = 180.0) -> None:
    """Wait until all of it is in the lake, and in the live store; no longer than this."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        events, rejects = design.rows("events", ["hit_id"]), design.rows("rejects", ["hit_id"])
        there = len(events) >= accepted and len(rejects) >= rejected
        if there and live_hits(design) >= len(events):
            return
        time.sleep(1)


def live_hits(design: Design) -> int:
    """What the live store has counted, of all sites."""
    from pixelake.build import stores
    from pixelake.settings import load

    names = {"PIXELAKE_LIVE": "dynamodb://pixelake", "PIXELAKE_DATA": str(design.data)}
    with _environment(design.environment):
        live = stores.live_reader(load(environment=names))
        minutes = live.minutes(int((time.time() - 86_400) * 1e6))
    return sum(each.number for each in minutes if each.name in {"hits", "rejects"})


@contextmanager
def _environment(names: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _timed(design: Design, question: str) -> tuple[float, str]:
    """How long a panel takes that was never asked for."""
    began = time.monotonic()
    design.ask(f"{question}?site=s0.example&period=today")
    return time.monotonic() - began, question


def found(design: Design, visitors: Visitors, live: int, slowest: tuple[float, str]) -> Found:
    """What is in the lake now."""
    rows = design.rows("events", ["hit_id", "path"])
    pages, names = Counter(row["path"] for row in rows), Counter(row["hit_id"] for row in rows)
    rejects = Counter(row["reason"] for row in design.rows("rejects", ["reason"]))
    return Found(
        design=design.name,
        accepted=len(visitors.accepted),
        refused=visitors.refused,
        events=len(rows),
        lost=len(visitors.accepted - pages.keys()),
        doubled=sum(count - 1 for count in pages.values()) + sum(count - 1 for count in names.values()),
        counted=live,
        rejects=rejects,
        slowest=slowest,
    )
