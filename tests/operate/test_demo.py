"""Tests of `pixelake.operate.demo` and of the visitors of `pixelake.testing`."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from random import Random
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from pixelake.operate.demo import sample_page, send_visitors
from pixelake.testing import FakeClock, Journal, traffic, zipf


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
        assert send_visitors(f"http://127.0.0.1:{server.server_port}", 1e6, Random(1), 20) == 20
        server.shutdown()
    assert len(seen) == 20
    assert len({agent for _, agent in seen}) > 5


def test_nobody_there() -> None:
    """Visitors who find no pixel are no error."""
    assert send_visitors("http://127.0.0.1:1", 1e6, Random(1), 2) == 0


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
