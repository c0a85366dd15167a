"""The weekly mail: when it is due, and sending it once.

A report of a week, Monday to Sunday on the clock of the site, is due on the day and at the hour that the settings say;
if nothing ran then, as soon as something runs, until the next one is due.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from typing import Final, NamedTuple

import structlog

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import PixelakeError, RegistryUnavailable
from pixelake.operate.report.gather import Report, Wanted
from pixelake.operate.report.letter import letter
from pixelake.operate.report.post import send, server_of
from pixelake.registry.base import REPORT_UNSENT
from pixelake.registry.reports import is_open
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import WEEKDAYS, Settings
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.zones import Clock as WallClock

UNHEARD: Final = 3_600 * SECOND
"""A mail that was begun so long ago (µs) and of which nothing was heard may have been sent: that is told."""
_WEEK: Final = timedelta(days=7)


class Due(NamedTuple):
    """A report that may be sent.

    Attributes:
        site: of which.
        week: its Monday.
        start: when that week began.
        end: when it was over.
    """

    site: str
    week: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Desk:
    """What sending works on.

    Attributes:
        settings: whom to send what, and when.
        registry: remembers what was sent.
        clocks: the wall clocks of the sites.
        report: makes one.
        clock: tells what is due.
        post: hands a mail over; says which addresses were refused.
    """

    settings: Settings
    registry: SqliteRegistry
    clocks: Callable[[], Clocks]
    report: Callable[[Wanted], Report]
    clock: Clock = SYSTEM
    post: Callable[[EmailMessage], str] | None = None


def due(desk: Desk) -> Sequence[Due]:
    """The reports that may be sent now.

    Raises:
        RegistryUnavailable: it cannot be told.
    """
    now = desk.clock.now()
    known = {(each.site, each.week): each for each in desk.registry.reports.all()}
    return [each for each in _latest(desk, now) if is_open(known.get((each.site, each.week)), now)]


def _latest(desk: Desk, now: int) -> Iterator[Due]:
    clocks = desk.clocks()
    moment = datetime.fromtimestamp(now / SECOND, UTC)
    for site in dict.fromkeys(desk.settings.report_sites):
        if clocks.known is None or site in clocks.known:
            yield latest(site, clocks.of(site), moment, desk.settings)


def latest(site: str, clock: WallClock, now: datetime, settings: Settings) -> Due:
    """The report of a site that was due last."""
    monday = clock.date(now)
    monday -= timedelta(days=monday.weekday())
    if now < _occasion(clock, monday, settings):
        monday -= _WEEK
    before = monday - _WEEK
    return Due(site, before.isoformat(), clock.bounds(before)[0], clock.bounds(monday)[0])


def _occasion(clock: WallClock, monday: date, settings: Settings) -> datetime:
    day = monday + timedelta(days=WEEKDAYS.index(settings.report_day))
    return clock.bounds(day)[0] + timedelta(hours=settings.report_hour)


def tell(desk: Desk) -> None:
    """Say of what was begun to be sent, and of which nothing was heard, that it may not have come.

    Raises:
        RegistryUnavailable: it cannot be told.
    """
    now = desk.clock.now()
    for each in desk.registry.reports.all():
        if each.begun and not each.sent and UNHEARD < now - each.begun < 2 * UNHEARD:
            _notice(desk, each.site, f"the week from {each.week} was cut short while it was sent; it may have come")


def send_due(desk: Desk) -> int:
    """Send all that is due; returns how many were sent. One that fails keeps no other from being sent.

    Raises:
        RegistryUnavailable: nothing can be written down, so that nothing is sent.
    """
    return sum(_send(desk, each) for each in due(desk) if desk.registry.reports.claim(*each[:2], desk.clock.now()))


def _send(desk: Desk, each: Due) -> bool:
    book, log = desk.registry.reports, structlog.get_logger()
    try:
        message = _made(desk, each)
        if not book.begin(each.site, each.week, desk.clock.now()):
            return False
        refused = _post(desk, message)
    except RegistryUnavailable:
        raise
    except (PixelakeError, OSError) as error:
        line = " ".join(str(error).split())
        book.fail(each.site, each.week, line)
        _notice(desk, each.site, line)
        log.warning("report not sent", site=each.site, week=each.week, error=line, hint=getattr(error, "hint", ""))
        return False
    book.end(each.site, each.week, desk.clock.now())
    if refused:
        _notice(desk, each.site, refused)
    log.info("report sent", site=each.site, week=each.week)
    return True


def _made(desk: Desk, each: Due) -> EmailMessage:
    report = desk.report(Wanted(each.site, each.start, each.end))
    settings = desk.settings
    return letter(report, settings.report_from, settings.report_to, desk.registry.secret("reports"))


def _post(desk: Desk, message: EmailMessage) -> str:
    return desk.post(message) if desk.post else send(server_of(desk.settings.smtp), message)


def _notice(desk: Desk, site: str, text: str) -> None:
    desk.registry.notice(REPORT_UNSENT, f"{site}: {text}", desk.clock.now())
