"""What user agents and client hints tell."""

from pathlib import Path

import pytest

from pixelake.transform.enrich.agent import UNKNOWN, agent
from tests.work import growth

DATA = Path(__file__).parents[2] / "data"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko)"

AGENTS = {
    "Windows": (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "Chrome 142 Windows 10+ desktop"),
    "Windows 7": (
        "Mozilla/5.0 (Windows NT 6.1; rv:109.0) Gecko/20100101 Firefox/115.0",
        "Firefox 115 Windows 7 desktop",
    ),
    "macOS": (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Version/18.1 Safari/605.1.15",
        "Safari 18 Mac OS X 10.15+ desktop",
    ),
    "Firefox on macOS": (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0",
        "Firefox 143 Mac OS X 10.15+ desktop",
    ),
    "a reduced Android": (
        f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36",
        "Chrome Mobile 142 Android 10+ mobile",
    ),
    "a telling Android": (
        "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
        "Firefox Mobile 143 Android 15 mobile",
    ),
    "an Android tablet": (
        f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Safari/537.36",
        "Chrome 142 Android 10+ tablet",
    ),
    "an iPhone": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {SAFARI} Version/17.5 Mobile/15E148 Safari/604.1",
        "Mobile Safari 17 iOS 17.5 mobile",
    ),
    "an iPhone of iOS 26": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {SAFARI} Version/26.0 Mobile/15E148 Safari/604.1",
        "Mobile Safari 26 iOS 18.6+ mobile",
    ),
    "an iPhone that may be of iOS 18.7 or of a later one": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) {SAFARI} Mobile/15E148 [FBAN/FBIOS;FBAV/520.0]",
        "Facebook 520 iOS 18.7+ mobile",
    ),
    "an iPhone of iOS 18.7": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) {SAFARI} Version/18.7 Mobile/15E148 Safari/604.1",
        "Mobile Safari 18 iOS 18.7 mobile",
    ),
    "Chrome on an iPhone": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) {SAFARI} CriOS/150.0.7890.45 Mobile/15E148",
        "Chrome Mobile iOS 150 iOS 26.1 mobile",
    ),
    "Firefox on an iPhone": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) {SAFARI} FxiOS/156.0 Mobile/15E148 Safari/604.1",
        "Firefox iOS 156 iOS 18.7+ mobile",
    ),
    "Edge": (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/142.0.0.0",
        "Edge 142 Windows 10+ desktop",
    ),
    "Edge on Android": (
        f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36 EdgA/142.0.0.0",
        "Edge Mobile 142 Android 10+ mobile",
    ),
    "Opera": (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 OPR/125.0.0.0",
        "Opera 125 Windows 10+ desktop",
    ),
    "Samsung Internet": (
        f"Mozilla/5.0 (Linux; Android 10; K) {CHROME.replace('Chrome', 'SamsungBrowser/29.0 Chrome')} Mobile",
        "Samsung Internet 29 Android 10+ mobile",
    ),
    "a web view of Android, which is not reduced": (
        f"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {CHROME.replace('Chrome', 'Version/4.0 Chrome')} Mobile",
        "Chrome Mobile WebView 142 Android 14 mobile",
    ),
    "an old macOS": (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) {SAFARI} Version/14.1 Safari/605.1.15",
        "Safari 14 Mac OS X 10.14 desktop",
    ),
    "an iPad": (
        f"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {SAFARI} Version/16.6 Mobile/15E148 Safari/604.1",
        "Mobile Safari 16 iOS 16.6 tablet",
    ),
    "a Chromebook": (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36",
        "Chrome 142 Chrome OS None desktop",
    ),
    "Linux": (
        "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
        "Firefox 143 Linux None desktop",
    ),
}


@pytest.mark.parametrize(("sent", "expected"), AGENTS.values(), ids=AGENTS.keys())
def test_browsers(sent: str, expected: str) -> None:
    """Browser and version, system and version as far as it tells anything, kind of device."""
    assert " ".join(str(part) for part in agent(sent)[:5]) == expected


def test_televisions_and_consoles() -> None:
    """They are neither desktops nor tablets."""
    tv = f"Mozilla/5.0 (Web0S; Linux/SmartTV) {CHROME} Safari/537.36"
    assert agent(tv)[4] == "tv"
    assert agent("Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15")[4] == "console"


def test_nothing_and_nonsense() -> None:
    """No user agent, or one that means nothing, tells nothing."""
    assert agent(None) == agent("") == UNKNOWN
    assert agent("\x00💥" * 2_000) == UNKNOWN


@pytest.mark.parametrize("run", ["a", "a.", "-", "Android", "bo", "Silk/", "Mozilla/5.0 ("])
def test_long_ones_take_no_longer(run: str) -> None:
    """Only the beginning is looked at."""
    assert growth(agent, run) < 4


