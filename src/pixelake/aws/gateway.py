"""Requests as API Gateway tells of them, and what it is answered. Pure: nothing is asked, nothing is sent.

Both formats of a proxy integration are read: 2.0 (HTTP APIs) and 1.0 (REST
APIs). What an event says becomes the head that a collector would have
received; from there on the rules are the collector's own: what is kept, who the
client is, how fast it may come. Format 1.0 holds a decoded query, which is
written anew; the order of different names is lost there.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec

from pixelake.collect import told
from pixelake.collect.pixel import STAY, Answers, cors
from pixelake.collect.told import Request, hit
from pixelake.dialects.base import Answer
from pixelake.errors import SourceError

__all__ = ["Request", "answer", "hit", "request", "settled"]

_HINT: Final = (
    "let API Gateway call the function: a proxy integration of an HTTP API (payload 2.0) or of a REST API (1.0)"
)
_WRITTEN_BY_GATEWAY: Final = frozenset({"Date", "Content-Length", "Connection"})
_IMAGES: Final = frozenset({"image/gif", "image/png"})
_Moment = Annotated[int, msgspec.Meta(ge=0, le=told.LATEST)]


class _Http(msgspec.Struct, rename="camel"):
    method: str
    source_ip: str = ""


class _Context2(msgspec.Struct, rename="camel"):
    http: _Http
    request_id: str
    time_epoch: _Moment
    stage: str | None = None


class _Event2(msgspec.Struct, rename="camel"):
    """Format 2.0."""

    request_context: _Context2
    raw_path: str
    raw_query_string: str | None = None
    headers: dict[str, str] | None = None
    body: str | None = None
    is_base64_encoded: bool | None = None


class _Identity(msgspec.Struct, rename="camel"):
    source_ip: str | None = None


class _Context1(msgspec.Struct, rename="camel"):
    identity: _Identity
    request_id: str
    request_time_epoch: _Moment
    extended_request_id: str | None = None
    stage: str | None = None


class _Event1(msgspec.Struct, rename="camel"):
    """Format 1.0."""

    request_context: _Context1
    http_method: str
    path: str
    headers: dict[str, str | None] | None = None
    multi_value_headers: dict[str, list[str] | None] | None = None
    query_string_parameters: dict[str, str | None] | None = None
    multi_value_query_string_parameters: dict[str, list[str] | None] | None = None
    body: str | None = None
    is_base64_encoded: bool | None = None


def request(event: object) -> Request:
    """The request that an event tells of.

    Raises:
        SourceError: it is no event of API Gateway.
    """
    is_newer = isinstance(event, Mapping) and event.get("version") == "2.0"
    try:
        if is_newer:
            return _of_2(msgspec.convert(event, _Event2))
        return _of_1(msgspec.convert(event, _Event1))
    except (msgspec.ValidationError, ValueError) as error:
        raise SourceError(f"this is no event of API Gateway: {error}", _HINT) from None


def _of_2(event: _Event2) -> Request:
    context = event.request_context
    headers = told.lines((event.headers or {}).items())
    path = told.path_of(event.raw_path, context.stage)
    target = told.target(path, told.raw_query(event.raw_query_string or ""))
    body = _body(event.body, event.is_base64_encoded)
    return told.request(
        context.http.method, target, headers, body, context.http.source_ip, context.time_epoch, context.request_id
    )


def _of_1(event: _Event1) -> Request:
    context = event.request_context
    headers = told.lines(_pairs(event.headers, event.multi_value_headers))
    fields = _pairs(event.query_string_parameters, event.multi_value_query_string_parameters)
    target = told.target(told.path_of(event.path, context.stage), told.query_of(fields))
    body = _body(event.body, event.is_base64_encoded)
    peer = context.identity.source_ip or ""
    name = context.extended_request_id or context.request_id  # a client chooses the latter by ``x-amzn-RequestId``
    return told.request(event.http_method, target, headers, body, peer, context.request_time_epoch, name)


def _pairs(
    single: Mapping[str, str | None] | None, multiple: Mapping[str, list[str] | None] | None
) -> Iterator[tuple[str, str]]:
    """Each name with each of its values; where both tell of a name, all its values."""
    given: dict[str, list[str]] = {name: [value or ""] for name, value in (single or {}).items()}
    given |= {name: values or [""] for name, values in (multiple or {}).items()}
    for name, values in given.items():
        for value in values:
            yield name, value


def _body(body: str | None, is_base64: bool | None) -> bytes:
    if not body:
        return b""
    return b64decode(body, validate=True) if is_base64 else body.encode(errors="replace")


def settled(
    answers: Answers, asked: Request, kind: Answer, reason: str = "", retry_after: int | None = None
) -> dict[str, Any]:
    """The answer to a hit: it is durable (no reason), or why it is not known to be.

    No badge is drawn here, so that its answer is the GIF. See `answer` for the shape.
    """
    method = "HEAD" if asked.method == "HEAD" else "GET"
    if reason:
        image = kind is not Answer.EMPTY
        extra = b"" if image else cors(asked.head)
        text = answers.refusal(reason, STAY, image=image, method=method, extra=extra, retry_after=retry_after)
    elif kind is Answer.EMPTY:
        text = answers.empty(asked.head, STAY)
    elif kind is Answer.PNG:
        text = answers.png(method, STAY)
    else:
        text = answers.image(method, STAY)
    return answer(text)


def answer(text: bytes) -> dict[str, Any]:
    """An answer of HTTP as API Gateway takes it, in both formats: ``statusCode headers body isBase64Encoded``.

    Images are in base64: an HTTP API decodes them by itself, a REST API if its
    binary media types are ``*/*``. What API Gateway writes itself is left out.
    """
    head, _, body = text.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name: value for name, _, value in pairs if name not in _WRITTEN_BY_GATEWAY}
    binary = bool(body) and headers.get("Content-Type") in _IMAGES
    return {
        "statusCode": int(status[9:12]),
        "headers": headers,
        "body": b64encode(body).decode() if binary else body.decode(),
        "isBase64Encoded": binary,
    }
