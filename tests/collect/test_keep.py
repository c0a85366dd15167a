"""What never reaches the disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.collect.keep import Keeper
from pixelake.collect.plain import SECRET_HEADERS

KEEPER = Keeper(["password", "api_key"])
START = b"GET / HTTP/1.1\r\n"


def kept(*lines: bytes) -> bytes:
    """What is kept of these header lines."""
    head = KEEPER.head(START + b"".join(line + b"\r\n" for line in lines) + b"\r\n")
    assert head.startswith(START)
    assert head.endswith(b"\r\n\r\n") or not head[len(START) : -2]
    return head[len(START) : -2]


@pytest.mark.parametrize("name", SECRET_HEADERS)
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_secret_headers_are_taken_out(name: str, position: int, case: object) -> None:
    """In any case, wherever they stand, and nothing else is."""
    lines = [b"Host: a", b"X-Other: cookie: no"]
    lines.insert(position, case(name).encode() + b": hunter2")  # type: ignore[operator]
    assert kept(*lines) == b"Host: a\r\nX-Other: cookie: no\r\n"


def test_headers_without_secrets_stay_as_they_are() -> None:
    """Byte by byte, also names that begin alike."""
    lines = [
        b"Cookies-Accepted: yes",
        b"Accept: */*",
        b"X-Requested-With: x",
        b"referer: https://a/?b=1&c=2",
        b"X:\xff",
    ]
    assert kept(*lines) == b"".join(line + b"\r\n" for line in lines)


@pytest.mark.parametrize(
    ("target", "clean"),
    [
        (b"/p?password=x", b"/p?password="),
        (b"/p?a=1&PASSWORD=x%20y&b=2", b"/p?a=1&PASSWORD=&b=2"),
        (b"/p?url=https%3A%2F%2Fa%2F%3Fapi_key%3Dx%26b%3D1&c=2", b"/p?url=https%3A%2F%2Fa%2F%3Fapi_key%3D%26b%3D1&c=2"),
        (b"/p?nopassword=x&passwords=y", b"/p?nopassword=x&passwords=y"),
        (b"/password=x", b"/password=x"),
        (b"/p?password", b"/p?password"),
        (b"/p?a=1&%70assword=x&b=2", b"/p?a=1&%70assword=&b=2"),
        (b"/p?api%5Fkey=x", b"/p?api%5Fkey="),
        (b"/p?url=https%3A%2F%2Fa%2F%23api_key%3Dx&c=2", b"/p?url=https%3A%2F%2Fa%2F%23api_key%3D&c=2"),
        (b"/p?url=%252F%253Fpassword%253Dx%2526b%253D1", b"/p?url=%252F%253Fpassword%253D%2526b%253D1"),
    ],
)
def test_secret_parameters_lose_their_values(target: bytes, clean: bytes) -> None:
    """Also in a URL that is a parameter itself; names that only look alike are left alone."""
    assert KEEPER.target(target) == clean
    for method, version in ((b"GET", b"HTTP/1.1"), (b"POST", b"HTTP/1.0")):
        head = b" ".join((method, b"%b", version)) + b"\r\nHost: a\r\n\r\n"
        assert KEEPER.head(head % target) == head % clean


def test_a_referrer_loses_them_too() -> None:
    """It is the address of a page, and may have been one with a secret."""
    assert kept(b"Referer: https://a/?x=1&password=hunter2") == b"Referer: https://a/?x=1&password=\r\n"


@pytest.mark.parametrize(
    ("body", "clean"),
    [
        (b"a=1&password=x&b=2", b"a=1&password=&b=2"),
        (b'{"a":1,"Password" : "x\\"y","api_key":12,"b":2}', b'{"a":1,"Password" : "","api_key":"","b":2}'),
        (b'[{"password":null}]', b'[{"password":""}]'),
        (b'{"nopassword":"x"}', b'{"nopassword":"x"}'),
        (b'{"url":"https://a/?password=x&b=1"}', b'{"url":"https://a/?password=&b=1"}'),
        (b'{"password":["x","y"],"b":2}', b'{"password":"","b":2}'),
        (b'{"password":{"v":"x"}}', b'{"password":""}'),
        (b'\xef\xbb\xbf{"password":"x"}', b'\xef\xbb\xbf{"password":""}'),
        (b"\x1f\x8b\x08password=x", b"\x1f\x8b\x08password=x"),
    ],
)
def test_bodies_lose_them_too(body: bytes, clean: bytes) -> None:
    """Forms and JSON; what is packed is left to those who unpack it."""
    assert KEEPER.body(body) == clean


def test_no_secret_parameters() -> None:
    """An empty list takes nothing out."""
    assert Keeper([]).target(b"/p?password=x&=y") == b"/p?password=x&=y"
    assert Keeper([]).body(b'{"password":1}') == b'{"password":1}'


@given(
    st.lists(st.sampled_from([b"Host: a", b"Cookie: hunter2", b"cookie:hunter2", b"Referer: /?q", b"X: y"]), max_size=6)
)
def test_any_order(lines: list[bytes]) -> None:
    """The quick look and the exact one agree."""
    clean = [line for line in lines if b"hunter2" not in line]
    assert kept(*lines) == b"".join(line + b"\r\n" for line in clean)
