"""Where an address is: CDN headers, the user's file, and both."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from structlog.testing import capture_logs

from pixelake import settings
from pixelake.errors import SettingsError
from pixelake.transform.enrich.geo import CDNS, LOGGED, Geo, Told, cdn_of, only_told, told
from pixelake.transform.enrich.geo_file import NOWHERE, GeoFile, Place
from tests.work import growth

LONDON = {
    "city": {"names": {"en": "London", "de": "London"}},
    "country": {"iso_code": "GB", "names": {"en": "United Kingdom"}},
    "location": {"time_zone": "Europe/London", "latitude": 51.5},
    "registered_country": {"iso_code": "US"},
    "subdivisions": [{"iso_code": "ENG"}, {"iso_code": "WBK"}],
}
"""A record as MaxMind's city files have it."""
BERLIN = {"country": "DE", "region": "Land Berlin", "city": "Berlin", "timezone": "Europe/Berlin"}
"""As IPinfo's have it: the region is no code."""
RECORDS = {
    "81.2.69.0/24": LONDON,
    "2a02:c0::/32": LONDON,
    "85.1.0.0/16": BERLIN,
    "86.1.0.0/16": {"registered_country": {"iso_code": "FR"}},
    "87.1.0.0/16": {"country": {"iso_code": "US"}, "subdivisions": [{"names": {"en": "California"}}]},
    "88.1.0.0/16": {"continent": {"code": "EU"}},
    "89.1.0.0/16": {"country": {"iso_code": 7}, "city": [], "subdivisions": {}},
}
IN_LONDON = Place("GB", "GB-ENG", "London", "Europe/London")


