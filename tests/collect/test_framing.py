"""Tests of `pixelake.collect.framing`: bytes in any pieces become the same requests."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.collect.framing import Framing, Room

HEAD = b"GET /p.gif?a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
CHUNKED = b"POST /events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Host:
    """Writes down what the framing says; is never busy."""

    requests: list[tuple[bytes, bytes, bool]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    asked: int = 0
    held: int = 0
    limit: int | str = 100

    def introduced(self, source: str) -> None:
        """A PROXY header came."""
        self.sources.append(source)

    def request(self, head: bytes, body: bytes, *, keep_alive: bool) -> None:
        """A whole request came."""
        self.requests.append((head, body, keep_alive))

    def refuse(self, reason: str, head: bytes = b"") -> None:
        """What came is no request."""
        self.refused.append(reason)

    def go_on(self) -> None:
        """The client waits for a word."""
        self.asked += 1

    def hold(self) -> None:
        """Read no more for now."""
        self.held += 1

    def body_limit(self, head: bytes) -> int | str:
        """How long a body may be."""
        return self.limit


def frame(*pieces: bytes, max_head: int = 500, max_body: int = 100, proxied: bool = False) -> tuple[Host, Framing]:
    """What the framing says to these pieces."""
    host = Host(limit=max_body)
    framing = Framing(host, max_head, Room(10_000), proxied=proxied)
    for piece in pieces:
        framing.feed(piece, busy=False)
        if host.refused:
            break
        while framing.cut() and not host.refused:
            pass
    return host, framing


@given(st.lists(st.integers(0, 200), max_size=6))
def test_the_cuts_do_not_matter(cuts: list[int]) -> None:
    """However the network cuts them, the same requests come out, and the beginning of the next one waits."""
    data = HEAD + POST + b"abc" + b"\r\n" + HEAD + b"GET /"
    bounds = [0, *sorted(cuts), len(data)]
    host, framing = frame(*(data[a:b] for a, b in pairwise(bounds)))
    assert host.requests == [(HEAD, b"", True), (POST, b"abc", True), (HEAD, b"", True)]
    assert framing.buffer == b"GET /"


@pytest.mark.parametrize(
    "beginning",
    [b"\n", b"\r\r", b"\rG", b" GET", b"\x16\x03", b"\x00", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nA: b\n\r\n", b"1"],
)
def test_what_can_never_become_a_head_is_refused_at_once(beginning: bytes) -> None:
    """Nobody waits for its end: a bare LF or CR, no method."""
    host, _ = frame(*(beginning[at : at + 1] for at in range(len(beginning))))
    assert host.refused == ["bad_request"]


@pytest.mark.parametrize("target", [b"HTTP://\na/p.gif", b"http://\na/p.gif", b"/p.gif?\na=1"])
def test_a_line_feed_in_the_target_is_refused(target: bytes) -> None:
    """Also behind a scheme in capitals, where llhttp takes one."""
    assert frame(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")[0].refused == ["bad_request"]


@pytest.mark.parametrize("start", [b"\n", b"\r", b"\r\n\n", b" "])
def test_only_whole_empty_lines_may_come_before_a_request(start: bytes) -> None:
    """CR LF is passed over (RFC 9112 2.2), nothing else."""
    assert frame(start + HEAD)[0].refused == ["bad_request"]
    assert frame(b"\r\n\r\n" + HEAD)[0].requests == [(HEAD, b"", True)]
    host, framing = frame(b"\r", b"\n")
    assert (host.refused, framing.empty) == ([], True)


def test_an_upgrade_behind_a_chunked_body_is_not_looked_at() -> None:
    """The body ends the connection; what follows it must neither be heard nor be an error."""
    upgrade = HEAD[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    host, _ = frame(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + upgrade)
    assert host.requests[0] == (CHUNKED, b"abc", False)


@pytest.mark.parametrize(("version", "asked"), [(b"1.1", 1), (b"1.0", 0)])
@pytest.mark.parametrize("line", [b"Expect: 100-continue", b"expect:100-Continue ", b"X: y\r\nExpect: 100-continue"])
def test_who_is_told_to_go_on(version: bytes, asked: int, line: bytes) -> None:
    """A client of HTTP/1.1 that asks; one of HTTP/1.0 would take it for the answer (RFC 9110 10.1.1)."""
    head = b"POST /events HTTP/" + version + b"\r\n" + line + b"\r\nContent-Length: 3\r\n\r\n"
    assert frame(head)[0].asked == asked
    assert frame(head + b"abc")[0].asked == 0  # it did not wait


def test_bounds() -> None:
    """Heads and bodies, announced or not, end at theirs."""
    assert frame(b"GET /" + b"a" * 600)[0].refused == ["head_too_large"]
    assert frame(HEAD[:-2] + b"X: " + b"a" * 600 + b"\r\n\r\n")[0].refused == ["head_too_large"]
    assert frame(POST.replace(b": 3", b": 101"))[0].refused == ["body_too_large"]
    assert frame(CHUNKED, b"65\r\n" + b"a" * 101)[0].refused == ["body_too_large"]
    assert frame(POST.replace(b": 3", b": " + b"0" * 30 + b"3"))[0].refused == ["bad_length"]


def test_room_is_given_back() -> None:
    """Whether the body comes to its end or the connection goes."""
    for finish in (b"bc", b""):
        host = Host()
        room = Room(1_000)
        framing = Framing(host, 500, room, proxied=False)
        framing.feed(POST + b"a", busy=False)
        assert room.taken == 1
        framing.feed(finish, busy=False)
        if not finish:
            framing.end()
        assert room.taken == 0


def test_what_is_sent_ahead_is_held() -> None:
    """While a request is being answered nothing is cut, and past the bound nothing more is read."""
    host = Host()
    framing = Framing(host, 500, Room(1_000), proxied=False)
    framing.feed(HEAD * 20, busy=True)
    assert (host.requests, host.held) == ([], 1)
    assert framing.cut()
    assert host.requests == [(HEAD, b"", True)]


@given(st.integers(0, 40))
def test_an_introduction_in_pieces(cut: int) -> None:
    """The PROXY header comes before everything else, and not twice."""
    header = b"PROXY TCP4 203.0.113.9 192.0.2.1 5 80\r\n"
    host, framing = frame(header[:cut], header[cut:] + HEAD, proxied=True)
    assert (host.sources, host.requests, framing.empty) == (["203.0.113.9"], [(HEAD, b"", True)], True)
    assert frame(header + header, proxied=True)[0].requests == []
    assert frame(HEAD, proxied=True)[0].refused == ["proxy_header"]
