"""Who says that it is a machine."""

import time

import pytest

from pixelake.transform.enrich.bot import bot
from tests.work import growth

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
}

PEOPLE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/100.0.0.0 Mobile",
    "Mozilla/5.0 (Linux; Android 9; CUBOT_X18) AppleWebKit/537.36 Chrome/100.0.0.0 Mobile",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
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
    """A missing user agent alone makes no bot; the database's word does."""
    assert bot(None, False) == bot("", False) == (False, None)
    assert bot("x", True) == (True, None)


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
