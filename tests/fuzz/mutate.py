"""Requests that are nearly right: a grammar of what clients send, and what goes wrong with it on the way.

Everything is drawn from a `random.Random`, so that a seed gives the same bytes again.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Final

IMAGES: Final = (b"/pixel.gif", b"/pixel", b"/p.gif", b"/trackingpixel", b"/")
_PATHS: Final = (*IMAGES, b"/pixel.png", b"/204", b"/badge.svg", b"/events", b"/health", b"/ready", b"/x", b"*", b"//")
_QUERIES: Final = (
    *(b"", b"n=1", b"site=shop.example&url=https%3A%2F%2Fshop.example%2F%3Fa%3D1&title=A%20lamp", b"a=<b>\"'{|}^`\\"),
    *(
        b"password=hunter2",
        b"a=1&api_key=hunter2&b=2",
        b"url=https%3A%2F%2Fa%2F%3Fsecret%3Dhunter2%26b",
        b"%70asswd=hunter2",
    ),
    *("t=café".encode(), b"t=caf\xe9", b"a=%zz&=&&", b"x#y?z", b"q=" + b"x" * 200),
)
_METHODS: Final = (
    *(b"HEAD", b"POST", b"OPTIONS", b"PUT", b"DELETE", b"CONNECT", b"TRACE", b"PATCH", b"get", b"Get", b"GE", b"GETT"),
    *(b"PRI", b"M-SEARCH", b"SOURCE", b"QUERY", b"BREW", b"G\x01T", b""),
)
_VERSIONS: Final = (
    *(b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/1.01", b"HTTP/1.", b"HTTP/11", b"http/1.1", b"HTTP/3"),
    *(b"HTTP /1.1", b"HTTP/1.1 ", b"HTTP/1.1\t", b"RTSP/1.0", b"ICE/1.0", b"HTP/1.1", b""),
)
_USUAL: Final = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    b"Accept: image/avif,image/webp,*/*;q=0.8",
    b"Accept-Language: de-DE,de;q=0.9",
    b"Accept-Encoding: gzip, deflate, br",
    b"Connection: keep-alive",
    b"Referer: https://shop.example/cart",
    b"Origin: https://shop.example",
    b"DNT: 1",
    b"Sec-Fetch-Dest: image",
    b"Cache-Control: no-cache",
)
ODD_LINES: Final = (
    *(b"Connection: close", b"connection:CLOSE", b"Connection: close, x", b"Connection: x, close", b"Connection:"),
    *(b"Connection: Keep-Alive", b"Connection: keep-alive, Upgrade", b"Connection: upgrade", b"Connection: clos"),
    *(b"Connection: closed", b"Connection: close\t ", b"Connection:\tkeep-alive", b"Connection: keep-alivex"),
    *(b"Proxy-Connection: close", b"Keep-Alive: timeout=5", b"Upgrade: h2c", b"Upgrade: websocket", b"upgrade:"),
    *(b"Expect: 100-continue", b"expect: 100-Continue ", b"Expect: 200-ok", b"Expect: 100-continue, x"),
    *(b"Content-Length: 0", b"Content-Length: 3", b"Content-Length: 5", b"Content-Length:5", b"Content-Length: 40"),
    *(
        b"Content-Length: +3",
        b"Content-Length: -3",
        b"Content-Length: 03",
        b"Content-Length: 3, 3",
        b"Content-Length: 3,4",
    ),
    *(
        b"Content-Length: 0x3",
        b"Content-Length: 3 3",
        b"Content-Length:",
        b"Content-Length: 3;",
        b"Content-Length: 3\t",
    ),
    *(b"Content-Length: 00000000000000000000003", b"Content-Length: 18446744073709551619", b"Content-Length: 99999"),
    *(
        b"Content-Length : 3",
        b"Content-Length\t: 3",
        b"Content_Length: 3",
        b"Content-Length: \x0b3",
        b"Content-Length: 3\x00",
    ),
    *(
        b"Transfer-Encoding: chunked",
        b"transfer-encoding:chunked",
        b"Transfer-Encoding: Chunked",
        b"Transfer-Encoding:",
    ),
    *(b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity"),
    *(b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding : chunked"),
    *(b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding: \x0bchunked", b'Transfer-Encoding: "chunked"'),
    *(b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: ,chunked", b"Transfer-Encoding:\r\n chunked"),
    *(b"Transfer-Encoding\x00: chunked", b"X: y\rTransfer-Encoding: chunked", b"X: y\nTransfer-Encoding: chunked"),
    *(b"X-X: a\r\n\tb", b" folded", b"\tfolded", b"no colon", b":", b": no name", b"X:", b"X:y", b"X : y", b"X\x01: y"),
    *(b"X: \x00", b"X: \x01", b"X: \x7f", b"X: \x0b", b"X: \xff\xfe", b"X\xc3: y", b"(X): y", b"X: " + b"a" * 300),
    *(b"Cookie: sid=hunter2", b"cookie:hunter2", b"AUTHORIZATION: Bearer hunter2", b"Referer: /?password=hunter2&a=1"),
    *(b"X-Forwarded-For: 203.0.113.9, 10.0.0.1", b"forwarded: for=203.0.113.9", b"CF-Connecting-IP: 203.0.113.9"),
    *(b"Host: b", b"Host:", b"Host: a b", b"host: a"),
)
_BODIES: Final = (
    *(b"", b"{}", b"abc", b'{"event":"buy"}', b"event=buy&password=hunter2", b"GET /p.gif?smuggled HTTP/1.1\r\n\r\n"),
    *(b"\x00\xff" * 20, b"0\r\n\r\n", b"x" * 300, b'{"password":"hunter2"}'),
)
_SIZES: Final = (
    *(b"0x3", b"+3", b"-3", b" 3", b"3 ", b"3\t", b"", b"g", b"3g", b"0003", b"FFFFFFFFFFFFFFFFF", b"7fffffffffffffff"),
    *(b"3;", b"3;a=b", b'3;a="b"', b'3;a="b\r\nc"', b"3;a=\x00", b"3\r", b"3\n", b"3;" + b"e" * 500, b"8" * 30, b"1"),
)
_BYTES: Final = (
    *(b"\r", b"\n", b"\r\n", b"\n\r", b"\r\r\n", b"\n\n", b"\r\n\r\n", b"\x00", b"\x01", b"\x0b", b"\x0c", b"\x1f"),
    *(
        b" ",
        b"  ",
        b"\t",
        b":",
        b";",
        b",",
        b"?",
        b"#",
        b"%",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"\xe2\x84\xaa",
        b"0",
        b"\\",
        b'"',
    ),
)

CLASSICS: Final = tuple(
    line.replace(b"|", b"\r\n")
    for line in (
        # CL.TE and TE.CL: the one reads a length, the other chunks
        b"POST /events HTTP/1.1|Host: a|Content-Length: 6|Transfer-Encoding: chunked||0||G",
        b"POST /events HTTP/1.1|Host: a|Content-Length: 4|Transfer-Encoding: chunked||5c|GET /p.gif?s HTTP/1.1||0||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked|Content-Length: 3||0||GET /p.gif?s HTTP/1.1||",
        # TE.TE: one of them does not know the coding
        b"POST /events HTTP/1.1|Host: a|Content-Length: 4|Transfer-Encoding: chunked|Transfer-encoding: cow||0||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: xchunked||0||GET /p.gif?s HTTP/1.1|Host: a||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding : chunked||0||GET /p.gif?s HTTP/1.1|Host: a||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding:\x0bchunked||0||GET /p.gif?s HTTP/1.1|Host: a||",
        b"POST /events HTTP/1.1|Host: a| Transfer-Encoding: chunked|Content-Length: 5||0||",
        b"POST /events HTTP/1.1|Host: a|X: x\nTransfer-Encoding: chunked|Content-Length: 5||0||",
        b"POST /events HTTP/1.1|Host: a|X: x\rTransfer-Encoding: chunked|Content-Length: 5||0||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: identity, chunked||0||GET /p.gif?s HTTP/1.1|Host: a||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked||0||",
        # two lengths, and lengths that are read in two ways
        b"POST /events HTTP/1.1|Host: a|Content-Length: 0|Content-Length: 36||GET /p.gif?s HTTP/1.1|Host: a|||||||",
        b"POST /events HTTP/1.1|Host: a|Content-Length: 3|Content-Length: 3||abc",
        b"POST /events HTTP/1.1|Host: a|Content-Length: +3||abc",
        b"POST /events HTTP/1.1|Host: a|Content-Length: -0||",
        b"POST /events HTTP/1.1|Host: a|Content-Length: 0003||abc",
        b"POST /events HTTP/1.1|Host: a|Content-Length: 3 ||abc",
        b"POST /events HTTP/1.1|Host: a|Content-Length : 3||abc",
        b"POST /events HTTP/1.1|Host: a|Content-Length: 3,3||abc",
        b"POST /events HTTP/1.1|Host: a|Content-Length: 0_3||abc",
        b"POST /events HTTP/1.1|Host: a|Content-Length: 18446744073709551619||abc",
        # a body where none is awaited
        b"GET /p.gif?a HTTP/1.1|Host: a|Content-Length: 37||GET /p.gif?smuggled HTTP/1.1|Host: a||",
        b"GET /p.gif?a HTTP/1.1|Host: a|Transfer-Encoding: chunked||1|x|0||GET /p.gif?b HTTP/1.1|Host: a||",
        b"HEAD /p.gif?a HTTP/1.1|Host: a|Content-Length: 99999||",
        # the end of a chunk, its size and its trailers
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abcX|0||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abcXX0||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked||3\nabc|0||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked||3;\nabc|0||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked||3;x\nGET|0||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked||0|Content-Length: 9|X: y||GET /p.gif?b HTTP/1.1||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked||0\r\r\nX: y||",
        b"POST /events HTTP/1.1|Host: a|Transfer-Encoding: chunked||10000000000000003|abc|0||",
        b"POST /events HTTP/1.0|Host: a|Transfer-Encoding: chunked||3|abc|0||",
        # who asks for more than a request
        b"GET /p.gif?a HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: h2c|Content-Length: 3||abcGET /p.gif?b HTTP/1.1||",
        b"GET /p.gif?a HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: h2c|Transfer-Encoding: chunked||0||",
        b"CONNECT a:443 HTTP/1.1|Host: a||GET /p.gif?b HTTP/1.1|Host: a||",
        b"PRI * HTTP/2.0||SM||",
        b"GET /p.gif?a||",
        b"||GET /p.gif?a HTTP/1.1|Host: a||",
        b"GET /p.gif?a HTTP/1.1\nHost: a\n\n",
        b"GET http://a.example/p.gif?a HTTP/1.1|Host: a||",
        b"GET http://a.example HTTP/1.1|Host: a||",
        b"GET /p.gif?a HTTP/1.1|Host: a|Connection: close||GET /p.gif?b HTTP/1.1|Host: a||",
        b"GET /p.gif?a HTTP/1.1|Host: a||\x01GET /p.gif?b HTTP/1.1|Host: a||",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    )
)
"""What is known of request smuggling, and requests that ask for something else; ``|`` stands for CR LF."""


def request(rng: Random) -> bytes:
    """A request as clients send it, or nearly."""
    draw = rng.random()
    if draw < 0.04:
        return rng.choice(CLASSICS)
    body = rng.choice(_BODIES) if draw < 0.25 else b""
    method = rng.choice(_METHODS) if rng.random() < 0.12 else b"POST" if body else b"GET"
    path = b"/events" if method == b"POST" else rng.choice(IMAGES if rng.random() < 0.8 else _PATHS)
    query = rng.choice(_QUERIES)
    target = path + b"?" + query if query or path == b"/" else path
    if rng.random() < 0.03:
        target = rng.choice((b"http://a.example", b"HTTP://a:80", b"h2c+x://", b"://", b"a.example")) + target
    version = rng.choice(_VERSIONS) if rng.random() < 0.05 else b"HTTP/1.1"
    lines = [b"Host: a"] if rng.random() < 0.97 else []
    lines += rng.sample(_USUAL, rng.randrange(5))
    while rng.random() < 0.15:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(ODD_LINES))
    if body:
        body = _framed(rng, lines, body)
    return b" ".join((method, target, version)) + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _framed(rng: Random, lines: list[bytes], body: bytes) -> bytes:
    """The body as it is sent; what tells of its length is put among the lines."""
    if rng.random() < 0.2:
        lines.insert(rng.randrange(len(lines) + 1), b"Expect: 100-continue")
    if rng.random() < 0.6:
        lines.insert(rng.randrange(len(lines) + 1), b"Content-Length: %d" % len(body))
        return body
    lines.insert(rng.randrange(len(lines) + 1), b"Transfer-Encoding: chunked")
    sent = b""
    while body:
        size = rng.randint(1, len(body))
        written = rng.choice(_SIZES) if rng.random() < 0.06 else b"%x" % size
        extension = rng.choice((b";a=b", b";", b' ;a="b"', b";a;b=c")) if rng.random() < 0.1 else b""
        sent += written + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    trailer = rng.choice(ODD_LINES) + b"\r\n" if rng.random() < 0.1 else b""
    return sent + b"0\r\n" + trailer + b"\r\n"


def spelled(rng: Random, name: str) -> bytes:
    """A name as it may stand in a query: in any case, some of it percent-encoded."""
    spelling = b""
    for letter in name:
        for byte in rng.choice((letter, letter.upper(), letter.lower())).encode():
            encoded = rng.choice((b"%%%02x", b"%%%02X")) % byte
            spelling += encoded if rng.random() < 0.2 else b"+" if byte == 0x20 else bytes([byte])
    return spelling


def near_plain(rng: Random, secrets: Sequence[str]) -> bytes:
    """A head that begins and ends as a plain one; in between it may hold anything, also secrets of these names."""
    query = rng.choice(_QUERIES)
    if rng.random() < 0.2:
        query += (
            rng.choice((b"&", b"", b"%26", b"%3f", b"#"))
            + spelled(rng, rng.choice(secrets))
            + rng.choice((b"=x", b"=", b"%3dx", b"%253Dx"))
        )
    lines = [b"Host: a", *rng.sample(_USUAL, rng.randrange(6))]
    rng.shuffle(lines)
    while rng.random() < 0.3:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(ODD_LINES))
    inner = query + b" HTTP/1.1\r\n" + b"\r\n".join(lines)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        inner = mutated(rng, inner)
    return b"GET /pixel.gif?" + inner + b"\r\n\r\n"


def mutated(rng: Random, data: bytes) -> bytes:
    """The bytes with one thing gone wrong."""
    return rng.choice(_MUTATIONS)(rng, data)


def _at(rng: Random, data: bytes) -> int:
    return rng.randint(0, len(data))


def _insert(rng: Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + rng.choice(_BYTES) + data[at:]


def _any_byte(rng: Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + rng.randbytes(1) + data[at + rng.randrange(2) :]


def _flip(rng: Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + bytes(byte ^ 1 << rng.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :]


def _cut_out(rng: Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + data[at + rng.choice((1, 1, 2, 10, 100)) :]


def _repeat(rng: Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + data[at : at + rng.choice((1, 2, 20, 60))] * rng.choice((2, 2, 3, 40)) + data[at:]


def _lines(change: Callable[[Random, list[bytes]], object]) -> Callable[[Random, bytes], bytes]:
    def mutate(rng: Random, data: bytes) -> bytes:
        lines = data.split(b"\r\n")
        change(rng, lines)
        return b"\r\n".join(lines)

    return mutate


def _edit_line(rng: Random, lines: list[bytes]) -> None:
    at = rng.randrange(len(lines))
    line = lines[at]
    lines[at] = rng.choice(
        (
            *(
                b" " + line,
                b"\t" + line,
                line + b" ",
                line + b"\r",
                b"\n" + line,
                line.upper(),
                line.lower(),
                line[::-1],
            ),
            *(line.replace(b":", b" :", 1), line.replace(b": ", b":", 1), line.replace(b":", b"", 1), line[:-1]),
            *(line.replace(b" ", b"  "), line.replace(b" ", b"\t"), line.replace(b" ", b""), line.replace(b"1", b"0")),
        )
    )


def _other_end(rng: Random, data: bytes) -> bytes:
    """One line ends otherwise, or all."""
    ending = rng.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\r\n\t", b"\x01", b""))
    if rng.random() < 0.2:
        return data.replace(b"\r\n", ending)
    before, found, behind = data.rpartition(b"\r\n")
    for _ in range(rng.randrange(8)):
        shorter, found_, between = before.rpartition(b"\r\n")
        if not found_:
            break
        before, behind = shorter, between + b"\r\n" + behind
    return before + ending + behind if found else data + ending


def _long(rng: Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return (
        data[:at]
        + rng.choice((b"a", b"\r\n", b"%25", b"X: y\r\n", b" ", b"0", b"&a=")) * rng.choice((900, 3_000))
        + data[at:]
    )


_MUTATIONS: Final[Sequence[Callable[[Random, bytes], bytes]]] = (
    *(_insert, _insert, _any_byte, _any_byte, _flip, _flip, _cut_out, _repeat, _other_end, _other_end),
    _lines(lambda rng, lines: lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))),
    _lines(lambda rng, lines: lines.pop(rng.randrange(len(lines)))),
    _lines(lambda rng, lines: rng.shuffle(lines)),
    _lines(lambda rng, lines: lines.insert(rng.randrange(len(lines) + 1), rng.choice(ODD_LINES))),
    _lines(lambda rng, lines: lines.insert(rng.randrange(len(lines) + 1), rng.choice(ODD_LINES))),
    *(_lines(_edit_line), _lines(_edit_line)),
    lambda rng, data: data[: _at(rng, data)],
    lambda rng, data: data + request(rng),
    lambda rng, data: _long(rng, data) if rng.random() < 0.1 else _flip(rng, data),
)


def stream(rng: Random) -> list[bytes]:
    """What one client sends: requests, most of them mutated."""
    requests = [request(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5)))]
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        at = rng.randrange(len(requests))
        requests[at] = mutated(rng, requests[at])
    return requests


def pieces(rng: Random, requests: Sequence[bytes]) -> list[bytes]:
    """How the network cuts it: at requests, at random, at lines, in bytes, or not at all."""
    draw = rng.random()
    if draw < 0.5:
        return [each for each in requests if each]
    data = b"".join(requests)
    if draw < 0.65:
        return [data] if data else []
    if draw < 0.7 and len(data) < 800:
        return [data[at : at + 1] for at in range(len(data))]
    if draw < 0.8:
        return [piece for piece in data.replace(b"\n", b"\n|").split(b"|") if piece] if b"|" not in data else [data]
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(1, 4)))
    bounds = [0, *cuts, len(data)]
    return [data[start:end] for start, end in pairwise(bounds) if end > start]
