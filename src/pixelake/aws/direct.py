"""A REST API that puts requests into a queue by itself, with no function on the way: how it is set. Data, and no more.

Each method (`METHODS`) of each path (`PATHS`) has an AWS integration with the action ``SendMessage`` of
SQS (``POST``, ``Content-Type: application/x-www-form-urlencoded``), the request
template `template` for `CONTENT_TYPE`, and ``passthroughBehavior: NEVER``: with
any other a request could bring its own form. `ANSWERS` are its answers; the API
has the binary media type ``*/*``, and their ``contentHandling`` is
``CONVERT_TO_BINARY``, so that the image is not taken for text. `OTHERWISE` is
what API Gateway answers by itself.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final, NamedTuple

from pixelake.collect.pixel import GIF, REFUSALS
from pixelake.dialects.base import Answer
from pixelake.dialects.native import ROUTES

METHODS: Final = ("GET", "HEAD")
PATHS: Final = tuple(route.path.decode() for route in ROUTES if route.answer is Answer.IMAGE)
"""Resources: the paths of the GIF, and no others, so that nobody's scan for other things is counted."""
CONTENT_TYPE: Final = "application/json"
"""What API Gateway takes a request for that names no type. One that names another is answered 415."""
_COMMON: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
}
_SVG: Final = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
"""An image that is text: answers of API Gateway itself cannot be binary, and no page shows a broken image."""


class Integrated(NamedTuple):
    """An answer of the integration.

    Attributes:
        pattern: which statuses of SQS it is for, as a regular expression for all of one; empty: any other.
        status: what the client gets.
        headers: of the answer.
        body: in base64; to be converted to binary.
    """

    pattern: str
    status: int
    headers: Mapping[str, str]
    body: str


class Own(NamedTuple):
    """An answer that API Gateway gives by itself: its kind is a response type of API Gateway's."""

    kind: str
    status: int
    headers: Mapping[str, str]
    body: str


def template() -> str:
    """The request template."""
    return resources.files("pixelake.aws").joinpath("queue.vtl").read_text("ascii")


def _refused(reason: str, *, again: bool = True) -> Mapping[str, str]:
    refusal = REFUSALS[reason]
    retry = {"Retry-After": str(refusal.retry_after)} if again and refusal.retry_after else {}
    return {**_COMMON, "X-Pixelake": reason, "Access-Control-Expose-Headers": "Retry-After, X-Pixelake", **retry}


def _image(pattern: str, status: int, headers: Mapping[str, str]) -> Integrated:
    return Integrated(pattern, status, {**headers, "Content-Type": "image/gif"}, b64encode(GIF).decode())


def _own(kind: str, status: int, reason: str) -> Own:
    return Own(kind, status, {**_refused(reason), "Content-Type": "image/svg+xml"}, _SVG)


ANSWERS: Final[Sequence[Integrated]] = (
    _image("200", 200, _COMMON),
    _image(r"4\d\d", 502, _refused("unavailable", again=False)),  # it is not ours, or not there: asking again is no use
    _image("", 503, _refused("unavailable")),
)
"""200 only where SQS says 200: what is not known to be in the queue is never answered so."""
OTHERWISE: Final[Sequence[Own]] = (
    _own("THROTTLED", 429, "rate_site"),
    _own("QUOTA_EXCEEDED", 429, "rate_site"),
    _own("INTEGRATION_TIMEOUT", 503, "undecided"),
    _own("INTEGRATION_FAILURE", 503, "undecided"),
    _own("MISSING_AUTHENTICATION_TOKEN", 404, "no_route"),  # its name for a path or a method that is not there
    _own("RESOURCE_NOT_FOUND", 404, "no_route"),
    _own("REQUEST_TOO_LARGE", 413, "body_too_large"),
    _own("UNSUPPORTED_MEDIA_TYPE", 400, "bad_request"),
    _own("DEFAULT_4XX", 400, "bad_request"),
    _own("DEFAULT_5XX", 503, "unavailable"),
)