def write(path: Path, records: Mapping[str, Any], version: int = 6) -> Path:
    """A database in MaxMind's format."""
    writer = MMDBWriter(version, database_type="Test-City", ipv4_compatible=version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of `RECORDS`."""
    return write(tmp_path_factory.mktemp("geo") / "city.mmdb", RECORDS)


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    """A copy to be spoiled."""
    return Path(shutil.copy(written, tmp_path / "city.mmdb"))


ADDRESSES = {
    "81.2.69.142": IN_LONDON,
    "81.2.69.0": IN_LONDON,
    "::ffff:81.2.69.142": IN_LONDON,
    "2a02:c0:1::1": IN_LONDON,
    "85.1.2.3": Place("DE", None, "Berlin", "Europe/Berlin"),
    "86.1.2.3": Place("FR", None, None, None),
    "87.1.2.3": Place("US", None, None, None),
    "88.1.2.3": NOWHERE,
    "89.1.2.3": NOWHERE,
    "10.0.0.1": NOWHERE,
    "2001:db8::1": NOWHERE,
    "": NOWHERE,
    "no address": NOWHERE,
    "81.2.69.142\0": NOWHERE,
}


@pytest.mark.parametrize(("address", "expected"), ADDRESSES.items())
def test_files(written: Path, address: str, expected: Place) -> None:
    """Records as several makers write them, whole and truncated addresses; what is no address is nowhere."""
    assert GeoFile(written).look_up(address) == expected


def test_a_file_of_ipv4(tmp_path: Path) -> None:
    """It knows no IPv6, which is no error."""
    file = GeoFile(write(tmp_path / "v4.mmdb", {"81.2.69.0/24": LONDON}, 4))
    assert file.look_up("81.2.69.1") == IN_LONDON
    assert file.look_up("2a02:c0::1") == NOWHERE


def test_a_file_that_is_none(tmp_path: Path, path: Path) -> None:
    """Refused at start, by its path and with a hint: also a pipe and a device, which could be read for ever."""
    other, half = tmp_path / "text.mmdb", tmp_path / "half.mmdb"
    other.write_text("country,city\n")
    half.write_bytes(path.read_bytes()[:-100])
    os.mkfifo(pipe := tmp_path / "pipe.mmdb")
    for wrong in (tmp_path / "none.mmdb", tmp_path, other, half, pipe, Path("/dev/zero")):
        with pytest.raises(SettingsError) as raised:
            GeoFile(wrong)
        assert str(wrong) in str(raised.value)
        assert raised.value.hint


def test_a_new_file_is_taken(path: Path) -> None:
    """Also one of the same size and time that stands in its place; what was remembered of the old one is gone."""
    file = GeoFile(path)
    assert file.look_up("85.1.2.3").city == "Berlin"
    new = write(path.with_suffix(".new"), {**RECORDS, "85.1.0.0/16": {**BERLIN, "city": "Potsdam"}})
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.rename(path)
    assert file.look_up("85.1.2.3").city == "Berlin"
    file.refresh()
    assert file.look_up("85.1.2.3").city == "Potsdam"


def test_a_broken_new_file_changes_nothing(path: Path) -> None:
    """The old one still tells; one warning says so, not one each time; a whole one that follows is taken."""
    file = GeoFile(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with capture_logs() as logs:
        file.refresh()
        file.refresh()
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert file.look_up("81.2.69.142") == IN_LONDON
    assert file.look_up("85.1.2.3").city == "Berlin"  # asked for the first time now
    path.write_bytes(whole)
    with capture_logs() as logs:
        file.refresh()
    assert [entry["log_level"] for entry in logs] == ["info"]


def test_a_file_that_is_gone_for_a_while(path: Path) -> None:
    """The old one still tells, with one warning, and it is taken again when it is back."""
    file = GeoFile(path)
    aside = path.rename(path.with_suffix(".aside"))
    with capture_logs() as logs:
        file.refresh()
        file.refresh()
        aside.rename(path)
        file.refresh()
    assert [entry["log_level"] for entry in logs] == ["warning", "info"]
    assert file.look_up("81.2.69.142") == IN_LONDON


def test_a_pipe_in_its_place(path: Path) -> None:
    """Is not waited for: the old one still tells."""
    file = GeoFile(path)
    path.unlink()
    os.mkfifo(path)
    with capture_logs() as logs:
        file.refresh()
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert file.look_up("81.2.69.142") == IN_LONDON


def test_a_file_cut_short_in_place(path: Path) -> None:
    """Ours is a copy: the process lives on, which a mapped file would not let it."""
    file = GeoFile(path)
    os.truncate(path, 0)
    assert file.look_up("2a02:c0::7") == IN_LONDON


HEADERS = {
    "CloudFront": (
        "cloudfront",
        {
            b"cloudfront-viewer-country": b"US",
            b"cloudfront-viewer-country-region": b"MI",
            b"cloudfront-viewer-city": b"Ann Arbor",
            b"cloudfront-viewer-time-zone": b"America/Detroit",
        },
        Place("US", "US-MI", "Ann Arbor", "America/Detroit"),
    ),
    "Cloudflare": (
        "cloudflare",
        {
            b"cf-ipcountry": b"BR",
            b"cf-region-code": b"SP",
            b"cf-ipcity": "São Paulo".encode(),
            b"cf-timezone": b"America/Sao_Paulo",
        },
        Place("BR", "BR-SP", "São Paulo", "America/Sao_Paulo"),
    ),
    "Cloudflare's country alone": ("cloudflare", {b"cf-ipcountry": b"GB"}, Place("GB", None, None, None)),
    "Cloudflare: unknown": ("cloudflare", {b"cf-ipcountry": b"XX", b"cf-ipcity": b"X"}, None),
    "Cloudflare: Tor": ("cloudflare", {b"cf-ipcountry": b"T1"}, None),
    "Fastly": (
        "fastly",
        {b"client-geo-country": b"gb", b"client-geo-region": b"ENG", b"client-geo-city": b"london"},
        Place("GB", "GB-ENG", "london", None),
    ),
    "Fastly: unknown": ("fastly", {b"client-geo-country": b"?"}, None),
    "Fastly: unknown region": (
        "fastly",
        {b"client-geo-country": b"DE", b"client-geo-region": b"?", b"client-geo-city": b"?"},
        Place("DE", None, None, None),
    ),
    "Vercel": (
        "vercel",
        {
            b"x-vercel-ip-country": b"BR",
            b"x-vercel-ip-country-region": b"SP",
            b"x-vercel-ip-city": b"S%C3%A3o%20Paulo",
            b"x-vercel-ip-timezone": b"America/Sao_Paulo",
        },
        Place("BR", "BR-SP", "São Paulo", "America/Sao_Paulo"),
    ),
    "a city in Latin-1": (
        "cloudflare",
        {b"cf-ipcountry": b"BR", b"cf-ipcity": b"S\xe3o Paulo"},
        Place("BR", None, "São Paulo", None),
    ),
    "nonsense beside a country": (
        "cloudflare",
        {
            b"cf-ipcountry": b"DE",
            b"cf-region-code": b"<b>",
            b"cf-ipcity": b"a\x07b",
            b"cf-timezone": b"../../etc/passwd ",
        },
        Place("DE", None, None, None),
    ),
    "the headers of another": ("vercel", {b"cf-ipcountry": b"DE"}, None),
    "no header": ("cloudflare", {}, None),
}


@pytest.mark.parametrize(("cdn", "found", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_headers(cdn: str, found: Mapping[bytes, bytes], expected: Place | None) -> None:
    """What each CDN tells; what it does not know, and what no CDN would send, is nothing."""
    assert told(found, CDNS[cdn]) == expected


def test_whose_headers_are_looked_at() -> None:
    """The CDN that is named; by default the one whose header tells the client; else nobody's."""
    assert cdn_of("auto", "cf-connecting-ip") == CDNS["cloudflare"]
    assert cdn_of("auto", "cloudfront-viewer-address") == CDNS["cloudfront"]
    assert cdn_of("vercel", "x-forwarded-for") == CDNS["vercel"]
    assert cdn_of("auto", "x-forwarded-for") is None
    assert cdn_of("off", "cf-connecting-ip") is None
    assert told({b"cf-ipcountry": b"DE"}, None) is None


def test_every_choice_of_the_setting() -> None:
    """The setting offers exactly the CDNs that are known."""
    declared = next(each for each in settings.fields(settings.Settings) if each.name == "geo_headers")
    assert set(declared.metadata["choices"]) == {"auto", "off", *CDNS}


def test_both(written: Path) -> None:
    """The CDN counts; what it leaves out comes from the file if that agrees on the country."""
    tell = Geo(GeoFile(written))
    assert tell("81.2.69.1", Place("GB", None, None, None), False, None) == tuple(IN_LONDON)
    assert tell("81.2.69.1", Place("GB", "GB-SCT", None, None), False, None)[1:3] == ("GB-SCT", "London")
    assert tell("81.2.69.1", Place("FR", None, None, None), False, None) == ("FR", None, None, None)
    assert tell("81.2.69.1", None, False, None) == tuple(IN_LONDON)
    assert tell("10.0.0.1", None, False, None) == (None, None, None, None)


def test_without_a_file() -> None:
    """Nothing is known, but for what a CDN told."""
    assert Geo()("81.2.69.1", None, False, None) == (None, None, None, None)
    assert Geo()(None, None, False, None) == (None, None, None, None)
    assert Geo()("81.2.69.1", IN_LONDON, False, None) == tuple(IN_LONDON)


def test_anonymous_hits_have_no_city(written: Path) -> None:
    """Neither from the file nor from the CDN."""
    tell = Geo(GeoFile(written))
    assert tell("81.2.69.1", None, True, None) == ("GB", "GB-ENG", None, "Europe/London")
    assert tell("81.2.69.1", IN_LONDON, True, None)[2] is None


def test_the_client_s_own_time_zone_counts_first(written: Path) -> None:
    """A page knows it better than an address does."""
    assert Geo(GeoFile(written))("81.2.69.1", None, False, "Europe/Paris")[3] == "Europe/Paris"


def test_hostile_headers_take_linear_time() -> None:
    """Eight times the letters take about eight times as long."""
    for run in ("a/", "%41", "A", " "):
        found = dict.fromkeys(CDNS["vercel"], b"")

        def work(value: str, found: dict[bytes, bytes] = found) -> None:
            told({**dict.fromkeys(found, value.encode()), CDNS["vercel"].country: b"DE"}, CDNS["vercel"])

        assert growth(work, run) < 24


def test_a_log_is_the_cdns_own_word() -> None:
    """A hit out of a log of CloudFront is believed, whatever stands before the collector; one that was sent is not."""
    lines = b"User-Agent: x\r\nCloudFront-Viewer-Country: JP\r\n"
    of_log = Place("JP", None, None, None)
    for headers in (None, CDNS["cloudflare"], CDNS["cloudfront"]):
        assert Told(headers)(lines, False, LOGGED) == (of_log,)
        assert Told(headers)(lines, False, "http") == (None,)
    assert Told(None)(lines, True, "http") == (None,)
    assert Told(CDNS["cloudfront"])(lines, True, "http") == (of_log,)


def test_no_file() -> None:
    """What a CDN told is all that is known; the page's own word on the time zone counts first."""
    place = Place("DE", "DE-BE", "Berlin", "Europe/Berlin")
    assert only_told(place, False, None) == ("DE", "DE-BE", "Berlin", "Europe/Berlin")
    assert only_told(place, True, "Asia/Tokyo") == ("DE", "DE-BE", None, "Asia/Tokyo")
    assert only_told(None, False, "Asia/Tokyo") == (None, None, None, "Asia/Tokyo")
