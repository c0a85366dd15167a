"""Client hints (https://wicg.github.io/ua-client-hints/) -> what they tell of browser, system and device."""

import re
from typing import Final, NamedTuple

from pixelake.cache import bounded

_BRAND: Final = re.compile(r'"([A-Za-z0-9][A-Za-z0-9 ._-]{0,39})"\s*;\s*v\s*=\s*"(\d{1,5})[\d.]{0,30}"', re.ASCII)
"""A brand of a list, and its major version."""
_GREASE: Final = re.compile(r"not.{0,3}a.{0,3}brand", re.IGNORECASE)
"""The brand that means nothing, so that nobody relies on the list: ``Not_A Brand``, ``Not;A=Brand``, ..."""
_PLAIN: Final = frozenset({"Chromium", "Google Chrome", "Android WebView"})
"""Brands of which the user agent says as much."""
_NAMES: Final = {"Microsoft Edge": "Edge", "HeadlessChrome": "HeadlessChrome"}
"""Brands that have another name in user agents."""
_SYSTEMS: Final = {
    "Windows": "Windows",
    "macOS": "Mac OS X",
    "Mac OS X": "Mac OS X",
    "Android": "Android",
    "iOS": "iOS",
    "Linux": "Linux",
    "Chrome OS": "Chrome OS",
    "Chromium OS": "Chrome OS",
}
"""The platforms of the specification, as user agents name them."""
_VERSION: Final = re.compile(r"(\d{1,5})(?:\.(\d{1,5}))?[\d.]{0,30}", re.ASCII)
_WINDOWS: Final = {(0, 1): "7", (0, 2): "8", (0, 3): "8.1"}
_ELEVEN: Final = 13
"""From this one on Windows is 11 (https://learn.microsoft.com/microsoft-edge/web-platform/how-to-detect-win11)."""


class Hints(NamedTuple):
    """What hints tell; None where they say nothing.

    Attributes:
        brand: the browser, if it is more than its engine.
        brand_version: its major version.
        system: family of the operating system.
        system_version: its version.
        device: ``mobile``, or ``tablet`` for an Android that is none.
        headless: a browser without a person says so.
    """

    brand: str | None
    brand_version: str | None
    system: str | None
    system_version: str | None
    device: str | None
    headless: bool


@bounded(20_000)
def read_hints(brands: str, mobile: str, platform: str, platform_version: str, full_versions: str) -> Hints:
    """The hints of five headers; one that is not sent is empty, one that is nonsense says nothing."""
    listed = dict(_BRAND.findall(brands)) | dict(_BRAND.findall(full_versions))
    brand = next((each for each in listed if each not in _PLAIN and not _GREASE.search(each)), None)
    system = _SYSTEMS.get(platform.strip(' "'))
    device = None
    if mobile.strip() == "?1":
        device = "mobile"
    elif mobile.strip() == "?0" and system == "Android":
        device = "tablet"
    return Hints(
        brand=_NAMES.get(brand, brand) if brand else None,
        brand_version=listed[brand] if brand else None,
        system=system,
        system_version=_system_version(system, platform_version.strip(' "')),
        device=device,
        headless=any("headless" in each.lower() for each in listed),
    )


def _system_version(system: str | None, sent: str) -> str | None:
    """The version as people know it. Of Linux it is that of the kernel, which says nothing."""
    found = _VERSION.fullmatch(sent)
    if system is None or system == "Linux" or not found:
        return None
    major, minor = int(found[1]), int(found[2] or 0)
    if system == "Windows":
        return _WINDOWS.get((major, minor), "11" if major >= _ELEVEN else "10" if major else None)
    return f"{major}.{minor}" if minor or system == "Mac OS X" else str(major)
