"""The tags of the page's url, else the ones sent -> campaign; all that is known of the way -> channel."""

from typing import Final

from pixelake.transform.page import Tags

_AD_CLICKS: Final = frozenset({"gclid", "gbraid", "wbraid", "dclid", "msclkid", "yclid"})
"""Only advertisements have these; social networks mark every link with theirs."""
_PAID: Final = frozenset({"cpc", "ppc", "cpm", "cpv", "cpa", "paid", "display", "banner", "retargeting", "remarketing"})
_MAIL: Final = frozenset({"email", "e-mail", "e_mail", "mail", "newsletter"})
_SOCIAL_MEDIUM: Final = frozenset({"social", "social-network", "social-media", "sm", "social network", "social media"})
_SEARCH: Final = frozenset(
    {
        "google",
        "bing",
        "duckduckgo",
        "yahoo",
        "ecosia",
        "qwant",
        "startpage",
        "baidu",
        "yandex",
        "brave",
        "naver",
        "kagi",
    }
)
_SOCIAL: Final = frozenset(
    {"facebook.com", "instagram.com", "t.co", "twitter.com", "x.com", "linkedin.com", "lnkd.in", "reddit.com"}
    | {
        "pinterest.com",
        "youtube.com",
        "tiktok.com",
        "threads.net",
        "bsky.app",
        "mastodon.social",
        "vk.com",
        "quora.com",
    }
    | {"news.ycombinator.com", "snapchat.com", "tumblr.com", "xing.com"}
)
_MAILERS: Final = ("mail.", "outlook.", "webmail.")


def campaign(tags: Tags, *sent: str | None) -> Tags:
    """The five tags: of the url if it has any, else as they were sent."""
    return tags if any(tags) else sent


def channel(  # noqa: PLR0917 - its arguments are columns, named in the table
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
    tagged = _tagged((medium or "").lower(), click_id)
    if tagged:
        return (tagged,)
    if referrer_host and referrer_host != (host or "").removeprefix("www."):
        return (_by_host(referrer_host),)
    if source or medium:
        return ("campaign",)
    return ("direct" if referred and not referrer_host else None,)


def _tagged(medium: str, click_id: str | None) -> str | None:
    if click_id in _AD_CLICKS or medium in _PAID or medium.startswith("paid"):
        return "paid"
    if medium in _MAIL or click_id == "mc_eid":
        return "mail"
    if medium in _SOCIAL_MEDIUM:
        return "social"
    return "search" if medium == "organic" else None


def _by_host(host: str) -> str:
    if host.startswith(_MAILERS):
        return "mail"
    if any(host == name or host.endswith("." + name) for name in _SOCIAL):
        return "social"
    return "search" if not _SEARCH.isdisjoint(host.split(".")[:-1]) else "referral"
