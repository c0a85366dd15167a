"""Tests of `pixelake.settings`: what overrules what, what is refused, and that the docs tell every setting."""

from pathlib import Path

import pytest

from pixelake import settings
from pixelake.errors import SettingsError
from pixelake.settings import NAMES, Settings, check, load, parse_address

NOTHING = Path("/dev/null")


def test_defaults() -> None:
    """Without file, environment and flags every setting has its default."""
    assert load({}, {}, NOTHING) == Settings()


def test_file_then_environment_then_flag(tmp_path: Path) -> None:
    """A flag overrules the environment, which overrules the file."""
    file = tmp_path / "pixelake.toml"
    file.write_text("lake_window = 1\nlive_window = 1\nsql_timeout = 1\n")
    environment = {"PIXELAKE_LIVE_WINDOW": "2", "PIXELAKE_SQL_TIMEOUT": "2"}
    found = load({"sql_timeout": "3"}, environment, file)
    assert (found.lake_window, found.live_window, found.sql_timeout) == (1.0, 2.0, 3.0)


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    """``PIXELAKE_CONFIG`` names the file where --config does not."""
    file = tmp_path / "other.toml"
    file.write_text('default_zone = "Europe/Berlin"\n')
    assert load({}, {"PIXELAKE_CONFIG": str(file)}).default_zone == "Europe/Berlin"


def test_lists_and_maps() -> None:
    """In the environment and in flags a list is ``a,b`` and a map ``a=x,b=y``; blanks do not matter."""
    found = load({"kept_query": "a, b,,c", "aliases": "who=user, ev = event"}, {}, NOTHING)
    assert found.kept_query == ("a", "b", "c")
    assert dict(found.aliases) == {"who": "user", "ev": "event"}


def test_lists_and_maps_in_the_file(tmp_path: Path) -> None:
    """In TOML they are arrays and tables."""
    file = tmp_path / "pixelake.toml"
    file.write_text('kept_query = ["a", "b"]\n[aliases]\nwho = "user"\n')
    found = load({}, {}, file)
    assert found.kept_query == ("a", "b")
    assert dict(found.aliases) == {"who": "user"}


REFUSED = {
    "an unknown name": ({"lak_window": "1"}, "lak_window", "lake_window"),
    "a number that is none": ({"lake_window": "soon"}, "lake_window", "number"),
    "a negative number": ({"lake_window": "-1"}, "lake_window", "number"),
    "not a number": ({"lake_window": "nan"}, "lake_window", "number"),
    "no integer": ({"workers": "1.5"}, "workers", "a whole number, 0 or more, in processes"),
    "a negative integer": ({"workers": "-3"}, "workers", "a whole number, 0 or more, in processes"),
    "a choice there is not": ({"answer": "maybe"}, "answer", "durable"),
    "a map without =": ({"aliases": "who"}, "aliases", "name=name,name=name"),
}


