"""The way a visitor came: from the list that comes with pixelake, and from one of the user's own."""

import re
from pathlib import Path

import pytest

from pixelake.errors import SettingsError
from pixelake.transform.enrich.channel import CHANNELS, LIST, LISTED, Channels, channels
from pixelake.transform.enrich.lists import load
from tests.judging import events, hit
from tests.work import growth

FROM = {
    "search": "google.com google.de google.co.uk google.com.br images.google.fr search.yahoo.com de.search.yahoo.com"
    " bing.com cn.bing.com duckduckgo.com html.duckduckgo.com ecosia.org baidu.com yandex.ru yandex.com.tr kagi.com"
    " search.brave.com m.search.naver.com go.mail.ru com.google.android.googlequicksearchbox qwant.com startpage.com",
    "social": "facebook.com l.facebook.com lm.facebook.com instagram.com l.instagram.com t.co x.com linkedin.com"
    " lnkd.in old.reddit.com out.reddit.com news.ycombinator.com youtube.com m.youtube.com tiktok.com bsky.app"
    " mastodon.social fosstodon.org threads.net pinterest.com com.facebook.katana com.linkedin.android"
    " org.telegram.messenger t.me",
    "mail": "mail.google.com com.google.android.gm outlook.live.com outlook.office.com mail.yahoo.com mail.proton.me"
    " e.mail.ru webmail.shop.example mail.shop.example com.microsoft.office.outlook",
    "assistant": "chatgpt.com chat.openai.com perplexity.ai www2.perplexity.ai gemini.google.com copilot.microsoft.com"
    " claude.ai chat.deepseek.com chat.mistral.ai grok.com com.openai.chatgpt",
    None: "docs.google.com notgoogle.com google.attacker.example facebook.com.attacker.example cnn.com t.com"
    " x.com.example reddit.community.example a 127.0.0.1 com",
}


@pytest.mark.parametrize(
    ("host", "expected"), [(host, channel) for channel, hosts in FROM.items() for host in hosts.split()]
)
def test_hosts(host: str, expected: str | None) -> None:
    """Hosts that send visitors, also those of Android apps; what only looks like one of them is none."""
    assert channels().of_host(host) == expected


TAGGED = {
    "ChatGPT tags its links": (("chatgpt.com", None, None), "assistant"),
    "a source by its host": (("www.facebook.com", None, None), "social"),
    "a source by its name": (("Google", None, None), "search"),
    "a known source with a word that says little": (("chatgpt.com", "referral", None), "assistant"),
    "an unknown one with that word": (("partner.example", "referral", None), "referral"),
    "paid search": (("google", "cpc", None), "paid"),
    "paid social": (("facebook", "paid_social", None), "paid"),
    "paid, as part of a medium": (("google", "brand-cpc", None), "paid"),
    "letters in another word": (("tcpcom.example", "tcpc", None), "campaign"),
    "display": (("adnetwork", "display", None), "paid"),
    "a newsletter": (("newsletter", None, None), "mail"),
    "a mail": (("crm", "E-Mail ", None), "mail"),
    "an affiliate": (("partner", "affiliate", None), "affiliate"),
    "a text message": (("crm", "sms", None), "sms"),
    "a notification": (("crm", "push", None), "push"),
    "an ad's click": ((None, None, "msclkid"), "paid"),
    "a click of a network": ((None, None, "fbclid"), "social"),
    "a click in a mail": ((None, None, "mc_eid"), "mail"),
    "a campaign of one's own": (("poster", "print", None), "campaign"),
    "nothing": ((None, None, None), None),
}


@pytest.mark.parametrize(("tags", "expected"), TAGGED.values(), ids=TAGGED.keys())
def test_tags_and_clicks(tags: tuple[str | None, str | None, str | None], expected: str | None) -> None:
    """What a link says of itself, where no referrer is known."""
    assert channels()(False, None, "shop.example", *tags) == (expected,)


def test_what_wins() -> None:
    """Tags win over clicks of networks and over referrers; a visitor from the same site has no channel."""
    tell = channels()
    assert tell(True, "google.com", "a.example", "crm", "email", None) == ("mail",)
    assert tell(True, "google.com", "a.example", None, None, "gclid") == ("paid",)
    assert tell(True, "news.example", "a.example", None, None, "fbclid") == ("referral",)
    assert tell(True, "a.example", "www.a.example", None, None, None) == (None,)
    assert tell(True, None, "a.example", None, None, None) == ("direct",)
    assert tell(False, None, "a.example", None, None, None) == (None,)


def test_an_app_s_referrer() -> None:
    """Android tells the app that was left as the host of a url."""
    (event,) = events(hit("/?site=a&referrer=android-app%3A%2F%2Fcom.google.android.gm%2F"))
    assert (event["referrer_host"], event["channel"]) == ("com.google.android.gm", "mail")


def test_a_list_of_one_s_own(tmp_path: Path) -> None:
    """A file of that name in the folder of lists stands in for ours; without one ours counts."""
    (tmp_path / LIST).write_text("# mine\n[social]\nforum.example  # ours\n[paid]\n=ads.example\n[search]\nfind.*\n")
    mine = channels(tmp_path)
    assert mine.of_host("www2.forum.example") == "social"
    assert mine.of_host("ads.example") == "paid"
    assert mine.of_host("x.ads.example") is None
    assert mine.of_host("find.co.uk") == "search"
    assert mine.of_host("google.com") is None
    assert channels(tmp_path / "none").of_host("google.com") == "search"


BROKEN = {
    "no channel": ("google.com\n", "line 1"),
    "an unknown channel": ("[searching]\n", "searching"),
    "no host": ("[search]\nhttps://google.com/\n", "line 2"),
    "a star alone": ("[search]\n*.google.com\n", "line 2"),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_list(text: str, told: str) -> None:
    """A line that means nothing is refused with its number and a hint."""
    with pytest.raises(SettingsError, match=re.escape(told)) as raised:
        Channels(text)
    assert raised.value.hint


def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    """It is refused by its path: a folder, or letters of no UTF-8."""
    (tmp_path / LIST).write_bytes(b"[search]\n\xff")
    with pytest.raises(SettingsError, match=LIST):
        channels(tmp_path)


def test_our_list_says_where_it_is_from() -> None:
    """It carries licence and date, has every channel that we tell by host, and no entry twice."""
    text = load(LIST)
    assert "CC0" in text
    assert re.search(r"20\d\d-\d\d-\d\d", text)
    entries = [line for line in text.splitlines() if line and line[0] not in "#["]
    assert len(entries) == len(set(entries)) > 500
    assert set(re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)) == {"assistant", "mail", "social", "search"}
    assert set(LISTED) < set(CHANNELS)


@pytest.mark.parametrize("run", ["a.", "cpc", "-", " ", "google."])
def test_hostile_tags_take_linear_time(run: str) -> None:
    """Eight times the letters take about eight times as long."""
    tell = channels()
    assert growth(lambda text: tell(True, text, text, text, text, text), run) < 24
