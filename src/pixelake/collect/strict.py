"""Strict privacy: every address is cut short before the stream (IPv4 to /24, IPv6 to /48).

To be applied last: who the client is, and how fast it may come, is told by whole addresses.
"""

from pixelake.address import may_carry, truncated, without_addresses


def address(client: str) -> str:
    """An address, truncated; empty if it is none."""
    return truncated(client) or ""


def headers(block: bytes) -> bytes:
    """The header lines, with each address in them truncated, whatever their names.

    What only looks like an address is cut out. Versions in `User-Agent` and the
    like stay, and so does the referrer, which tells of the page.
    """
    return b"\r\n".join(_line(line) for line in block.split(b"\r\n"))


def _line(line: bytes) -> bytes:
    if line.count(b":") + line.count(b".") < 3:  # an address has two colons or three points, its header a colon
        return line
    name, colon, value = line.partition(b":")
    known = name.decode("latin-1").strip().lower()
    if known == "referer" or not may_carry(known):
        return line
    return name + colon + without_addresses(value.decode("latin-1")).encode("latin-1")