@pytest.mark.parametrize(("flags", "names", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(flags: dict[str, str], names: str, hint: str) -> None:
    """The error names the setting, its hint says what is meant."""
    with pytest.raises(SettingsError) as raised:
        load(flags, {}, NOTHING)
    assert names in str(raised.value)
    assert hint in raised.value.hint


def test_a_broken_file(tmp_path: Path) -> None:
    """A file that is no TOML, or is not there, is refused by name."""
    file = tmp_path / "pixelake.toml"
    with pytest.raises(SettingsError, match=r"pixelake\.toml"):
        load({}, {}, file)
    file.write_text("lake_window: 1")
    with pytest.raises(SettingsError, match="TOML"):
        load({}, {}, file)


ADDRESSES = {
    "IPv4": ("127.0.0.1:80", ("127.0.0.1", 80)),
    "IPv6": ("[::1]:0", ("::1", 0)),
    "name": ("localhost:8080", ("localhost", 8080)),
}


@pytest.mark.parametrize(("text", "address"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_address(text: str, address: tuple[str, int]) -> None:
    """An address is host:port."""
    assert parse_address("collect", text) == address


@pytest.mark.parametrize(
    "text", ["8080", "host:", ":80", "host:65536", "host:-1", "host:x", "host:٣", "..:80", "a b:80"]
)
def test_no_address(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(SettingsError):
        parse_address("collect", text)


def test_listed_without_passwords() -> None:
    """The list has every setting once, and the password of no URL."""
    rows = settings.listed(Settings(live="postgresql://me:hunter2@db/x"))
    assert [row["name"] for row in rows] == list(NAMES)
    assert "hunter2" not in str(rows)
    assert {row["name"]: row for row in rows}["live"]["value"] == "postgresql://me:***@db/x"


def test_docs_tell_every_setting() -> None:
    """``docs/settings.md`` is what the settings say."""
    page = Path(__file__).parents[1] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings.as_markdown()


IMPOSSIBLE = {
    "no zone": Settings(default_zone="Mars"),
    "a folder of zones": Settings(default_zone="Europe"),
    "a path": Settings(default_zone="../UTC"),
    "a size without unit": Settings(sql_memory="512"),
    "no size": Settings(sql_memory="much"),
    "too small a size": Settings(sql_memory="1KB"),
    "ages of centuries": Settings(lake_retention=36_501),
    "rejects for ever and a day": Settings(rejects_retention=40_000),
    "no history": Settings(lake_history=5.0),
    "too small a stream": Settings(stream_bytes=1),
    "a window longer than the deadline": Settings(commit_window=0.5),
    "too many workers": Settings(workers=100_000),
    "no address": Settings(collect="8080"),
    "no address of metrics": Settings(metrics="8080"),
    "an empty address": Settings(web=""),
    "another scheme": Settings(public_url="javascript:alert(1)"),
    "no host": Settings(public_url="https:///x"),
    "a query": Settings(public_url="https://p.example/?a=b"),
    "a quote": Settings(public_url='https://p.example/"'),
    "no URL": Settings(public_url="https://["),
    "a certificate without key": Settings(tls_certificate="served.pem"),
    "a key without certificate": Settings(tls_key="served.key"),
    "PROXY headers before TLS": Settings(
        tls_certificate="c", tls_key="k", proxy_protocol="on", trusted_proxies=("10.0.0.0/8",)
    ),
    "no network": Settings(trusted_proxies=("10.0.0.0/8", "proxy.example")),
    "a network with more": Settings(trusted_proxies=("10.0.0.1/8",)),
    "everybody": Settings(trusted_proxies=("::/0",)),
    "nobody to be believed": Settings(proxy_protocol="on"),
}


@pytest.mark.parametrize("chosen", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_impossible_values(chosen: Settings) -> None:
    """Values of the right type that no role could start with are refused with a hint."""
    with pytest.raises(SettingsError) as raised:
        check(chosen)
    assert raised.value.hint


POSSIBLE = {
    "the defaults": Settings(),
    "a zone": Settings(default_zone="Asia/Kolkata"),
    "sizes as DuckDB has them": Settings(sql_memory="1.5 GiB"),
    "a size that follows the machine": Settings(sql_memory="auto"),
    "ages": Settings(lake_retention=1, rejects_retention=36_500, lake_history=60.0),
    "a bounded stream": Settings(stream_bytes=1 << 30, commit_window=0.1),
    "IPv6": Settings(collect="[::]:0", metrics="[::1]:9100"),
    "proxies": Settings(trusted_proxies=("loopback", "private", "192.0.2.7", "2001:db8::/32"), proxy_protocol="on"),
    "a path behind the host": Settings(public_url="https://münchen.example:8443/pixel/"),
}


@pytest.mark.parametrize("chosen", POSSIBLE.values(), ids=POSSIBLE.keys())
def test_possible_values(chosen: Settings) -> None:
    """What works is let through."""
    check(chosen)
