"""Address -> what may be kept of it; Accept-Language -> the first language."""

import re
from collections.abc import Sequence
from socket import AF_INET, inet_pton
from typing import Final

from pixelake.address import packed, truncated

_LANGUAGE: Final = re.compile(r"\s*([A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:[;,]|$)")


def place(client: str) -> tuple[str | None, bytes | None]:
    """The truncated address, and the network that stands for a visitor: IPv4 whole, IPv6 by /64.

    The second one never leaves the transformation.
    """
    data = packed(client)
    return truncated(client), data if data is None or len(data) == 4 else data[:8]


def places(clients: Sequence[str]) -> tuple[Sequence[str | None], Sequence[bytes | None]]:
    """The same for the clients of rows. What can be read as an IPv4 address is written as it always is."""
    addresses: list[str | None] = []
    networks: list[bytes | None] = []
    read, family = inet_pton, AF_INET
    for client in clients:
        try:
            networks.append(read(family, client))
        except (OSError, ValueError):
            address, network = place(client)
            addresses.append(address)
            networks.append(network)
        else:
            addresses.append(client[: client.rfind(".")] + ".0")
    return addresses, networks


def language(accept_language: str | None) -> tuple[str | None]:
    """The first language tag."""
    found = _LANGUAGE.match(accept_language) if accept_language else None
    return (found[1] if found else None,)