@pytest.mark.parametrize(("name", "column"), [("uap_ua.tsv", 0), ("uap_os.tsv", 2)])
def test_cases_of_uap_core(name: str, column: int) -> None:
    """Browser and system are those that uap-core's own test cases expect, for at least 99 %."""
    cases = [line.split("\t") for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    wrong = [(family, sent) for family, sent in cases if (agent(sent)[column] or "Other") != family]
    assert len(cases) > 400
    assert len(wrong) / len(cases) <= 0.01, f"{1 - len(wrong) / len(cases):.2%} right of {len(cases)}: {wrong}"


def test_names_are_fit_to_be_seen() -> None:
    """What a user agent smuggles into a name reaches no column: nothing unprintable, and not much."""
    for sent in ("a\x1b[2J\x07Bot/1.0", "archive.org/\u202e\x00x_bot/2", "x" * 300 + "Bot/1"):
        told = [part for part in agent(sent) if isinstance(part, str)]
        assert told
        assert all(part.isprintable() and len(part) <= 60 for part in told)


WINDOWS, MAC, PHONE = AGENTS["Windows"][0], AGENTS["macOS"][0], AGENTS["a reduced Android"][0]
PLAIN = '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'
HINTS = {
    "what every Chrome sends": (WINDOWS, PLAIN, "?0", '"Windows"', None, "Chrome 142 Windows 10+ desktop"),
    "Windows 11": (WINDOWS, PLAIN, "?0", '"Windows"', '"15.0.0"', "Chrome 142 Windows 11 desktop"),
    "the first Windows 11": (WINDOWS, PLAIN, "?0", '"Windows"', '"13.0.0"', "Chrome 142 Windows 11 desktop"),
    "Windows 10": (WINDOWS, PLAIN, "?0", '"Windows"', '"10.0.0"', "Chrome 142 Windows 10 desktop"),
    "Windows 8.1": (WINDOWS, PLAIN, "?0", '"Windows"', '"0.3.0"', "Chrome 142 Windows 8.1 desktop"),
    "macOS": (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {CHROME} Safari/537.36",
        PLAIN,
        "?0",
        '"macOS"',
        '"26.1.0"',
        "Chrome 142 Mac OS X 26.1 desktop",
    ),
    "Android": (PHONE, PLAIN, "?1", '"Android"', '"16.0.0"', "Chrome Mobile 142 Android 16 mobile"),
    "a tablet that says it is a Linux desktop": (
        AGENTS["Linux"][0].replace("Firefox/143.0", ""),
        PLAIN,
        "?0",
        '"Android"',
        '"15.0.0"',
        "None None Android 15 tablet",
    ),
    "Linux, whose version is the kernel's": (
        f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36",
        PLAIN,
        "?0",
        '"Linux"',
        '"6.8.0"',
        "Chrome 142 Linux None desktop",
    ),
    "Brave, which says it is Chrome": (
        WINDOWS,
        '"Chromium";v="142", "Brave";v="141", "Not_A Brand";v="99"',
        "?0",
        '"Windows"',
        None,
        "Brave 141 Windows 10+ desktop",
    ),
    "Edge": (
        f"{WINDOWS} Edg/142.0.0.0",
        '"Chromium";v="142", "Microsoft Edge";v="142", "Not?A_Brand";v="8"',
        "?0",
        '"Windows"',
        None,
        "Edge 142 Windows 10+ desktop",
    ),
    "nonsense": (WINDOWS, "\x00" * 300, "?2", '"Plan 9"', '"\u0661.\u0662"', "Chrome 142 Windows 10+ desktop"),
}


@pytest.mark.parametrize("case", HINTS.values(), ids=HINTS.keys())
def test_hints(case: tuple[str | None, ...]) -> None:
    """Where hints are sent they are more truthful than what browsers freeze; without, nothing false is added."""
    *sent, expected = case
    assert " ".join(str(part) for part in agent(*sent)[:5]) == expected


def test_the_list_of_full_versions() -> None:
    """It has the same brands, and the major version is taken."""
    sent = '"Chromium";v="142.0.7444.60", "Opera";v="124.0.5705.15", "Not_A Brand";v="99.0.0.0"'
    assert agent(WINDOWS, None, None, None, None, sent)[:2] == ("Opera", "124")


def test_headless_brands() -> None:
    """A browser without a person may hide it in its user agent, and still says so in its brands."""
    assert agent(WINDOWS, '"HeadlessChrome";v="142", "Chromium";v="142"', "?0", '"Linux"')[5]
    assert not agent(WINDOWS, PLAIN, "?0", '"Windows"')[5]
