"""What makes reports, for the command and for the weekly mail."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pixelake.build.asking import Look, Shared, questions, wall_clocks
from pixelake.build.keeping import status
from pixelake.build.stores import asked_lake
from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import LakeUnavailable, StreamError
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.operate.report.gather import Report, Wanted
    from pixelake.operate.report.weekly import Desk
    from pixelake.registry.sqlite import SqliteRegistry
    from pixelake.warehouse.clocks import Clocks


def report(settings: Settings, want: "Callable[[Clocks, datetime], Wanted]") -> "Report":
    """A report of now, without a server or beside one.

    Args:
        settings: of the installation.
        want: which; is told the wall clocks of the sites, and what time it is.

    Raises:
        Misasked: it cannot be asked so.
        QueryError: it takes too long or too much.
        LakeUnavailable: the lake is gone, or cannot be read.
    """
    look = Look(settings)
    clocks = wall_clocks(settings, look)()
    now = datetime.fromtimestamp(SYSTEM.now() / SECOND, UTC)
    return _made(settings, look, want(clocks, now), now)


def desk(settings: Settings, shared: "SqliteRegistry") -> "Desk":
    """What sends the weekly reports."""
    from pixelake.operate.report.weekly import Desk

    clocks = wall_clocks(settings, shared)

    def make(wanted: "Wanted") -> "Report":
        return _made(settings, shared, wanted, datetime.fromtimestamp(SYSTEM.now() / SECOND, UTC))

    return Desk(settings, shared, clocks, make)


def look_for_reports(
    settings: Settings, shared: "SqliteRegistry", apart: "Callable[[threading.Event], int]", stop: threading.Event
) -> Callable[[], None]:
    """What sends the reports that are due, each time it is called: in a process of its own, which gives way."""
    from pixelake.operate.report.plan import is_wanted

    if not is_wanted(settings):
        return lambda: None
    from pixelake.operate.report import weekly

    at = desk(settings, shared)

    def look() -> None:
        weekly.tell(at)
        if weekly.due(at):
            apart(stop)

    return look


def _made(settings: Settings, shared: Shared, wanted: "Wanted", now: datetime) -> "Report":
    from pixelake.operate.report.gather import Gather

    clocks = wall_clocks(settings, shared)
    with asked_lake(settings) as lake:
        return Gather(questions(lake, clocks, shared), clocks()).report(wanted, _sums(settings), now)


def _sums(settings: Settings) -> dict[str, Any]:
    """Both sums; nothing if they cannot be read just now."""
    with suppress(LakeUnavailable, StreamError):
        return status(settings).as_dict()
    return {}
