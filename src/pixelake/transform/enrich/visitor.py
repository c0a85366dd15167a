"""Who it was, for a day: a keyed hash of network, user agent and site."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

_SIZE: Final = 16
"""Bytes of a visitor's id: among a billion ids of a day none are the same by chance."""


def visitor(
    network: bytes | None, user_agent: str | None, site: str, salt: bytes | None, before: bytes | None
) -> tuple[str | None, str | None]:
    """The visitor under the salt of the day, and under yesterday's in the first minutes of a day.

    Each is None without its salt, and both without an address.
    """
    if network is None or (salt is None and before is None):
        return None, None
    # the lengths keep two different inputs from looking alike
    agent = (user_agent or "").encode()
    seen = b"%d:%b%d:%b%b" % (len(network), network, len(agent), agent, site.encode())
    return _hash(seen, salt), _hash(seen, before)


def _hash(seen: bytes, salt: bytes | None) -> str | None:
    if not salt:
        return None
    started = _started(salt).copy()
    started.update(seen)
    return started.hexdigest()


@lru_cache(maxsize=64)
def _started(salt: bytes) -> blake2b:
    """A hash that has worked its key in: a third of the time of a short one."""
    return blake2b(digest_size=_SIZE, key=salt)
