"""Who fetches in a person's place."""

from pathlib import Path

import pytest

from pixelake.errors import SettingsError
from pixelake.transform.enrich.bot import bot
from pixelake.transform.enrich.lists import load
from pixelake.transform.enrich.proxy import (
    PROXIES,
    RELAY,
    Known,
    make_proxies,
    make_relays,
    proxy,
    read_proxies,
    scanner,
)
from tests.work import growth

BUILT_IN = read_proxies(load(PROXIES))
RECORDED = {
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)": "gmail",
    "Mozilla/5.0": "apple-mpp",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html": "yahoo",
    "FastmailUA/1.0": "fastmail",
    "Shortwave Image Fetcher": "shortwave",
    "Mozilla/5.0 SeznamEmailProxy/2.0.174": "seznam",
    "RamblerMail/6.0 (incompatible; ImageProxy/6.0)": "rambler",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/55.0.2883.87 Safari/537.36 "
    "(via secureurl.fwdcdn.com - mail.ukr.net proxy)": "ukr-net",
    "github-camo (df02412a)": "github-camo",
    "Camo Asset Proxy 2.3.0": "camo",
    "Slack-ImgProxy 1.138 (+https://api.slack.com/robots)": "slack",
    "StartpagePrivateImageProxy/2.0 (https://www.startpage.com/; support@startpage.com) requests/2.25.1": "startpage",
    "HootSuite Image proxy (hosting@hootsuite.com)": "image-proxy",
    "Mozilla/5.0 (compatible; ImageFetcher/5.6; +http://images.weserv.nl/)": "image-proxy",
    "Chrome Privacy Preserving Prefetch Proxy": "prefetch-proxy",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0": "scanner",
    "Barracuda Sentinel (EE)": "scanner",
    "Microsoft Office Existence Discovery": "scanner",
    "Microsoft Office PowerPoint 2013 (15.0.4420) Windows NT 6.2": "office",
}
NONE = (
    (
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
        "Safari/537.36 Edge/12.246"
    ),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (X11)",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "",
    None,
)
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(("sent", "name"), RECORDED.items(), ids=RECORDED.values())
def test_recorded_ones(sent: str, name: str) -> None:
    """Each is known by a user agent that was recorded, and is no bot."""
    assert proxy(sent) == (name,)
    assert bot(sent, True, name) == (False, None)


def test_every_entry_is_recorded() -> None:
    """None is in the list that no recorded user agent here shows."""
    assert {each.name for each in BUILT_IN} == set(RECORDED.values())


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_what_the_list_has_seen(entry: Known) -> None:
    """What an entry says to have seen is what it finds, and it says where from, and when."""
    assert entry.seen
    assert {proxy(sent) for sent in entry.seen} == {(entry.name,)}
    assert "http" in entry.source
    assert "202" in entry.source


@pytest.mark.parametrize("sent", NONE)
def test_people_and_bots(sent: str | None) -> None:
    """Mail programs fetch for themselves, and previews are bots."""
    assert proxy(sent) == (None,)


SCANNED = {
    "a browser asks for the head": (("HEAD", BROWSER, None, False, None), "scanner"),
    "a script on a page does": (("HEAD", BROWSER, "cors", False, None), None),
    "a bot does": (("HEAD", "Mozilla/5.0 (compatible; Googlebot/2.1)", None, True, None), None),
    "a program does": (("HEAD", "SomeApp/1.0 CFNetwork/1121 Darwin/19.3", None, False, None), None),
    "nobody does": (("HEAD", None, None, False, None), None),
    "a mail proxy does": (("HEAD", "Mozilla/5.0", None, False, "apple-mpp"), "apple-mpp"),
    "a browser asks for the image": (("GET", BROWSER, None, False, None), None),
}


@pytest.mark.parametrize(("sent", "expected"), SCANNED.values(), ids=SCANNED.keys())
def test_scanners(sent: tuple[str, str | None, str | None, bool, str | None], expected: str | None) -> None:
    """A HEAD of what says it is a browser is a scanner's, unless a page asked for it."""
    assert scanner(*sent) == (expected,)


def test_private_relay(tmp_path: Path) -> None:
    """Who comes from a network of the list is marked; a mail proxy stays one."""
    assert make_relays(None) is None
    assert make_relays(tmp_path) is None
    (tmp_path / RELAY).write_text(
        "172.224.226.0/31,GB,GB-EN,London,\n172.224.226.2/31,GB,GB-EN,London,\n172.224.226.0/27,GB,GB-EN,,\n"
        "2a02:26f7:b3c8:4000::/64,GB,GB-EN,London,\n2a04:4e41::/45,DE,DE-BE,Berlin,\n\n"
    )
    relays = make_relays(tmp_path)
    assert relays is not None
    held = ("172.224.226.0", "172.224.226.31", "::ffff:172.224.226.9", "2a02:26f7:b3c8:4000:1:2:3:4", "2a04:4e41:7::1")
    others = ("172.224.226.32", "172.224.225.255", "2a02:26f7:b3c8:4001::1", "2a04:4e41:8::", "0.0.0.0", "::", "x", "")
    assert {relays(client, None) for client in held} == {("private-relay",)}
    assert {relays(client, None) for client in others} == {(None,)}
    assert relays(held[0], "apple-mpp") == ("apple-mpp",)


@pytest.mark.parametrize("line", ["proxy", "1.2.3.4/8,GB", "2a02::/65,GB", "\udcff"])
def test_a_wrong_relay_list(tmp_path: Path, line: str) -> None:
    """A list that is none is refused, with the line."""
    (tmp_path / RELAY).write_bytes(f"172.224.226.0/31\n{line}\n".encode(errors="surrogateescape"))
    with pytest.raises(SettingsError, match=r"line 2|not UTF-8") as raised:
        make_relays(tmp_path)
    assert raised.value.hint


def test_own_proxies(tmp_path: Path) -> None:
    """The user's list stands in for the built-in one; the first entry that fits counts."""
    (tmp_path / PROXIES).write_text(
        '[[proxy]]\nname="a"\nagents=["^x"]\nsource="me"\n[[proxy]]\nname="b"\nagents=["x$", "y"]\nsource="me"\n'
    )
    found = make_proxies(tmp_path)
    assert [found(sent)[0] for sent in ("xx", "ax", "zy", "Mozilla/5.0")] == ["a", "b", "b", None]


WRONG = {
    "no TOML": "[[proxy",
    "no entry": "proxies = 1",
    "a name is missing": '[[proxy]]\nagents=["x"]\nsource="me"',
    "a word too much": '[[proxy]]\nname="a"\nagents=["x"]\nsource="me"\nsince=1',
    "no pattern": '[[proxy]]\nname="a"\nagents=["("]\nsource="me"',
    "everything": '[[proxy]]\nname="a"\nagents=[".*"]\nsource="me"',
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_wrong_lists(tmp_path: Path, text: str) -> None:
    """A list that is wrong is refused at once, in one line with a hint."""
    (tmp_path / PROXIES).write_text(text)
    with pytest.raises(SettingsError, match=PROXIES) as raised:
        make_proxies(tmp_path)
    assert raised.value.hint
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("run", ["a", "Mozilla/5.0 ", "Camo Asset ", "Mozilla/5.0 (Windows NT 10.0; "])
def test_long_ones_take_no_longer(run: str) -> None:
    """Only the beginning is looked at."""
    assert growth(proxy, run) < 4
