"""What commands do with the data that is there: look at the sums, judge rejects anew."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from pixelake.build.judging import judge, rules
from pixelake.build.places import place_of
from pixelake.build.stores import asked_lake, lake, lake_reader, registry, watcher
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.operate.replay import Replay
    from pixelake.operate.status import Status
    from pixelake.registry.base import Noticed


def replay(settings: Settings, told: Callable[[int, int], None]) -> "Replay":
    """What judges rejects anew. `told` hears how many were looked at, and how many there are."""
    from pixelake.operate.replay import Replay

    by = rules(settings)
    return Replay(asked_lake(settings), lambda: lake(settings, by.own), judge(settings, by), told)


def status(settings: Settings, noticed: "Callable[[int], Sequence[Noticed]] | None" = None) -> "Status":
    """Where every hit is. `noticed` is the registry's, if it is open."""
    from pixelake.operate.notices import notices
    from pixelake.operate.status import status as look

    told = notices(noticed or (lambda since: _noticed(settings, since)))
    return replace(look(lake_reader(settings), watcher(settings)), notices=told)


def _noticed(settings: Settings, since: int) -> "Sequence[Noticed]":
    """What roles have noticed. A registry that is not there is not made."""
    if not place_of(settings, "registry", "registry", "registry.sqlite").exists():
        return ()
    with closing(registry(settings)) as opened:
        return opened.noticed(since)
