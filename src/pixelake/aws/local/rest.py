"""A REST API's mapping template on this machine: what API Gateway would send for a request. Needs the extra ``local``.

The engine is no Velocity of Apache's; that both give the same for our template
is tested with a thousand hostile requests.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus

import airspeed

from pixelake.aws.direct import ANSWERS, Integrated

_UNRESERVED: Final = "*-._"
"""What Java's URL encoder leaves as it is, beside letters and digits."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a REST API sees it.

    Attributes:
        method: as sent.
        path: with the stage before it, if the API has no domain of its own.
        query: decoded names with their last values.
        headers: names as sent with their last values.
        peer: address of who calls.
        milliseconds: since the epoch: when it came.
        request_id: a client may choose it;
        extended_request_id: nobody chooses this one.
        stage: of the API.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    peer: str
    milliseconds: int
    request_id: str
    extended_request_id: str
    stage: str = "prod"


def query_of(raw: str) -> Mapping[str, str]:
    """Decoded names with their last values, as a REST API knows a query; what is no UTF-8 is lost there."""
    return dict(parse_qsl(raw, keep_blank_values=True, errors="replace"))


def headers_of(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """Names with their last values, one name for all its spellings."""
    spelt = {name.lower(): (name, value) for name, value in pairs}
    return dict(spelt.values())


def rendered(template: str, asked: Asked) -> bytes:
    """What a template makes of a request: the body of the call that API Gateway makes."""
    text: str = _compiled(template).merge({"input": _Input(asked), "util": _Util(), "context": _context(asked)})
    return text.encode(errors="replace")


def answer_to(status: int) -> Integrated:
    """The answer of the API if the queue has answered that status."""
    default = next(each for each in ANSWERS if not each.pattern)
    return next((each for each in ANSWERS if each.pattern and re.fullmatch(each.pattern, str(status))), default)


@lru_cache(4)
def _compiled(template: str) -> Any:
    made = airspeed.Template(template)
    made.ensure_compiled()
    return made


def _context(asked: Asked) -> Mapping[str, Any]:
    return {
        "extendedRequestId": asked.extended_request_id,
        "requestId": asked.request_id,
        "requestTimeEpoch": asked.milliseconds,
        "identity": {"sourceIp": asked.peer},
        "httpMethod": asked.method,
        "stage": asked.stage,
        "path": asked.path,
    }


class _Text(str):
    """A text of Java's: the engine finds its methods, which are not those of Python."""

    __slots__ = ()

    def toLowerCase(self) -> "_Text":  # noqa: N802 - Java's name
        """See Java."""
        return _Text(self.lower())


class _Map:
    """A map of Java's. No dict: there a header named `get` would hide the method."""

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = items

    def keySet(self) -> Sequence[_Text]:  # noqa: N802 - Java's name
        """See Java."""
        return [_Text(name) for name in self._items]

    def get(self, name: str) -> Any:
        """See Java."""
        return self._items.get(name)


class _Input:
    """``$input``."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def params(self) -> _Map:
        """The parameters of path, query and head."""
        return _Map({"path": _Map({}), "querystring": _Map(self._asked.query), "header": _Map(self._asked.headers)})


class _Util:
    """``$util``."""

    def base64Encode(self, text: str) -> str:  # noqa: N802 - API Gateway's
        """In base64 of UTF-8."""
        return b64encode(text.encode(errors="replace")).decode()

    def urlEncode(self, text: str) -> str:  # noqa: N802 - API Gateway's
        """As the value of a form."""
        return quote_plus(text, safe=_UNRESERVED, errors="replace")
