"""Requests that a gateway tells of, in place of their bytes: of the parts becomes the head that a collector would see.

From there on the rules are the collector's own: what is kept, who the client
is, how fast it may come.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec

from pixelake.address import packed
from pixelake.clock import SYSTEM
from pixelake.collect.admission import Admission, Refused
from pixelake.hit import Hit

SOURCE: Final = "apigateway"
"""Of its hits."""
NAMED: Final = "apigateway-"
"""Before API Gateway's name of a request: the ``hit_id``."""
LATEST: Final = 253_402_300_799_999
"""Milliseconds since the epoch, at the end of the year 9999."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_UNSAFE: Final = re.compile(r"[^!-~]+")
"""What cannot stand in a request line as it is."""
_UNSAFE_IN_PATH: Final = re.compile(r"[^!-~]+|[?#]")
"""The gateway has decoded the path."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""RFC 9110 5.5: such a letter is a space, or the value is refused."""
_NAME: Final = re.compile(r"(?!.*\.[0-9]+\Z)[!-~]{1,128}")
"""The end of others is that of an event of several in one body."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as the client sent it to API Gateway.

    Attributes:
        method: as sent.
        target: path and query, safe to stand in a request line; the path without the name of the stage.
        head: request line and header lines, as far as they are told.
        body: its bytes.
        peer: the address of who called API Gateway; empty if none is told.
        received_at: microseconds since the epoch, UTC: when API Gateway took it.
        request_id: API Gateway's own name for it, which no client chooses.
    """

    method: str
    target: bytes
    head: bytes
    body: bytes
    peer: str
    received_at: int
    request_id: str


def request(  # noqa: PLR0917 - the parts of a request
    method: str, target: bytes, headers: bytes, body: bytes, peer: str, milliseconds: int, request_id: str
) -> Request:
    """The request of these parts. Raises ValueError if its method or its id is none."""
    if not _TOKEN.fullmatch(method):
        raise ValueError("its method is none")
    if not _NAME.fullmatch(request_id):
        raise ValueError("its id is none")
    head = b"%s %s HTTP/1.1\r\n%s\r\n" % (method.encode(), target, headers)
    address = peer.partition("/")[0]  # AWS's own samples have a network there
    peer = address if packed(address) else ""
    return Request(method, target, head, body, peer, milliseconds * 1_000, request_id)


def path_of(path: str, stage: str | None) -> str:
    """The path without the stage: it is part of the address of an API that has no domain of its own."""
    if stage and path.startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :]
    return "/" + _UNSAFE_IN_PATH.sub(_escaped, path).removeprefix("/")


def target(path: str, query: str) -> bytes:
    """Path and query, both safe to stand in a request line."""
    return f"{path}?{query}".encode() if query else path.encode()


def raw_query(query: str) -> str:
    """A query as sent, safe to stand in a request line."""
    return _UNSAFE.sub(_escaped, query)


def query_of(fields: Iterable[tuple[str, str]]) -> str:
    """A query of decoded names and values, written anew."""
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in fields)


def lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Header lines; what is no name of a header has none."""
    found = (f"{name}: {_CONTROL.sub(' ', value)}\r\n" for name, value in headers if _TOKEN.fullmatch(name))
    return "".join(found).encode(errors="replace")


def _escaped(found: re.Match[str]) -> str:
    return _quoted(found[0])


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


@dataclass(slots=True)
class _Guest:
    """See `pixelake.collect.admission.Guest`."""

    address: str = ""
    peer: str = ""
    client: str = ""


def hit(asked: Request, admission: Admission) -> Hit | Refused:
    """The hit of a request, as the collector would have made it, or why it may not come in.

    It has the name that API Gateway gave to the request: put twice, it is still one.
    """
    guest = _Guest()
    admission.greet(guest, asked.peer)
    made = admission.hit(SYSTEM, guest, asked.head, asked.body, admission.odds(asked.head))
    if isinstance(made, Refused):
        return made
    name = NAMED + asked.request_id
    return msgspec.structs.replace(made, received_at=asked.received_at, source=SOURCE, hit_id=name)
