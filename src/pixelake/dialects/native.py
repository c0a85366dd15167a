"""The native dialect: query names on an image, or JSON, NDJSON and forms on ``/events``.

What a badge's image is asked for with is an event ``badge``, so that it is no view of a page.

Names are matched exactly, then in lower case; what is neither a native name
nor an alias of one is a property and keeps its own spelling.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from pixelake.dialects.base import MAX_VALUES, Answer, Edit, Element, Fault, Route
from pixelake.dialects.body import decode_body
from pixelake.dialects.coding import type_and_encoding
from pixelake.dialects.edit import edit_body
from pixelake.dialects.text import edit_query, parse_query
from pixelake.hit import Hit

NAMES: Final = (
    "site",
    "event",
    "url",
    "title",
    "referrer",
    "user",
    "event_id",
    "impression_id",
    "value",
    "currency",
    "consent",
    "screen",
    "timezone",
    "sent_at",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
)
"""The names that fill columns; every other name is a property."""

_IMAGES: Final = (b"/pixel.gif", b"/pixel", b"/p.gif", b"/trackingpixel")
_VIEW: Final = frozenset({b"GET", b"HEAD"})
BADGE: Final = b"/badge.svg"

ROUTES: Final = (
    *(Route(path, _VIEW, Answer.IMAGE) for path in _IMAGES),
    Route(b"/pixel.png", _VIEW, Answer.PNG),
    Route(b"/204", _VIEW, Answer.EMPTY),
    Route(BADGE, _VIEW, Answer.BADGE),
    Route(b"/events", frozenset({b"POST"}), Answer.EMPTY),
)


def names(aliases: Mapping[str, str]) -> Mapping[str, str]:
    """Every name with a meaning -> the native name."""
    return {name: name for name in NAMES} | {"tz": "timezone"} | dict(aliases)


class Native:
    """See `pixelake.dialects.base.Dialect`. `aliases` are other names for native ones (the setting)."""

    name: str = "native"
    routes: Sequence[Route] = ROUTES

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._names = names(aliases)

    def decode(self, hit: Hit) -> Sequence[Element]:
        """The elements of a hit.

        The query is the event of an image; it serves the elements of a body as
        defaults, and is the event if there is no body. A body on anything but
        a POST is not looked at.
        """
        path, _, query = hit.target.partition(b"?")
        if query.count(b"&") >= MAX_VALUES:
            return (Element({}, (Fault("too_many", "query", f"more than {MAX_VALUES} fields"),)),)
        values = parse_query(query, self._names)
        if path.endswith(BADGE) and not values.get("event", [""])[0]:
            values["event"] = ["badge"]
        if hit.method != "POST" or (not hit.body and values):
            return (Element(values),)
        content_type, encoding = type_and_encoding(hit.headers)
        return decode_body(hit.body, content_type, encoding, self._names, values)

    def edited(self, hit: Hit, edit: Edit) -> tuple[bytes | None, bytes | None]:
        """Target and body, edited. A body that `decode` does not look at cannot be read."""
        path, mark, query = hit.target.partition(b"?")
        readable = query.count(b"&") < MAX_VALUES
        target = path + mark + edit_query(query, self._names, edit) if readable else None
        if not hit.body:
            return target, b""
        if hit.method != "POST":
            return target, None
        content_type, encoding = type_and_encoding(hit.headers)
        return target, edit_body(hit.body, content_type, encoding, self._names, edit)
