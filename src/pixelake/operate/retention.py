"""Lets events and rejects leave the lake that are older than they may be, and tells how many did."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final

from pixelake.clock import SYSTEM, Clock
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import retain
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.retain import Ages, Due, Note

ATTEMPTS: Final = 5
"""Rounds in which somebody else may exchange one of the files first."""
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Retention:
    """What left; the names are an interface.

    Attributes:
        events: that were older than the age of their site.
        rejects: that were older than theirs.
        day: by which date (UTC) ages were told; empty: the clock is not trusted yet, nothing was done.
    """

    events: int
    rejects: int
    day: str

    def as_dict(self) -> dict[str, Any]:
        """The counts by their names."""
        return asdict(self)


def ages(days: int, sites: Mapping[str, int]) -> Ages:
    """How long events are kept: in general, and of sites with an age of their own. 0: for ever."""
    return Ages(days, dict(sorted(sites.items())))


def retain_rows(
    lake: Lake,
    place: Place,
    events: Ages,
    rejects: int,
    told: Callable[[int, int], None] = lambda *_: None,
    *,
    trusted: bool = False,
    clock: Clock = SYSTEM,
) -> Retention:
    """Remove what is older than it may be. What is done stays done if it is cut short.

    Args:
        lake: open for writing.
        place: where it is.
        events: how long they are kept.
        rejects: how many days they are; 0: for ever.
        told: hears how many rows have left, twice.
        trusted: whether the clock is right for certain; else a new day counts at a second look, an hour later.
        clock: tells the day.

    Raises:
        LakeUnavailable: it is not known to be done; nothing is lost that is not due.
    """
    note = retain.read(place)
    day = clock.now() // retain.DAY if trusted else note.day_at(clock.now())
    if day < 0 or (events.are_endless and not rejects):
        retain.write(place, note)
        return Retention(0, 0, "" if day < 0 else _text(day))
    left, version = _expire(lake, Due.at(day, events), note, told)
    out = 0
    if rejects:
        for gone_rejects in lake.expire_rejects((day - rejects) * retain.DAY):
            out += gone_rejects
            told(left + out, left + out)
    note.done, note.ages, note.version = day, events, version
    retain.write(place, note)
    return Retention(left, out, _text(day))


def _expire(lake: Lake, due: Due, note: Note, told: Callable[[int, int], None]) -> tuple[int, int]:
    """Take the events out; how many went, and up to which version of the table none is left."""
    left = 0
    for _ in range(ATTEMPTS):
        version, steps, in_vain = lake.look(), 0, False
        for gone in lake.expire(due, note):
            steps += 1
            in_vain |= gone is None
            left += gone or 0
            told(left, left)
        if not in_vain:
            # what we wrote ourselves need not be looked at again, if nobody else wrote in between
            return left, version + steps * (lake.look() == version + steps)
    raise LakeUnavailable("others exchanged the same files of the lake again and again", "try again")


def _text(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()
