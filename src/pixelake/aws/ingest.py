"""The function behind API Gateway: a request becomes a hit, is put, and is answered. Its handler is `handler`.

One put a request, and the answer only behind it: a 200 means that the stream
or queue has the hit. What cannot be put is answered 503, with the reason in
``X-Pixelake``, and still with the GIF on an image's path; a line in the log
says why, and what to do. API Gateway is never answered with an exception.

It is set by the environment: ``PIXELAKE_STREAM`` (see `pixelake.aws.put`), and
any setting of the collector as ``PIXELAKE_<NAME>``. Rates are those of one
instance of the function.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import structlog

from pixelake import hit_json, settings
from pixelake.aws import gateway
from pixelake.aws.gateway import Request
from pixelake.aws.put import Put, opened
from pixelake.build.judging import dialects
from pixelake.collect.admission import Admission, Refused
from pixelake.collect.pixel import STAY, Answers
from pixelake.dialects.base import Route, routes
from pixelake.errors import PixelakeError, SettingsError, SourceError, StreamError, StreamUnavailable
from pixelake.settings import Settings
from pixelake.telemetry import log_to_stderr, told

Event = Mapping[str, Any]
"""Of API Gateway; and the answer to it."""
_LOG: Final = structlog.get_logger("ingest")


class Ingest:
    """What an instance of the function keeps from request to request.

    Args:
        given: the settings of the collector.
        put: where hits go.
        unready: why none can be taken, if it is known before one comes.
    """

    def __init__(self, given: Settings, put: Put, unready: str = "") -> None:
        self._put = put
        self._unready = unready
        self._admission = Admission(given)
        self._routes = routes(dialects(given))
        self._max_head, self._max_body = given.max_head, given.max_body
        self._answers = Answers()

    def __call__(self, event: object) -> Event:
        """The answer to a request.

        Raises:
            SourceError: the event is none of API Gateway.
        """
        asked = gateway.request(event)
        path, mark, _ = asked.target.partition(b"?")
        route = self._routes.get(path) if mark or path != b"/" else None
        if route is None or asked.method.encode() not in route.methods:
            return self._no_hit(asked, path, route)
        return gateway.settled(self._answers, asked, route.answer, *self._taken(asked))

    def _taken(self, asked: Request) -> Refused:
        """Why the hit is not known to be durable; no reason if it is."""
        if len(asked.head) > self._max_head:
            return Refused("head_too_large")
        if len(asked.body) > self._max_body:
            return Refused("body_too_large")
        hit = gateway.hit(asked, self._admission)
        if isinstance(hit, Refused):
            return hit
        line = hit_json.encode(hit)
        if len(line) > self._put.most:
            return Refused("body_too_large")
        try:
            self._put.put(hit.hit_id, line)
        except StreamError as error:
            _complain("a hit is not known to be kept", error, hit_id=hit.hit_id)
            return Refused(error.reason if isinstance(error, StreamUnavailable) else "unavailable")
        return Refused("")

    def _no_hit(self, asked: Request, path: bytes, route: Route | None) -> Event:
        """Health, preflight, an unknown path, a wrong method."""
        method = asked.method
        if route is None:
            reason = self._unready if path == b"/ready" else "" if path == b"/health" else "no_route"
            if reason:
                return gateway.answer(self._answers.refusal(reason, STAY, method=method))
            return gateway.answer(self._answers.text("200 OK", "ok", STAY, method=method))
        allowed = b", ".join([*sorted(route.methods), b"OPTIONS"])
        if method == "OPTIONS":
            return gateway.answer(self._answers.preflight(asked.head, allowed, STAY))
        extra = b"Allow: " + allowed + b"\r\n"
        return gateway.answer(self._answers.refusal("method", STAY, method=method, extra=extra))


class Nowhere:
    """In place of where hits go, when that is not known: each is refused, with the reason."""

    most = 1 << 30

    def __init__(self, error: SettingsError) -> None:
        self._error = error

    def put(self, hit_id: str, line: bytes) -> None:  # noqa: ARG002 - none is taken
        """Raise StreamUnavailable."""
        raise StreamUnavailable(str(self._error), self._error.hint)


def ingest(environment: Mapping[str, str] | None = None) -> Ingest:
    """What these settings make; by default those of this process. Wrong ones refuse each hit, and say so."""
    try:
        given = settings.load(environment=environment)
        settings.check(given)
        dialects(given)
        return Ingest(given, opened(given.stream))
    except SettingsError as error:
        return Ingest(Settings(), Nowhere(error), unready="unavailable")


@cache
def _instance() -> Ingest:
    made = ingest()
    log_to_stderr("info")
    return made


def handler(event: object, context: object) -> Event:  # noqa: ARG001 - Lambda gives it
    """Answer an event of API Gateway, in payload format 2.0 or 1.0. Never raises."""
    try:
        return _instance()(event)
    except SourceError as error:
        _complain("an event is no request", error)
        return _refused("bad_request")
    except Exception as error:  # noqa: BLE001 - whatever it was, somebody waits for an image
        _complain("a hit is not kept", error)
        return _refused("unavailable")


def _refused(reason: str) -> Event:
    return gateway.answer(Answers().refusal(reason, STAY, image=True))


def _complain(what: str, error: Exception, **about: str) -> None:
    hint = error.hint if isinstance(error, PixelakeError) else "this is a fault of the program: tell its authors"
    _LOG.error(what, reason=told(error), hint=hint, **about)
