"""What a mail said of the time of its sending -> did this come too soon to be a person's.

Some scanners of mail open each link, and fetch each image, as soon as a mail
arrives, with the user agent of a browser. Only the time gives them away: so a
mail may carry the moment of its sending in its pixel and its links.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pixelake.cache import bounded
from pixelake.clock import SECOND

NAME: Final = "mail_sent_at"
"""The property."""
WITHIN: Final = 5 * SECOND
"""Nobody has received, seen and opened a mail this soon. As much before it: clocks of two servers differ."""
_EPOCH: Final = re.compile(r"\d{10}(?:\d{3}){0,2}", re.ASCII)
_LONGEST: Final = 40


def is_early(received_at: Sequence[int], properties: Sequence[Mapping[str, Sequence[str]]]) -> list[bool]:
    """Of each row: did it come within `WITHIN` of what its `NAME` says? Without one, or with nonsense in it: no.

    Args:
        received_at: µs since the epoch.
        properties: by name; of several values the first counts.
    """
    return [NAME in sent and _soon(moment, sent[NAME]) for moment, sent in zip(received_at, properties, strict=True)]


def early(is_early: bool, bot: bool, proxy: str | None) -> tuple[str | None]:
    """The proxy, or ``scanner`` for what came too soon. What is known to be a machine, or another proxy, stays that."""
    return ("scanner" if is_early and not bot and proxy is None else proxy,)


def _soon(received_at: int, values: Sequence[str]) -> bool:
    sent_at = _moment(values[0][:_LONGEST]) if values else None
    return sent_at is not None and abs(received_at - sent_at) <= WITHIN


@bounded(20_000)
def _moment(sent: str) -> int | None:
    """µs since the epoch, from seconds, ms or µs since then or from ISO 8601 (UTC if it names no zone)."""
    if _EPOCH.fullmatch(sent):
        return int(sent) * {10: SECOND, 13: 1_000, 16: 1}[len(sent)]
    try:
        moment = datetime.fromisoformat(sent)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) * SECOND + moment.microsecond
    except (ValueError, OverflowError):
        return None
