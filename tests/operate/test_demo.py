"""Tests of `pixelake.operate.demo` and of the visitors of `pixelake.testing`."""

import errno
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from structlog.testing import capture_logs

from pixelake.operate.demo import CALM, arriving, past, rate, sample_page, send_visitors
from pixelake.operate.demo_world import World
from pixelake.settings import Settings
from pixelake.testing import FakeClock, Journal, traffic, zipf

PATIENCE = 60.0
"""Seconds for a process to start and to fail: other work may take the processor."""


def test_the_sample_page_has_the_tag() -> None:
    """The page shows the tag as text and has it once as a tag."""
    with sample_page('<img src="http://p.example/pixel.gif?site=s">') as url, urlopen(url) as answer:
        body = answer.read().decode()
    assert body.count("<img") == 1
    assert "&lt;img" in body


def test_visitors_are_sent() -> None:
    """So many requests reach the pixel, of visitors who differ."""
    seen: list[tuple[str, str]] = []

    class Pixel(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers["User-Agent"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Pixel) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        random = Random(1)
        coming = arriving(World(random), random, FakeClock())
        assert send_visitors(f"http://127.0.0.1:{server.server_port}", coming, 20) == 20
        server.shutdown()
    assert len(seen) == 20
    assert len({agent for _, agent in seen}) > 5


def test_nobody_there() -> None:
    """Visitors who find no pixel are no error."""
    assert send_visitors("http://127.0.0.1:1", traffic(Random(1)), 2) == 0


def test_visitors_come_in_time() -> None:
    """Each request is waited for; it begins lively."""
    clock, random = FakeClock(), Random(2)
    coming = arriving(World(random), random, clock)
    deque(islice(coming, 50), 0)
    first = clock.seconds
    deque(islice(coming, 500), 0)
    assert 0 < first < 60 < clock.seconds


def test_it_calms_down() -> None:
    """The beginning is lively; some minutes later it is about as busy as the hour, and never dead."""
    noon = datetime(2026, 2, 10, 15, tzinfo=UTC)
    assert rate(noon, 0) > 3 * rate(noon, 3 * CALM) > 0


@pytest.fixture
def supervised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As in a supervisor: there is a folder to count in."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return Settings(data=tmp_path / "data")


def logged(settings: Settings, meanwhile: Callable[[], None]) -> list[MutableMapping[str, Any]]:
    """What is logged while such a demo has its past made, until there is something."""
    deadline = time.monotonic() + PATIENCE
    with capture_logs() as logs, past(settings):
        meanwhile()
        while not logs and time.monotonic() < deadline:
            time.sleep(0.05)
    return logs


def test_a_past_that_fails_is_told(supervised: Settings) -> None:
    """One line with the reason and what to do, when what makes the past cannot go on."""
    supervised.data.mkdir()
    (supervised.data / "registry").write_text("no folder")
    (line,) = logged(supervised, lambda: None)
    assert line["event"] == "the demo has no past"
    assert "registry" in line["reason"]
    assert line["hint"].endswith("to try again, stop the demo and start it")


def test_a_past_that_is_killed_is_told(supervised: Settings) -> None:
    """So is a death by signal, which leaves no reason."""
    (line,) = logged(supervised, lambda: os.kill(_historian(), signal.SIGKILL))
    assert line["reason"] == "killed by signal 9"
    assert line["hint"].startswith("is there memory?")


def _historian() -> int:
    """The child of ours that makes the past."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    (found,) = [each for each in children if b"\0past\0" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return int(found)


def test_no_process_for_the_past(supervised: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has none left is told of, and the demo goes on."""
    monkeypatch.setattr("subprocess.Popen", _none_left)
    (line,) = logged(supervised, lambda: None)
    assert line["reason"] == "cannot start a process: Resource temporarily unavailable"


def _none_left(*_: object, **__: object) -> None:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def test_a_demo_that_ends_early_tells_nothing(supervised: Settings) -> None:
    """Who stops the demo stops what makes its past, and that is no failure."""
    with capture_logs() as logs, past(supervised):
        pass
    assert not logs


def test_traffic_looks_real() -> None:
    """Some pages get most of the views, a few visitors are machines, each view has an id of its own."""
    requests = list(islice(traffic(Random(7)), 2_000))
    queries = [parse_qs(urlsplit(each.target).query) for each in requests]
    titles = Counter(query["title"][0] for query in queries).most_common()
    assert titles[0][1] > 5 * titles[-1][1]
    assert len({query["event_id"][0] for query in queries}) == 2_000
    machines = sum("bot" in each.headers["User-Agent"] or "curl" in each.headers["User-Agent"] for each in requests)
    assert 0 < machines < 300


def test_zipf() -> None:
    """The n-th is as frequent as 1/n of the first."""
    assert zipf(3) == (1, 1.5, 1.5 + 1 / 3)


def test_fake_clock() -> None:
    """Time passes only by sleeping and when told; both readings agree."""
    clock = FakeClock(microseconds=0)
    clock.sleep(1.5)
    clock.advance(1)
    assert (clock.now(), clock.monotonic(), clock.slept) == (2_500_000, 2.5, [1.5])


def test_journal() -> None:
    """Calls are written down when they end, failures too; answers pass through."""
    journal = Journal()
    numbers = journal.watch("numbers", [3])
    assert numbers.pop() == 3
    with pytest.raises(IndexError):
        numbers.pop()
    assert journal.entries == ["numbers.pop", "numbers.pop!"]
