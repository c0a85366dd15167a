"""What answers the named questions: the same for the dashboard, the API and the command line."""

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

from pixelake.build.stores import registry
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.registry.base import Snapshot
    from pixelake.warehouse.asking import Questions
    from pixelake.warehouse.clocks import Clocks
    from pixelake.warehouse.reading import Asked


class Shared(Protocol):
    """What people declare: a registry, or a look at one."""

    def snapshot(self) -> "Snapshot":
        """As it is now."""
        ...


class Look:
    """One look at the registry; empty before it is there. Nothing is made for it."""

    def __init__(self, settings: Settings) -> None:
        from pixelake.operate import folder
        from pixelake.registry.base import Snapshot

        self._found = Snapshot(0, {})
        if folder.is_begun(settings.data):
            with closing(registry(settings)) as shared:
                self._found = shared.snapshot()

    def snapshot(self) -> "Snapshot":
        """What was seen."""
        return self._found


def questions(lakehouse: "Asked", clocks: "Callable[[], Clocks]", shared: Shared) -> "Questions":
    """The named questions over a lake, asked with the goals and funnels that are declared at that moment."""
    from pixelake.warehouse.asking import Questions

    def declared(what: str) -> Any:
        return getattr(shared.snapshot(), what)

    return Questions(lakehouse, clocks, declared)


def wall_clocks(settings: Settings, shared: Shared) -> "Callable[[], Clocks]":
    """What tells the wall clocks of all sites; they are made anew when the registry is another."""
    from pixelake.warehouse.clocks import Clocks

    made: tuple[Snapshot, Clocks] | None = None

    def now() -> Clocks:
        nonlocal made
        found, known = shared.snapshot(), made
        if known is None or known[0] is not found:
            known = made = (found, Clocks.of_registry(found, settings.default_zone))
        return known[1]

    return now
