"""The wall clocks of the sites, as the registry has them now."""

from pixelake.registry.sqlite import SqliteRegistry
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.zones import fixed


def site_clocks(registry: SqliteRegistry) -> Clocks:
    """The clocks of all sites that are known; a site that is not goes by the default zone.

    Raises:
        RegistryUnavailable: it cannot be read.
    """
    sites = registry.snapshot().sites
    return Clocks(fixed(registry.default_zone), {name: site.zones for name, site in sites.items()})
