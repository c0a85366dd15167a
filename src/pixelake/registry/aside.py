"""A registry with salts of its own, for hits that must not be linked with those that come in meanwhile."""

from collections.abc import Iterable, Mapping
from datetime import date
from hmac import digest

from pixelake.registry.base import JudgesBook, Snapshot


class Aside:
    """Another registry in all but the salts: a `pixelake.registry.base.JudgesBook`.

    The salt of a day is an HMAC of it under `key`: there is one for any day, however
    long ago, always the same, and none any more once the key is destroyed.

    Args:
        registry: the other one.
        key: secret; nobody else uses it.
    """

    def __init__(self, registry: JudgesBook, key: str) -> None:
        self._registry, self._key = registry, key.encode()

    def snapshot(self) -> Snapshot:
        """What is declared now."""
        return self._registry.snapshot()

    def add_sites(self, names: Iterable[str]) -> None:
        """Make sites of unknown names."""
        self._registry.add_sites(names)

    def salts(self, days: Iterable[date]) -> Mapping[date, bytes]:
        """The salt (32 bytes) of each day."""
        return {day: digest(self._key, day.isoformat().encode(), "sha256") for day in days}
