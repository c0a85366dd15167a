"""All that is known of the way -> channel: tags first, then click ids, then the host that sent the visitor.

The names follow the default channel groups of GA4 where those make a
difference to us: its paid and display groups are ``paid``, its video sites
``social``. The first rule that fits counts.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pixelake.errors import SettingsError
from pixelake.transform.enrich.lists import load

LIST: Final = "referrers.txt"
LISTED: Final = ("search", "social", "mail", "assistant", "paid", "affiliate", "referral")
"""Channels that a list of referrers may name."""
CHANNELS: Final = (*LISTED, "sms", "push", "campaign", "direct")

_AD_CLICKS: Final = frozenset(
    {"gclid", "gbraid", "wbraid", "dclid", "msclkid", "yclid", "ttclid", "rdt_cid", "sccid", "li_fat_id"}
)
"""Only advertisements have these."""
_SOCIAL_CLICKS: Final = frozenset({"fbclid", "igshid", "twclid", "epik"})
"""Networks mark every link with these, also those that nobody paid for."""
_PAID: Final = re.compile(
    r"paid|(?:.*[^a-z])?(?:cp[acelmv]|ppc|sem)(?:[^a-z]|$)"
    r"|(?:display|banner|expandable|interstitial|retargeting|remarketing|programmatic)$"
)
_MEDIA: Final = {
    medium: channel
    for channel, media in {
        "mail": ("email", "e-mail", "e_mail", "e mail", "mail", "newsletter"),
        "social": ("social", "social-network", "social-media", "sm", "social network", "social media"),
        "search": ("organic", "search"),
        "assistant": ("ai", "assistant", "ai-assistant", "ai assistant", "chatbot"),
        "affiliate": ("affiliate", "affiliates"),
        "sms": ("sms",),
        "push": ("push", "webpush", "web-push", "notification"),
    }.items()
    for medium in media
}
_REFERRAL: Final = frozenset({"referral", "app", "link"})
"""Say less than a source that is known."""
_MAILERS: Final = ("mail.", "email.", "outlook.", "webmail.")
"""How hosts of webmail begin that no list can know: everybody may run one."""
_LONGEST: Final = 253
"""Letters of a host."""
_ENTRY: Final = re.compile(r"(=?)([\w-]+(?:\.[\w-]+)*)(\.\*)?")
_COUNTRY_SECOND: Final = re.compile(r"(?:com?|org|net|ne|or)\Z")
"""What stands between a host's name and its country: ``co.uk``."""


class Channels:
    """Tells the channel. An enricher: pure, once made.

    Args:
        text: a list of referrers, as `LIST` explains in its first lines.

    Raises:
        SettingsError: the list has a line that means nothing.
    """

    def __init__(self, text: str) -> None:
        self._alone: dict[str, str] = {}
        self._below: dict[str, str] = {}
        self._anywhere: dict[str, str] = {}
        self._words: dict[str, str] = {}
        for channel, exactly, name, anywhere in _entries(text):
            if anywhere:
                self._anywhere[name] = channel
            elif "." not in name:
                self._words[name] = channel
            else:
                (self._alone if exactly else self._below)[name] = channel

    def __call__(  # noqa: PLR0917 - its arguments are columns, named in the table
        self,
        referred: bool,
        referrer_host: str | None,
        host: str | None,
        source: str | None,
        medium: str | None,
        click_id: str | None,
    ) -> tuple[str | None]:
        """What brought the visitor; None where that is not known, or where it is the same site.

        An image alone never knows the referrer of its page: only a page that sends
        one, empty or not, can say ``direct``.
        """
        tagged = self._tagged((source or "").strip().lower(), (medium or "").strip().lower(), click_id)
        if tagged:
            return (tagged,)
        if referrer_host and referrer_host != (host or "").removeprefix("www."):
            return (self.of_host(referrer_host) or "referral",)
        if click_id in _SOCIAL_CLICKS:
            return ("social",)
        if source or medium:
            return ("campaign",)
        return ("direct" if referred and not referrer_host else None,)

    def of_host(self, host: str) -> str | None:
        """The channel of a referrer's host (lower case, without ``www.``); None if the list does not know it."""
        if len(host) > _LONGEST:
            return None
        found = self._alone.get(host) or self._anywhere.get(_without_country(host))
        rest, dot = host, "."
        while dot and not found:
            found = self._below.get(rest)
            _, dot, rest = rest.partition(".")
        return found or ("mail" if host.startswith(_MAILERS) else None)

    def _tagged(self, source: str, medium: str, click_id: str | None) -> str | None:
        if click_id in _AD_CLICKS or _PAID.match(medium):
            return "paid"
        if click_id == "mc_eid":
            return "mail"
        found = _MEDIA.get(medium) or self._words.get(source)
        if not found and "." in source:
            found = self.of_host(source.removeprefix("www."))
        return found or ("referral" if medium in _REFERRAL else None)


def channels(folder: Path | None = None) -> Channels:
    """The enricher, from the list in the user's folder if there is one, else from the one that comes with pixelake.

    Raises:
        SettingsError: the user's list cannot be read, or has a line that means nothing.
    """
    return Channels(load(LIST, folder))


def _entries(text: str) -> Iterator[tuple[str, bool, str, bool]]:
    """Channel, whether the host stands alone, its name, and whether it may be anywhere; for each line that has one."""
    channel = ""
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip().lower()
        if entry.startswith("["):
            channel = entry.strip("[]")
        elif entry:
            found = _ENTRY.fullmatch(entry)
            if not found or not channel:
                raise SettingsError(f"{LIST}, line {number}: {entry[:40]!r} is no host", "its first lines say how")
            yield channel, bool(found[1]), found[2], bool(found[3])
        if channel and channel not in LISTED:
            raise SettingsError(f"{LIST}, line {number}: no channel {channel[:40]!r}", f"one of {', '.join(LISTED)}")


def _without_country(host: str) -> str:
    """``google`` of ``google.de`` and of ``google.co.uk``."""
    name, _, last = host.rpartition(".")
    before, dot, second = name.rpartition(".")
    return before if dot and len(last) == 2 and _COUNTRY_SECOND.match(second) else name
