"""Who says that it is a machine."""

import time
from pathlib import Path

import pytest

from pixelake.errors import SettingsError
from pixelake.transform.enrich import patterns
from pixelake.transform.enrich.agent import agent
from pixelake.transform.enrich.bot import CRAWLERS, SIGNATURES, Bots, bot, make_bots
from pixelake.transform.enrich.proxy import proxy
from tests.work import growth

DATA = Path(__file__).parents[2] / "data"

BOTS = {
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": "Googlebot",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": "bingbot",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)": "GPTBot",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)": "Slurp",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0": "HeadlessChrome",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)": "facebookexternalhit",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)": "Slackbot",
    "TelegramBot (like TwitterBot)": "TelegramBot",
    "curl/8.5.0": "curl",
    "Wget/1.21.3": "Wget",
    "python-requests/2.31.0": "python-requests",
    "Go-http-client/2.0": "Go-http-client",
    "SomeNewCrawler/1.0": "SomeNewCrawler",
    "Mozilla/5.0 (compatible; Baiduspider/2.0)": "Baiduspider",
    "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)": "UptimeRobot",
    "Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3; Storebot-Google/1.0) AppleWebKit/537.36": "Storebot-Google",
    # assistants, and what fetches for their users
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ChatGPT-User/1.0; +https://openai.com/bot)": (
        "ChatGPT-User"
    ),
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; OAI-SearchBot/1.0; +https://openai.com/x": (
        "OAI-SearchBot"
    ),
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; +Claude-User@anthropic.com)": (
        "Claude-User"
    ),
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0; +https://perplexity.ai/x)": (
        "Perplexity-User"
    ),
    "Mozilla/5.0 (compatible; MistralAI-User/1.0; +https://docs.mistral.ai/robots)": "MistralAI-User",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; Google-NotebookLM)": "Google-NotebookLM",
    "meta-externalfetcher/1.1": "meta-externalfetcher",
}

PEOPLE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/100.0.0.0 Mobile",
    "Mozilla/5.0 (Linux; Android 9; CUBOT_X18) AppleWebKit/537.36 Chrome/100.0.0.0 Mobile",
    "Mozilla/5.0 (Linux; Android 16; Pixel 10; wv) AppleWebKit/537.36 Version/4.0 Chrome/146.0 Mobile MetaIAB Facebook",
    "Mozilla/5.0 (Linux; Android 7.0; M bot 60 Build/NRD90M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/58.0 Mobile",
    "Mozilla/5.0 (Linux; Android 13; Spider 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 7.0; S710 Ruby) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/85.0 Mobile",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows Phone OS 7.5; Trident/5.0; IEMobile/9.0; HTC; Radar 4G)",
    "Mozilla/5.0 (Unknown; Linux armv7l) AppleWebKit/537.1+ (KHTML, like Gecko) Safari/537.1+ LG Browser/6.00.00",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1;  Embedded Web Browser from: http://bsalsa.com/; SLCC1)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; Banca Caboto s.p.a.; rv:11.0) like Gecko",
    "Safari%20Technology%20Preview/15610.1.16.3 CFNetwork/1126 Darwin/19.5.0 (x86_64)",
    "The Bat! 9.2.1",
    "K-9 Mail/5.600",
    "Mutt/1.5.21 (2010-09-15)",
    "Brave Browser/93.1.31.30 Linux",
    "[FBAN/FB4A;FBAV/567.1.0.52.74;FBBV/1003893689;FBDM/{density=3.0,width=1080,height=2340};FBLC/nl_NL]",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.10730; Pro)",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; WOW64; Trident/7.0; Microsoft Outlook 16.0.6001; ms-office)",
    "Outlook-iOS/709.2189947.prod.iphone (3.24.0)",
    "Lynx/2.8.9rel.1 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.6.5",
    "Viber/12.8.0.1 CFNetwork/1121.2.2 Darwin/19.3.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/500.0]",
)


@pytest.mark.parametrize(("sent", "name"), BOTS.items(), ids=BOTS.values())
def test_machines(sent: str, name: str) -> None:
    """They are flagged and named as they name themselves."""
    found, found_name = bot(sent, False)
    assert found
    assert (found_name or "").startswith(name)


@pytest.mark.parametrize("sent", PEOPLE)
def test_people(sent: str) -> None:
    """Browsers are none: no phone by its brand, no proxy that fetches for a person."""
    assert bot(sent, False) == (False, None)


def test_silence_is_no_proof() -> None:
    """A missing user agent alone makes no bot; what something else about it says does."""
    assert bot(None, False) == bot("", False) == (False, None)
    assert bot(PEOPLE[0], True) == (True, None)


