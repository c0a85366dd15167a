"""Names of objects as Firehose makes them: a prefix with ``!{...}`` in it, the name of the stream, the time, an id."""

import re
import secrets
import string
import uuid
from datetime import UTC, datetime
from typing import Final

from pixelake.clock import SECOND
from pixelake.errors import SettingsError

USUAL: Final = "!{timestamp:yyyy/MM/dd/HH}/"
"""Is added to a prefix in which nothing is to be replaced."""
ERROR_TYPE: Final = "!{firehose:error-output-type}"
_EXPRESSION: Final = re.compile(r"!\{(?P<kind>[^:{}]*):(?P<value>[^{}]*)\}")
_LETTERS: Final = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^A-Za-z']+")
_TIMES: Final = {
    "yyyy": "%Y",
    "uuuu": "%Y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
}
"""Letters of Java's ``DateTimeFormatter`` -> those of Python."""


def checked(prefix: str, error_prefix: str) -> tuple[str, str]:
    """Both, as they are evaluated.

    Raises:
        SettingsError: Firehose would refuse them, or what they hold is not known here.
    """
    if "!{" in prefix and ERROR_TYPE not in error_prefix:
        raise SettingsError(f"the error prefix lacks {ERROR_TYPE}", "it is needed where the prefix has expressions")
    if "error-output-type" in prefix:
        raise SettingsError("the prefix of what is good has no error-output-type", "it belongs to the error prefix")
    usual = prefix if "!{" in prefix else prefix + USUAL
    failed = error_prefix if "!{" in error_prefix else f"{error_prefix or prefix}{ERROR_TYPE}/{USUAL}"
    for each in (usual, failed):
        evaluated(each, 0, "processing-failed")
    return usual, failed


def evaluated(prefix: str, at: int, error_type: str = "") -> str:
    """A prefix for an object.

    Args:
        prefix: as configured.
        at: when the oldest record of the object came (µs UTC).
        error_type: why it is not where it should be.

    Raises:
        SettingsError: what is to be replaced is not known.
    """
    moment = datetime.fromtimestamp(at / SECOND, UTC)

    def replaced(found: re.Match[str]) -> str:
        kind, value = found["kind"], found["value"]
        if kind == "timestamp":
            return _time(value, moment)
        if (kind, value) == ("firehose", "error-output-type"):
            return error_type
        if (kind, value) == ("firehose", "random-string"):
            return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(11))
        raise SettingsError(f"{found[0]} means nothing in a prefix", "see the page on custom prefixes of Firehose")

    return _EXPRESSION.sub(replaced, prefix)


def _time(pattern: str, moment: datetime) -> str:
    return "".join(_part(found, moment) for found in _LETTERS.finditer(pattern))


def _part(found: re.Match[str], moment: datetime) -> str:
    if found[2] is None:
        return found[1] if found[1] is not None else found[0]
    if found[0] not in _TIMES:
        hint = (
            "YYYY is the year of the week, which is another at its turn: write yyyy" if found[2] == "Y" else "yyyy MM"
        )
        raise SettingsError(f"{found[0]} in a prefix is no part of a time that is known here", hint)
    return moment.strftime(_TIMES[found[0]])


def suffix(stream: str, version: int, at: int, ending: str) -> str:
    """What stands behind the prefix: no two objects have the same."""
    moment = datetime.fromtimestamp(at / SECOND, UTC)
    return f"{stream}-{version}-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{ending}"
