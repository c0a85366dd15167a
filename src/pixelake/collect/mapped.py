"""Messages that a mapping template of API Gateway makes of requests (``aws/queue.vtl``), with no function on the way.

JSON of ASCII, without a line end; each text is in base64 of UTF-8::

    {"mapped":1,"id":"…","request":"…","time":"…","peer":"…","method":"…","stage":"…","path":"…",
     "query":[["…","…"]],"headers":[["…","…"]]}

- ``id`` is the extended id of the request, which no client chooses; ``request`` is the other one, for want of it.
- ``time`` is when API Gateway took it, in milliseconds since the epoch, in digits.
- ``peer`` is who called API Gateway: CloudFront, if that is in front.
- ``query`` and ``headers`` hold each name once, with its last value: a REST API tells no more. The query is decoded.

A hit of such a message is what the collector would have made of the request:
secrets are taken out, declared proxies are heard, addresses are cut short if
they are to be. Rates are not drawn from: whoever sent it has its answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

import msgspec

from pixelake import hit_json
from pixelake.clock import SECOND
from pixelake.collect import told
from pixelake.collect.admission import Admission, Refused
from pixelake.collect.told import Request
from pixelake.errors import NewerVersion, StreamError
from pixelake.hit import Hit
from pixelake.settings import Settings

VERSION: Final = 1
DAY: Final = 86_400 * SECOND
OLDEST: Final = 631_152_000_000
"""Milliseconds since the epoch, at the beginning of 1990."""
_BEGIN: Final = b'{"mapped":'
_LINE_ENDS: Final = b"\r\n"
"""An encoder of base64 may break lines."""
_HINT: Final = "let the template queue.vtl of this version make the messages"


class _Version(msgspec.Struct):
    mapped: Annotated[int, msgspec.Meta(gt=0, le=hit_json.LATEST_VERSION)]


class _Message(msgspec.Struct):
    id: bytes
    request: bytes
    time: bytes
    peer: bytes
    method: bytes
    stage: bytes
    path: bytes
    query: Sequence[tuple[bytes, bytes]]
    headers: Sequence[tuple[bytes, bytes]]


_VERSION_DECODER: Final = msgspec.json.Decoder(_Version)
_DECODER: Final = msgspec.json.Decoder(_Message)


class Mapped:
    """Reads what is in a queue: such messages, and lines of `pixelake.hit_json`.

    Args:
        settings: of the collector.
    """

    def __init__(self, settings: Settings) -> None:
        self._admission = Admission(replace(settings, site_rate=0, address_rate=0))

    def decode(self, data: bytes, sent_at: int = 0) -> Hit:
        """The hit of a message. The same message always gives the same hit.

        Args:
            data: the message.
            sent_at: when it was sent, in microseconds since the epoch; 0 if nobody can say.

        Raises:
            NewerVersion: it is of a version that this one does not know.
            StreamError: nobody can read it.
        """
        if not data.startswith(_BEGIN):
            return hit_json.decode(data, sent_at)
        try:
            return self._hit(request(data.translate(None, _LINE_ENDS)), sent_at)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise StreamError(f"this is no message of our template: {error}", _HINT) from None

    def _hit(self, asked: Request, sent_at: int) -> Hit:
        if sent_at and asked.received_at > sent_at + DAY:
            raise ValueError("its time is ahead of its message")
        made = told.hit(asked, self._admission)
        if isinstance(made, Refused):  # nobody is, without rates
            raise StreamError(f"the request is refused: {made.reason}", _HINT)
        return made


def request(data: bytes) -> Request:
    """The request that a message tells of.

    Raises:
        NewerVersion: it is of a version that this one does not know.
        msgspec.MsgspecError: it is no such message.
        ValueError: one of its members means nothing.
    """
    if (version := _VERSION_DECODER.decode(data).mapped) > VERSION:
        raise NewerVersion(f"a message is made by version {version} of a template", "run a newer version of pixelake")
    message = _DECODER.decode(data)
    milliseconds = int(message.time)
    if not OLDEST <= milliseconds <= told.LATEST:
        raise ValueError("its time is out of range")
    path = told.path_of(message.path.decode(), message.stage.decode())
    return told.request(
        message.method.decode(),
        told.target(path, told.query_of(_texts(message.query))),
        told.lines(_texts(message.headers)),
        b"",
        message.peer.decode(),
        milliseconds,
        (message.id or message.request).decode(),
    )


def _texts(pairs: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in pairs]