def test_a_proxy_is_no_machine() -> None:
    """What fetches in a person's place is no bot, whatever the lists say."""
    sent = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
    assert bot(sent, False)[0]
    assert bot(sent, True, *proxy(sent)) == (False, None)


def test_another_list_of_crawlers() -> None:
    """Of crawlers in a list that nothing here was made from, at least 97 % are flagged."""
    listed = (DATA / "crawlers.txt").read_text(encoding="utf-8").splitlines()
    missed = [sent for sent in listed if not proxy(sent)[0] and not bot(sent, agent(sent)[5])[0]]
    assert len(listed) > 1_800
    assert len(missed) / len(listed) <= 0.03, f"{1 - len(missed) / len(listed):.2%} of {len(listed)}: {missed}"


def test_a_list_of_browsers() -> None:
    """Of the browsers that a site had as visitors none is flagged, not even as a proxy."""
    listed = (DATA / "browsers.txt").read_text(encoding="utf-8").splitlines()
    assert len(listed) > 900
    flagged = [sent for sent in listed if proxy(sent)[0] or bot(sent, agent(sent)[5])[0]]
    assert not flagged, f"{len(flagged) / len(listed):.2%} of {len(listed)}: {flagged}"


def test_names() -> None:
    """A machine that no list knows is named by its word, by its first product, or not at all."""
    assert bot("Mozilla/5.0 (compatible; Foo/1.0; +http://foo.example)", False) == (True, "Foo")
    assert bot("Foo/1.0", False) == (True, "Foo")
    assert bot("Mozilla/5.0 (X11; Linux x86_64) my-linkchecker/2.1", False) == (True, "my-linkchecker")
    assert bot("${jndi:ldap://x}", False)[0]
    assert bot("<\x1b[2J\u202e>", False) == (True, "< [2J >")
    assert all(len(bot(run * 400, False)[1] or "") <= 60 for run in ("bot", "a-", "http://", "crawler ", "%"))


def test_own_lists(tmp_path: Path) -> None:
    """A file in the user's folder stands in for the built-in one, and only for that."""
    (tmp_path / CRAWLERS).write_text("# mine\n^Secret\\(Zebra\n")
    bots = make_bots(tmp_path)
    sent = "Secret(Zebra (Windows NT 10.0) Firefox/1.0"
    assert bots(sent, False, None) == (True, "Secret(Zebra")
    assert bot(sent, False) == (False, None)
    assert bots("curl/8.5.0", False, None) == (True, "curl")


def test_what_is_not_looked_at() -> None:
    """A name that only sounds like a machine's is passed over, wherever it stands, and what is behind it is not."""
    bots = Bots("", "bot\n~ Robotnik Phone")
    assert bots("Robotnik Phone/1", False, None) == (False, None)
    assert bots("Robotnik Phone SomeBot/1", False, None) == (True, "SomeBot")


def test_a_list_of_nothing() -> None:
    """Without any pattern nobody is a bot."""
    assert Bots("", "")("curl/8.5.0", False, None) == (False, None)


WRONG = {
    "no pattern": (CRAWLERS, "fine\n(", "crawlers.txt, line 2"),
    "look-ahead": (SIGNATURES, "a(?!b)", "signatures.txt, line 1"),
    "everything": (CRAWLERS, "x*", "fits everything"),
    "everything behind a mark": (SIGNATURES, "? .*", "fits everything"),
    "everything that is not to be looked at": (SIGNATURES, "~ x*", "fits everything"),
    "no text": (CRAWLERS, "\udcff", "not UTF-8"),
}


@pytest.mark.parametrize(("name", "text", "told"), WRONG.values(), ids=WRONG.keys())
def test_wrong_lists(tmp_path: Path, name: str, text: str, told: str) -> None:
    """A list that is wrong is refused at once, with its place and a hint."""
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SettingsError, match=told) as raised:
        make_bots(tmp_path)
    assert raised.value.hint
    assert "\n" not in str(raised.value)


def test_a_list_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into the memory of the automaton is refused as a whole."""
    monkeypatch.setattr(patterns, "_MEMORY", 1 << 20)
    with pytest.raises(SettingsError, match="too long"):
        Bots("\n".join(f"{n}(?:[a-z]{{1,900}}){n}" for n in range(99)), "")


def test_a_hostile_user_agent_takes_no_time() -> None:
    """Sixty kilobytes made to go back and forth in are searched at once."""
    before = time.process_time()
    bot("bo" * 30_000, False)
    bot("-" * 60_000, False)
    assert time.process_time() - before < 2


@pytest.mark.parametrize("run", ["a", "a.", "-", "Android", "bo", "Silk/", "Mozilla/5.0 ("])
def test_long_ones_take_no_longer(run: str) -> None:
    """Only the beginning is looked at."""
    assert growth(lambda text: bot(text, spider=False), run) < 4
