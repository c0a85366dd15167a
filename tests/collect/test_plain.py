"""Tests of `pixelake.collect.plain`: what it finds nothing in is one whole request in everybody's eyes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.collect.keep import Keeper
from pixelake.collect.plain import Odd, Plain
from pixelake.settings import Settings
from tests.fuzz.heads import AWKWARD, check, faults
from tests.fuzz.mutate import spelled

SECRETS = Settings().secret_parameters
PLAIN, KEEPER = Plain(SECRETS), Keeper(SECRETS)
USUAL = (
    b"GET /pixel.gif?site=shop.example&url=https%3A%2F%2Fshop.example%2F&t=a+b HTTP/1.1\r\nHost: a\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\nAccept: */*\r\nReferer: https://shop.example/\r\n\r\n"
)
SHORT = b"GET /p.gif?a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Y: z\r\n\r\n"


def with_line(line: bytes) -> bytes:
    """A head with one more line."""
    return USUAL[:-2] + line + b"\r\n\r\n"


def test_what_browsers_send_is_plain() -> None:
    """Else everything would go the careful way."""
    for line in (b"X: y", b"Connection: keep-alive", b"connection:Keep-Alive \t", b"X:", b"Accept-Language: de\t;q=1"):
        assert PLAIN.odds(with_line(line)) == frozenset(), line
    assert PLAIN.any_odds([USUAL] * 50) == frozenset()


@pytest.mark.parametrize(
    ("line", "odd"),
    [
        *((line, Odd.CLOSE) for line in (b"Connection: close", b"connection:CLOSE", b"CONNECTION: \tClose\t ")),
        *(
            (line, Odd.FRAMING)
            for line in (b"Connection: close, x", b"Connection:", b"Connection: keep", b"Upgrade: h2c")
        ),
        *(
            (line, Odd.FRAMING)
            for line in (b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Expect: 100-continue")
        ),
        *(
            (line, Odd.FRAMING)
            for line in (b"X : y", b" X: y", b":y", b"X", b"X: \x01", b"X: \x00", b"X: \xe9", b"X: \x7f")
        ),
        *((line, Odd.FRAMING) for line in (b"X: y\n", b"X: y\r", b"\r\nGET /p.gif?b HTTP/1.1", b"X\xe9: y")),
        *(
            (line, Odd.SECRET)
            for line in (b"Cookie: a", b"AUTHORIZATION:a", b"Referer: /?password=1", b"X: /?api%5Fkey=1")
        ),
        *((line, Odd.FORWARDED) for line in (b"X-Forwarded-For: a", b"forwarded:a", b"CF-Connecting-IP: a")),
    ],
)
def test_what_is_odd(line: bytes, odd: Odd) -> None:
    """Each oddity is told by its kind, alone and among others."""
    head = with_line(line)
    assert odd in PLAIN.odds(head)
    assert odd in PLAIN.any_odds([USUAL, head, USUAL])


def test_every_byte_anywhere() -> None:
    """Put in or put in the place of another, no byte makes a head that others read otherwise and this calls plain."""
    start, end = len(b"GET /p.gif?"), len(SHORT) - 4
    for at in range(start, end + 1):
        for byte in range(256):
            for skipped in (0, 1):
                head = SHORT[:at] + bytes([byte]) + SHORT[at + skipped :]
                if head.endswith(b"\r\n\r\n"):
                    assert list(faults(PLAIN, KEEPER, head)) == [], head


@given(st.integers(0, 2**64))
def test_nearly_plain_heads(seed: int) -> None:
    """Whatever is done to them, and however they are put together, llhttp, h11 and the keeper agree."""
    assert list(check(random.Random(seed), 20)) == []


@given(st.sampled_from(AWKWARD), st.integers(0, 2**64))
def test_a_secret_in_any_spelling(name: str, seed: int) -> None:
    """Where the keeper takes something out, it is suspected before; also of names with digits, blanks and umlauts."""
    plain, keeper = Plain(AWKWARD), Keeper(AWKWARD)
    head = b"GET /p.gif?a=1&" + spelled(random.Random(seed), name) + b"=hunter2 HTTP/1.1\r\nHost: a\r\n\r\n"
    assert keeper.head(head) == head or Odd.SECRET in plain.odds(head)


def test_a_separator_hides_nothing() -> None:
    """A head that holds it is odd for every other reason it has, too."""
    head = with_line(b"Cookie: \x01\r\nX-Forwarded-For: a")
    assert PLAIN.odds(head) == {Odd.FRAMING, Odd.SECRET, Odd.FORWARDED}
    assert PLAIN.any_odds([USUAL, head])


def test_many_secret_names() -> None:
    """The automaton does not fall silent when it is large."""
    names = [f"name{number}x{number * 7}" for number in range(1_000)]
    plain = Plain(names)
    for name in names[::100]:
        assert plain.odds(b"GET /p.gif?" + name.encode() + b"=1 HTTP/1.1\r\nHost: a\r\n\r\n") == {Odd.SECRET}
    assert plain.odds(USUAL) == frozenset()
