"""What roles have noticed during the last day, and what to do about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import RegistryUnavailable
from pixelake.registry.base import NOTICES, Advice, Noticed

DAY: Final = 86_400 * SECOND
"""Microseconds."""
AHEAD: Final = 60 * SECOND
"""What was noticed later than that was noticed by a clock that was ahead: it would count until then."""
SHOWN: Final = 3
"""Details that are told of a notice."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that somebody should see to.

    Attributes:
        level: ``error`` or ``warning``.
        code: what it is, for programs.
        text: what it is, for people, in a line.
        setting: the one to set; empty if it is none.
    """

    level: str
    code: str
    text: str
    setting: str


def notices(noticed: Callable[[int], Sequence[Noticed]], clock: Clock = SYSTEM) -> Sequence[Notice]:
    """One notice for each code, the latest first, of what still counts. That the registry cannot be read is one, too.

    Args:
        noticed: `Registry.noticed`.
        clock: for the last day.
    """
    try:
        found = noticed(clock.now() - DAY)
    except RegistryUnavailable as error:
        return [Notice("error", "registry_unavailable", f"notices cannot be read: {error}", "registry")]
    details: dict[str, list[str]] = {}
    for each in found:
        if each.code in NOTICES and each.at < clock.now() - NOTICES[each.code].seconds * SECOND:
            continue
        if each.at > clock.now() + AHEAD:
            continue
        details.setdefault(each.code, []).append(each.detail)
    return [_notice(code, where) for code, where in details.items()]


def _notice(code: str, details: Sequence[str]) -> Notice:
    more = [f"{len(details) - SHOWN} more"] * (len(details) > SHOWN)
    known = NOTICES.get(code, Advice("warning", f"{code}: {{detail}}", ""))  # a newer version's
    return Notice(known.level, code, known.text.format(detail=", ".join([*details[:SHOWN], *more])), known.setting)
