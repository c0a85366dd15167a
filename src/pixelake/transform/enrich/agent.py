"""User agent and client hints -> browser, operating system, kind of device. What browsers freeze stays vague."""

import re
from typing import Final

import ua_parser

from pixelake.cache import LONGEST, bounded
from pixelake.transform.enrich.hints import Hints, read_hints
from pixelake.transform.enrich.patterns import shown

Agent = tuple[str | None, str | None, str | None, str | None, str | None, bool]

UNKNOWN: Final[Agent] = (None, None, None, None, None, False)

_DEVICES: Final = (
    ("tv", re.compile(r"SmartTV|SMART-TV|HbbTV|GoogleTV|Apple ?TV|AppleTV|\bAFT[A-Z]|Roku|CrKey|BRAVIA|Web0S|\bTV\b")),
    ("console", re.compile(r"PlayStation|Xbox|Nintendo")),
    ("tablet", re.compile(r"iPad|Tablet|PlayBook|Silk/(?!.*Mobile)|Android(?!.*Mobile)")),
    ("mobile", re.compile(r"Mobi|iPhone|iPod|Android|Windows Phone|Opera Mini")),
    ("desktop", re.compile(r"Windows NT|Macintosh|X11|CrOS|Linux (?:x86_64|i686)")),
)
"""The first that matches; an iPad that asks for desktop pages says it is a Macintosh, and nobody can tell."""

_FROZEN_IOS: Final = re.compile(r"OS 18_[67](?:_\d+)? like Mac OS X(?!.*Version/18\b)")
"""Safari 26 and what is built on it name one of these, whatever it runs on; Safari 18 tells the truth."""

_CHROMES: Final = frozenset({"Chrome", "Chrome Mobile", "Chromium", "Chrome Mobile WebView"})
"""What a browser made from Chromium may say that it is; its brand says more."""
_HINTED: Final = 256
"""Letters of a hint that are looked at."""


def agent(  # noqa: PLR0917 - its arguments are columns, named in the table
    user_agent: str | None,
    brands: str | None = None,
    mobile: str | None = None,
    platform: str | None = None,
    platform_version: str | None = None,
    full_versions: str | None = None,
) -> Agent:
    """Browser, its major version, os, its version, device, and whether its brands say that it is a machine.

    Only the beginning of a text is looked at: real user agents have 400 letters
    at most, and hostile ones cost the more the longer.

    Args:
        user_agent: as sent.
        brands: ``Sec-CH-UA``.
        mobile: ``Sec-CH-UA-Mobile``.
        platform: ``Sec-CH-UA-Platform``.
        platform_version: ``Sec-CH-UA-Platform-Version``, which a page has to ask for.
        full_versions: ``Sec-CH-UA-Full-Version-List``, likewise.
    """
    known = _agent(user_agent[:LONGEST]) if user_agent else UNKNOWN
    sent = (brands, mobile, platform, platform_version, full_versions)
    if not any(sent):
        return known
    return _hinted(known, read_hints(*((text or "")[:_HINTED] for text in sent)))


def _hinted(known: Agent, hints: Hints) -> Agent:
    """What the hints know better. They are sent by Chromium alone, which has frozen its user agent."""
    browser, version, system, system_version, device, _ = known
    if hints.brand and (browser is None or browser in _CHROMES):
        browser, version = hints.brand, hints.brand_version
    if hints.system:
        system_version = hints.system_version or (system_version if system == hints.system else None)
        system = hints.system
    if device not in _ALONE:
        device = hints.device or device
    return browser, version, system, system_version, device, hints.headless


_ALONE: Final = ("tv", "console")
"""Kinds of device that no hint knows."""


@bounded(20_000)
def _agent(user_agent: str) -> Agent:
    """20 µs, of which the cache saves most. The database's own word on machines is not asked: `Bots` knows more."""
    browser, system = ua_parser.parse_user_agent(user_agent), ua_parser.parse_os(user_agent)
    family = shown(system.family) if system else None
    version = shown(".".join(filter(None, (system.major, system.minor)))) if system else ""
    return (
        shown(browser.family) if browser else None,
        shown(browser.major) if browser and browser.major else None,
        family,
        _honest(family, version, user_agent),
        next((name for name, pattern in _DEVICES if pattern.search(user_agent)), None),
        False,
    )


def _honest(family: str | None, version: str, user_agent: str) -> str | None:
    """The version as far as it tells anything: browsers freeze it, for their users' sake.

    Windows 11 says 10.0, each macOS since Catalina 10.15, Android in Chrome "10; K",
    Chrome OS one build for all, and iOS 26 in Safari 18.6.
    """
    if not version or family == "Chrome OS":
        return None
    frozen = (
        (family == "Windows" and version in ("10", "10.0"))
        or (family == "Mac OS X" and version == "10.15")
        or (family == "Android" and "Android 10; K" in user_agent)
        or (family == "iOS" and _FROZEN_IOS.search(user_agent) is not None)
    )
    return version + "+" if frozen else version
