"""The wall clocks of all sites, and SQL that tells which site goes by which."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from pixelake.registry.base import MAX_SITES, Snapshot
from pixelake.warehouse.reading import parameters
from pixelake.warehouse.zones import Clock, Zones, fixed


@dataclass(frozen=True)
class Clocks:
    """The wall clocks of all sites.

    Attributes:
        default: of a site that is not named.
        sites: those with another history of zones than that; others may be among them.
        known: the names of all sites; None: any name may be one.
    """

    default: Zones
    sites: Mapping[str, Zones]
    known: frozenset[str] | None = None

    @classmethod
    def of_registry(cls, snapshot: Snapshot, default_zone: str) -> "Clocks":
        """As the registry has them; once it is full, sites may be asked for that it does not know."""
        sites = {name: site.zones for name, site in snapshot.sites.items()}
        return cls(fixed(default_zone), sites, frozenset(sites) if len(sites) < MAX_SITES else None)

    def of(self, site: str | None) -> Clock:
        """The clock of a site; of all of them, the default."""
        return Clock(self.sites.get(site, self.default) if site is not None else self.default)

    @cached_property
    def name(self) -> str:
        """Tells which sites have which zones: another name, other zones."""
        told = repr((self.default, sorted((site, zones) for site, zones in self.others.items())))
        return sha256(told.encode()).hexdigest()[:16]

    @cached_property
    def others(self) -> Mapping[str, Zones]:
        """The sites that do not have the default zones."""
        return {site: zones for site, zones in self.sites.items() if zones != self.default}

    def groups(self) -> list[tuple[Clock, str]]:
        """Each clock, with SQL that is true of the sites that go by it; see `values`."""
        histories = sorted(set(self.others.values()))
        found = [(Clock(self.default), "not list_contains($others, site)" if histories else "true")]
        return found + [
            (Clock(zones), f"list_contains($sites{number}, site)") for number, zones in enumerate(histories)
        ]

    def values(self, sql: str) -> dict[str, Any]:
        """The parameters that the SQL of `groups` has."""
        histories = sorted(set(self.others.values()))
        found: dict[str, Any] = {"others": sorted(self.others)}
        for number, zones in enumerate(histories):
            found[f"sites{number}"] = sorted(site for site, its in self.others.items() if its == zones)
        there = parameters(sql)
        return {name: value for name, value in found.items() if name in there}
