"""Address -> country, region, city, time zone: what a CDN told along with the request, else the user's own file.

A CDN's headers are believed where the collector believed the sender: only a
hit whose `client` is not its `peer` came by a trusted proxy. They are as good
as that proxy: the setting says which CDN stands before the collector, because
one that is not there writes nothing over what a client may send in its name.

A hit out of a log of CloudFront has no sender that might not be believed: what
its head tells of the place was put there from the log, and nothing else was.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from pixelake.cache import bounded
from pixelake.dialects.text import text
from pixelake.transform.enrich.geo_file import NOWHERE, GeoFile, Place


class Headers(NamedTuple):
    """The headers of a CDN: lower-case names; empty where it has none."""

    country: bytes
    region: bytes
    city: bytes
    timezone: bytes


CDNS: Final[Mapping[str, Headers]] = {
    # "Add CloudFront request headers", Amazon CloudFront developer guide, read 2026-11-21
    "cloudfront": Headers(
        b"cloudfront-viewer-country",
        b"cloudfront-viewer-country-region",
        b"cloudfront-viewer-city",
        b"cloudfront-viewer-time-zone",
    ),
    # "Add visitor location headers", Cloudflare Rules, managed transforms, read 2026-11-21
    "cloudflare": Headers(b"cf-ipcountry", b"cf-region-code", b"cf-ipcity", b"cf-timezone"),
    # set by the user's VCL, as in Fastly's tutorial "Geofencing", read 2026-11-21; it knows no IANA zone
    "fastly": Headers(b"client-geo-country", b"client-geo-region", b"client-geo-city", b""),
    # "Request headers", Vercel, read 2026-11-21
    "vercel": Headers(
        b"x-vercel-ip-country", b"x-vercel-ip-country-region", b"x-vercel-ip-city", b"x-vercel-ip-timezone"
    ),
}
LOGGED: Final = "cloudfront"
"""The `source` of hits out of CloudFront's logs, and whose headers tell their place."""
OF_CLIENT_HEADER: Final = {"cloudfront-viewer-address": "cloudfront", "cf-connecting-ip": "cloudflare"}
"""The setting `client_header` -> the CDN that writes that header."""

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_NO_COUNTRY: Final = frozenset({"XX", "ZZ", "EU", "AP"})
"""Unknown (Cloudflare), unknown (CLDR), Europe and Asia/Pacific (MaxMind). Tor is ``T1``, which is no code at all."""
_REGION: Final = re.compile(r"[A-Z0-9]{1,3}")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")
_ESCAPED: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_LONGEST_CITY: Final = 100
_LONGEST: Final = 512
"""Bytes of all values; more is no CDN's word."""


def cdn_of(geo_headers: str, client_header: str) -> Headers | None:
    """The headers that are looked at; None if there are none.

    Args:
        geo_headers: the setting: one of `CDNS`, ``off``, or ``auto``: the CDN whose header tells the client.
        client_header: the setting.
    """
    return CDNS.get(OF_CLIENT_HEADER.get(client_header, "") if geo_headers == "auto" else geo_headers)


def told(found: Mapping[bytes, bytes], headers: Headers | None) -> Place | None:
    """What a CDN tells; None if it tells no country, and so nothing.

    Args:
        found: the headers of a request: lower-case name -> value.
        headers: as `cdn_of` gives them.
    """
    if headers is None or headers.country not in found:
        return None
    values = [found.get(name, b"") for name in headers]
    return _read(*values) if sum(map(len, values)) <= _LONGEST else None


@bounded(8_192)
def _read(country: bytes, region: bytes, city: bytes, timezone: bytes) -> Place | None:
    """4 µs, of which the cache saves most."""
    code = country.strip().decode("latin-1").upper()
    if not _is_country(code):
        return None
    division, name, zone = (text(value.strip()) for value in (region, city, timezone))
    return Place(code, region_code(code, division), _city(name), zone if _ZONE.fullmatch(zone) else None)


class Told:
    """What a CDN tells of the place (`told`). An enricher: pure.

    Args:
        headers: of the CDN before the collector; None: there is none.
    """

    def __init__(self, headers: Headers | None) -> None:
        self._headers = headers

    def __call__(self, lines: bytes, proxied: bool, source: str) -> tuple[Place | None]:
        """The place; None if the CDN tells none, or the hit came neither from a log nor by a proxy that is believed."""
        headers = CDNS[LOGGED] if source == LOGGED else self._headers if proxied else None
        if headers is None:
            return (None,)
        parted = [line.partition(b":") for line in lines.split(b"\r\n")]
        return (told({name.lower(): value for name, _, value in reversed(parted)}, headers),)


class Geo:
    """Tells the place. An enricher: pure as long as its file stays the same (`GeoFile.refresh`).

    Args:
        file: the user's; None if there is none.
    """

    def __init__(self, file: GeoFile | None = None) -> None:
        self._file = file

    def refresh(self) -> None:
        """Look whether the file is still the same; to be asked between batches."""
        if self._file:
            self._file.refresh()

    def __call__(
        self, ip: str | None, place: Place | None, anonymous: bool, timezone: str | None
    ) -> tuple[str | None, str | None, str | None, str | None]:
        """Country (ISO 3166-1), region (ISO 3166-2), city and time zone (IANA).

        What the CDN leaves out comes from the file, if both agree on the country.
        The client's own word on its time zone counts first.

        Args:
            ip: the truncated address: so a hit has the same place under strict privacy, and when it is replayed.
            place: what a believed CDN told (`told`).
            anonymous: it is to be kept without a city.
            timezone: what the page sent.
        """
        if place is None or not all(place):
            place = _joined(place, self._file.look_up(ip) if self._file and ip else NOWHERE)
        return place.country, place.region, None if anonymous else place.city, timezone or place.timezone


def only_told(
    place: Place | None, anonymous: bool, timezone: str | None
) -> tuple[str | None, str | None, str | None, str | None]:
    """`Geo` where there is no file: it need not look at addresses."""
    place = place or NOWHERE
    return place.country, place.region, None if anonymous else place.city, timezone or place.timezone


def region_code(country: str, region: str) -> str | None:
    """The ISO 3166-2 code, with its country, of a region that may be written without; None if it is none."""
    code = region.strip().upper().removeprefix(country + "-")
    return f"{country}-{code}" if _REGION.fullmatch(code) else None


def _is_country(code: str) -> bool:
    return _COUNTRY.fullmatch(code) is not None and code not in _NO_COUNTRY


def _joined(first: Place | None, second: Place) -> Place:
    if first is None:
        return second
    if first.country != second.country:
        return first
    return Place(*(a or b for a, b in zip(first, second, strict=True)))


def _city(name: str) -> str | None:
    """Some CDNs encode what is not ASCII with percent signs; `text` does so with what is not UTF-8."""
    decoded = name
    if _ESCAPED.search(name):
        data = unquote_to_bytes(name)
        try:
            decoded = data.decode()
        except UnicodeDecodeError:
            decoded = data.decode("latin-1")
    return decoded if 1 < len(decoded) <= _LONGEST_CITY and decoded.isprintable() else None
