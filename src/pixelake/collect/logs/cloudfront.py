"""CloudFront's logs: real-time records, and standard logs of version 1 and 2 (W3C, plain, JSON).

Percent signs: the log puts its own escapes around what a viewer sent. One level
is taken from user agent, referer and host; path and query stay as they are,
since what the viewer encoded and what the log did cannot be told apart there.
In real-time records the path has its query behind it, in standard logs it has
not; the host that the viewer named has another field in each.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pixelake.cache import bounded
from pixelake.collect.logs.cloudfront_fields import (
    DEFAULT,
    HOST_OF_REALTIME,
    HOST_OF_STANDARD,
    MOMENTS,
    MOST,
    REALTIME,
    SOURCE,
    STANDARD,
    USED,
    Read,
    lacking,
    plain_name,
    reader,
)
from pixelake.collect.logs.line import Format, Line
from pixelake.errors import SettingsError

_FIELDS: Final = b"#Fields:"


def realtime(chosen: Sequence[str] = DEFAULT) -> Format:
    """Records of a real-time log configuration: tabs between the fields, no header.

    Args:
        chosen: the fields of the configuration, in any order: CloudFront has its own.

    Raises:
        SettingsError: there is no such field, or one that a hit needs was not chosen.
    """
    names = {plain_name(name) for name in chosen}
    if unknown := sorted(names.difference(REALTIME)):
        raise SettingsError(
            f"a real-time log has no field {unknown[0][:80]!r}", f"name those that were chosen: {','.join(DEFAULT)}"
        )
    _check(names)
    order = tuple(name for name in REALTIME if name in names)
    return Format(reader(order, HOST_OF_REALTIME), HOST_OF_REALTIME in names, SOURCE)


def standard(chosen: Sequence[str] = STANDARD) -> Format:
    """A standard log: its own ``#Fields`` say how it is read, JSON its own names.

    Args:
        chosen: the fields of lines that neither of these tells, in their order.

    Raises:
        SettingsError: one that a hit needs is not among them.
    """
    names = tuple(map(plain_name, chosen))
    _check(names)
    return Format(_Standard(names), has_host=True, source=SOURCE, begin=lambda: _Standard(names))


def _check(names: "Sequence[str] | set[str]") -> None:
    if missing := lacking([*names]):
        raise SettingsError(
            f"without the field {missing} no hit can be made of a line", f"choose at least {','.join(DEFAULT)}"
        )


class _Standard:
    """Reads the lines of one file, in order."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._read: Read = reader(names, HOST_OF_STANDARD)

    def __call__(self, line: bytes) -> Line | str | None:
        first = line[:1]
        if first == b"{":
            return _read_json(line)
        if first != b"#":
            return self._read(line)
        return self._begin(line) if line.startswith(_FIELDS) else None

    def _begin(self, line: bytes) -> str | None:
        """From here on lines have these fields."""
        names = tuple(map(plain_name, line[len(_FIELDS) :].decode("latin-1").split()))
        fault = _fault(names)
        self._read = (lambda _: fault) if fault else reader(names, HOST_OF_STANDARD)
        return fault or None


def _fault(names: Sequence[str]) -> str:
    if len(names) > MOST:
        return f"it has more than {MOST} fields"
    missing = lacking(names)
    return f"its fields lack {missing}" if missing else ""


_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def _read_json(line: bytes) -> Line | str:
    """A record of JSON, whose values are texts: read as a line of all fields that are looked at, in one order."""
    try:
        sent = _decode(line)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return "it is no JSON object"
    told: dict[str, bytes] = {}
    for name, value in sent.items():
        if known := _known(name):
            told.setdefault(known, _text(value))
    if b"\t" in b"".join(told.values()):
        return "a value is no text, or has a tab"
    if missing := lacking([*told]):
        return f"its fields lack {missing}"
    names = tuple(name for name in _ORDER if name in told or name not in MOMENTS)
    found = reader(names, HOST_OF_STANDARD)(b"\t".join(told.get(name, b"-") for name in names))
    return found if isinstance(found, Line) else _PLACE.sub("field", found)


_ORDER: Final = tuple(sorted(USED))
"""Whatever order a line has: each order is compiled, and somebody may send all there are."""
_PLACE: Final = re.compile(r"field \d+")


@bounded(1_024)
def _known(name: str) -> str:
    """The field of that name; empty if nothing is read from it."""
    plain = plain_name(name)
    return plain if plain in USED else ""


def _text(value: Any) -> bytes:
    """A value as it stands in a line. One that is none, such as a list, is a tab, and so fits nowhere."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace") or b"-"
    if value is None:
        return b"-"
    return str(value).encode() if isinstance(value, int | float) else b"\t"
