"""A short form of `scripts/fuzz`, and the checks of its own tools."""

import random

import pytest

from pixelake.hit import Codec, Hit
from tests.fuzz import codec
from tests.fuzz.campaign import campaign
from tests.fuzz.mutate import CLASSICS
from tests.fuzz.second import FAULT, UNKNOWN, Told, compare, read

REQUESTS = 10_000


@pytest.mark.parametrize("seed", [1, random.SystemRandom().getrandbits(32)], ids=["always", "anew"])
def test_whatever_is_sent(seed: int) -> None:
    """Every stream is answered in order, framed as h11 frames it, kept as sent, and leaves nothing behind."""
    report = campaign(REQUESTS, seed)
    assert not report.wrong, report
    assert report.tally.answers[200] > REQUESTS / 20
    assert not any(status >= 500 and status not in (503, 505) for status in report.tally.answers)


def test_damaged_groups_of_hits() -> None:
    """Whatever is done to their bytes, they are read as hits or refused as damaged."""
    seed = random.SystemRandom().getrandbits(32)
    assert not list(codec.check(random.Random(seed), 2_000)), f"seed {seed}"


def test_the_first_version_is_read() -> None:
    """Its nine fields become the hit they were."""
    fields = (1, "192.0.2.1", "2001:db8::1", "POST", b"/events?a=1", b"Host: a\r\n", b"{}", "http", "x-1")
    assert Codec().decode(codec.first_version([fields] * 3)) == [Hit.of(*fields)] * 3


def test_a_request_framed_otherwise_is_noticed() -> None:
    """The comparison finds another body, another target and a boundary that is moved."""
    head = b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    data = head + b"abc" + b"GET /p.gif?"
    reading = read(data)
    assert compare(data, reading, [Told(head, b"abc")], b"GET /p.gif?") is None
    for told, rest in (
        ([Told(head, b"ab")], b"cGET /p.gif?"),
        ([Told(head.replace(b"events", b"event"), b"abc")], b"GET /p.gif?"),
        ([Told(head, b"abc")], b"/p.gif?"),
        ([], data),
    ):
        found = compare(data, reading, told, rest)
        assert found is not None
        assert found[0] == FAULT


def test_a_request_only_we_take_is_noticed() -> None:
    """What h11 waits for, and what it refuses for reasons nobody knows, is not passed over."""
    head = b"GET /p.gif?a HTTP/1.1\r\nHost: a\r\n\r\n"
    assert UNKNOWN in str(compare(head[:-2], read(head[:-2]), [Told(head)], b""))


def test_the_classics_are_whole() -> None:
    """They are written with CR LF, and none twice."""
    assert len(set(CLASSICS)) == len(CLASSICS) > 40
    assert not any(b"|" in classic for classic in CLASSICS)
