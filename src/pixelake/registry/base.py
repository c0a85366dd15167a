"""What people change while it runs, and what all processes must agree on.

Processes hold a frozen `Snapshot` and look for a newer one each second; the
hot path reads only that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Site:
    """A site: its name and the history of its time zone.

    ``zones`` is ``((from_us, zone), ...)``, oldest first: the IANA zone that
    holds for hits received from that moment (µs UTC) on. The first is from 0.
    """

    name: str
    zones: tuple[tuple[int, str], ...]

    def zone(self, received_at: int) -> str:
        """The IANA zone that rules a hit received at that moment (µs UTC)."""
        return next(zone for start, zone in reversed(self.zones) if start <= received_at)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registry at one moment. ``version`` grows with every change."""

    version: int
    sites: Mapping[str, Site]


class Registry(Protocol):
    """The shared memory of an installation."""

    def snapshot(self) -> Snapshot:
        """What is declared now."""
        ...

    def add_sites(self, names: Iterable[str]) -> None:
        """Make sites of unknown names, in the default zone. Known ones stay as they are."""
        ...

    def salts(self, days: Iterable[date]) -> Mapping[date, bytes]:
        """The salt (32 bytes) of each calendar day; one salt serves all sites.

        A salt is made when it is first asked for. It is missing from the answer
        once it is due to be destroyed. Once it is destroyed it is never made again,
        even if the clock goes back.
        """
        ...

    def secret(self, name: str) -> str:
        """A random secret of this installation (the dashboard's token), made when first asked for."""
        ...
