"""Tests of `pixelake.cli`: what commands print, and how they fail. Other programs script this."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import pytest
import structlog

from pixelake import __version__, build
from pixelake.cli import run
from pixelake.operate.folder import VERSION, occupied
from pixelake.settings import NAMES, Settings

PIXEL = "trackingpixel?userid=aws_user&thirdpartyname=example.hightrafficwebsite.com"
KEYS = [
    *("accepted", "in_stream", "settled"),
    *("outcomes", "in_lake", "rejected", "withheld", "removed"),
    *("lag_seconds", "oldest_hit_age_seconds", "missed", "damaged", "set_aside", "notices", "maintenance"),
]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that serves sets up the logs of its process, which is ours here."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running server that has taken two views and a reject."""
    folder = tmp_path_factory.mktemp("served")
    listen = ["--collect", "127.0.0.1:0", "--web", "127.0.0.1:0", "--lake-window", "0.3"]
    command = [sys.executable, "-P", "-m", "pixelake", "serve", "--data", str(folder / "data"), *listen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        lines = iter(server.stdout.readline, "")
        url = next(line for line in lines if line.startswith("Pixel: ")).split()[1].removesuffix("pixel.gif")
        (folder / "dashboard").write_text(next(line for line in lines if line.startswith("Dashboard: ")))
        for path in (PIXEL, "?site=shop.example&title=%1b%5b2J%1b%5dx"):
            with urlopen(url + path) as answer:
                assert len(answer.read()) == 43
        body = Request(url + "events", b'{"value": "\x1b[2J"}', {"Content-Type": "application/json"})
        with urlopen(body) as answer:
            assert answer.status == 204
        yield folder
        server.terminate()
        assert server.wait(30) == 0


@pytest.fixture
def data(served: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """The data folder, once everything has settled."""
    data = str(served / "data")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert run(["status", "--json", "--data", data]) == 0
        if json.loads(capfd.readouterr().out)["settled"] == 3:
            return data
        time.sleep(0.2)
    raise AssertionError("the hits do not settle")


def test_status_json(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """``status --json`` has these keys, and both sums hold."""
    assert run(["status", "--json", "--data", data]) == 0
    found = json.loads(capfd.readouterr().out)
    assert list(found) == KEYS
    assert found["accepted"] == found["in_stream"] + found["settled"] == 3
    assert found["outcomes"] == found["in_lake"] + found["rejected"] == 3
    assert found["rejected"] == 1
    assert found["oldest_hit_age_seconds"] > 0 == found["lag_seconds"]


def test_status_for_people(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Without --json both sums are shown with a tick."""
    assert run(["status", "--data", data]) == 0
    assert capfd.readouterr().out.count("✓") == 2


def test_sql(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The parameters of a request are columns and properties."""
    question = "select site, event, user_id, properties from events where user_id is not null"
    assert run(["sql", question, "--format", "json", "--data", data]) == 0
    assert json.loads(capfd.readouterr().out) == [
        {
            "site": "default",
            "event": "pageview",
            "user_id": "aws_user",
            "properties": {"thirdpartyname": ["example.hightrafficwebsite.com"]},
        }
    ]


def test_sites(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Sites are listed with their zones; a badge is given and taken away again, whatever case the name is in."""

    def listed() -> dict[str, tuple[str, int | None]]:
        assert run(["sites", "list", "--format", "json", "--data", data]) == 0
        return {row["site"]: (row["zone"], row["badge"]) for row in json.loads(capfd.readouterr().out)}

    before = listed()
    assert before["default"] == before["shop.example"] == ("UTC", None)
    assert run(["sites", "badge", "Shop.Example", "--data", data]) == 0
    assert listed()["shop.example"] == ("UTC", 0)
    assert run(["sites", "badge", "shop.example", "--off", "--data", data]) == 0
    assert listed()["shop.example"] == ("UTC", None)


def test_a_site_before_the_first_start(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty folder, say a new volume, is a data folder then. A misspelt zone adds nothing: a site keeps its zone."""
    data = str(tmp_path)
    assert run(["sites", "add", "new.example", "--zone", "Mars", "--data", data]) == 1
    assert "Europe/Berlin" in capfd.readouterr().err
    assert run(["sites", "add", "new.example", "--zone", "Asia/Kolkata", "--data", data]) == 0
    assert run(["sites", "list", "--format", "csv", "--data", data]) == 0
    assert "new.example,Asia/Kolkata,," in capfd.readouterr().out
    with occupied(tmp_path, ["consume"]):
        pass


def test_another_zone_of_a_site(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It holds from now on; a misspelt name or zone changes nothing, and says what to write."""
    data = str(tmp_path)
    assert run(["sites", "add", "zoned.example", "--zone", "UTC", "--data", data]) == 0
    capfd.readouterr()
    assert run(["sites", "set", "Zoned.Example", "--zone", "Asia/Kolkata", "--data", data]) == 0
    assert run(["sites", "set", "zoned.example", "--zone", "Mars", "--data", data]) == 1
    assert "Europe/Berlin" in capfd.readouterr().err
    assert run(["sites", "set", "shp.example", "--zone", "Asia/Kolkata", "--data", data]) == 1
    assert "sites add shp.example" in capfd.readouterr().err
    assert run(["sites", "add", "zoned.example", "--zone", "UTC", "--data", data]) == 1
    assert "sites set zoned.example --zone UTC" in capfd.readouterr().err
    with contextlib.closing(build.registry(Settings(data=Path(data)))) as registry:
        known = registry.snapshot().sites
    assert [zone for _, zone in known["zoned.example"].zones] == ["UTC", "Asia/Kolkata"]
    assert "shp.example" not in known


@pytest.mark.parametrize(
    "arguments", [["list", "--limit", str(1 << 63)], ["list", "--limit", "0"], ["purge", "--older-than", "nan"]]
)
def test_numbers_that_are_none(data: str, capfd: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A number that no row can have, or that is in no range, is a misuse: one line."""
    assert run(["rejects", *arguments, "--data", data]) == 2
    told = capfd.readouterr().err
    assert "not in the range" in told
    assert told.count("\n") == 1


def test_no_badge_for_what_can_be_no_site(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A misuse, with a hint; nothing is made."""
    assert run(["sites", "badge", "a b", "--data", data]) == 2
    assert "shop.example" in capfd.readouterr().err


def test_a_site_s_policy(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The list tells what DNT and Sec-GPC do on each site: what was set for it, else what the setting says."""

    def listed(*flags: str) -> dict[str, str]:
        assert run(["sites", "list", "--format", "json", "--data", data, *flags]) == 0
        return {row["site"]: row["policy"] for row in json.loads(capfd.readouterr().out)}

    assert listed() == {"default": "anonymous", "shop.example": "anonymous"}
    assert run(["sites", "policy", "Shop.Example", "withhold", "--data", data]) == 0
    assert listed("--do-not-track", "ignore") == {"default": "ignore", "shop.example": "withhold"}
    assert run(["sites", "policy", "shop.example", "default", "--data", data]) == 0
    assert listed()["shop.example"] == "anonymous"
    assert run(["sites", "policy", "shop.example", "forget", "--data", data]) == 2
    assert run(["sites", "policy", "a b", "ignore", "--data", data]) == 2


@pytest.mark.parametrize("flag", ["--geo-file=none.mmdb", "--enrichers=no_such_module:plan", "--enrichers=os:getcwd"])
def test_enrichers_that_cannot_be_made(tmp_path: Path, capfd: pytest.CaptureFixture[str], flag: str) -> None:
    """A missing geo file and a module that is not there stop the start: one line with a hint, nothing touched."""
    for command in ("serve", "consume", "demo"):
        assert run([command, flag, "--data", str(tmp_path / "data")]) == 1
        told = capfd.readouterr().err
        assert flag.partition("=")[2] in told
        assert told.count("\n") == 1
        assert "(" in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("link", ["registry", "registry/registry.sqlite"])
@pytest.mark.parametrize("command", [["serve"], ["collect"], ["consume"], ["web"], ["sites", "list"]], ids=" ".join)
def test_a_registry_that_is_a_link_to_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str], link: str
) -> None:
    """Its disk may not be mounted: one line with a hint, exit 1, and nothing is made at the other end."""
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (data / link).parent.mkdir(parents=True)
    elsewhere.mkdir()
    (data / "version").write_text(f"{VERSION}\n")
    (data / link).symlink_to(elsewhere / "here")
    assert run([*command, "--data", str(data)]) == 1
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert f"link to {elsewhere / 'here'}" in told
    assert "(mount or restore" in told
    assert not list(elsewhere.iterdir())


def test_sites_of_no_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is said, and not made."""
    for arguments in (["sites", "list"], ["sites", "badge", "s"], ["sites", "policy", "s", "ignore"]):
        assert run([*arguments, "--data", str(tmp_path / "none")]) == 1
    assert not list(tmp_path.iterdir())


def test_sql_table_is_inert(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What a stranger sent as a title does not reach the terminal as commands."""
    assert run(["sql", "select title from events where site = 'shop.example'", "--data", data]) == 0
    assert "\\x1b[2J" in (out := capfd.readouterr().out)
    assert "\x1b" not in out


def test_rejects(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """``list`` names the rejects, ``show`` one with all its faults and what was sent; both are inert."""
    assert run(["rejects", "list", "--format", "json", "--data", data]) == 0
    (reject,) = json.loads(capfd.readouterr().out)
    assert run(["rejects", "list", "--limit", "5", "--data", data]) == 0
    assert run(["rejects", "show", reject["hit_id"], "--data", data]) == 0
    out = capfd.readouterr().out
    assert reject["reason"] in out
    assert "\x1b" not in out
    assert run(["rejects", "show", reject["hit_id"], "--json", "--data", data]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["hit_id"] == reject["hit_id"]
    assert json.loads(told["raw"])["method"]


def test_compact(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Beside the running server: what is exchanged is counted, then there is nothing to do; the rows stay."""
    count = ["sql", "select (select count(*) from events) + (select count(*) from rejects) n", "--format", "csv"]
    assert run(["maintain", "compact", "--json", "--data", data]) == 0
    found = json.loads(capfd.readouterr().out)
    assert list(found) == ["hours", "files_before", "files_after", "bytes_before", "bytes_after", "rows", "skipped"]
    assert (found["rows"], found["skipped"]) == (3, 0)
    assert found["files_before"] >= found["files_after"] == found["hours"] >= 2
    assert run(["maintain", "compact", "--data", data]) == 0
    assert capfd.readouterr() == ("nothing to compact\n", "")
    assert run([*count, "--data", data]) == 0
    assert capfd.readouterr().out == "n\n3\n"
    assert run(["status", "--json", "--data", data]) == 0
    assert json.loads(capfd.readouterr().out)["outcomes"] == 3


def test_compact_of_no_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is said, and not made; a lake that cannot be opened is one line with a hint."""
    assert run(["maintain", "compact", "--data", str(tmp_path / "none")]) == 1
    assert not list(tmp_path.iterdir())
    capfd.readouterr()
    assert run(["maintain", "compact", "--data", str(tmp_path), "--lake", "file:///dev/null/lake"]) == 1
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "/dev/null/lake" in told
    assert "(look at the disk)" in told


def test_dashboard_line(served: Path) -> None:
    """``serve`` prints where the dashboard is, with the token that opens it."""
    url = (served / "dashboard").read_text().removeprefix("Dashboard: ").strip()
    with build_opener(HTTPCookieProcessor()).open(url) as answer:
        assert b"<html" in answer.read()


def test_health(served: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """``health`` says nothing where the asked roles answer."""
    web = urlsplit((served / "dashboard").read_text().removeprefix("Dashboard: ").strip()).netloc
    assert run(["health", "web", "--web", web]) == 0
    assert capfd.readouterr() == ("", "")
    assert run(["health", "--web", web, "--collect", "127.0.0.1:1"]) == 1


def test_before_the_first_hit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """On an empty folder there are zeros and empty tables, and nothing is written."""
    assert run(["status", "--json", "--data", str(tmp_path)]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [found.pop(name) for name in ("damaged", "set_aside", "notices", "maintenance")] == [[], [], [], []]
    assert set(found.values()) == {0}
    assert run(["sql", "select count(*) n from events", "--format", "csv", "--data", str(tmp_path)]) == 0
    assert capfd.readouterr().out == "n\n0\n"
    assert run(["rejects", "list", "--format", "json", "--data", str(tmp_path)]) == 0
    assert json.loads(capfd.readouterr().out) == []
    assert not list(tmp_path.iterdir())


FAILURES = {
    "no data folder": (["status", "--data", "/nowhere/data"], 1, "--data"),
    "no data folder for sql": (["sql", "select 1", "--data", "/nowhere/data"], 1, "--data"),
    "bad SQL": (["sql", "selec 1", "--data", "{}"], 1, "("),
    "SQL that writes": (["sql", "create table x (a int)", "--data", "{}"], 1, "("),
    "no SQL": (["sql", "", "--data", "{}"], 1, "write one SELECT"),
    "a comment alone": (["sql", "-- c", "--data", "{}"], 1, "write one SELECT"),
    "a year that Python has not": (["sql", "select date '99999-01-01'", "--data", "{}"], 1, "cast it to text"),
    "an unknown reject": (["rejects", "show", "abc-1", "--data", "{}"], 1, "rejects list"),
    "an unknown backend": (["status", "--stream", "kafka://me:hunter2@b/topic", "--data", "{}"], 1, "file:///"),
    "nobody answers": (["health", "--collect", "127.0.0.1:1"], 1, "--collect"),
    "half of a certificate": (["serve", "--tls-certificate", "a.pem", "--data", "{}"], 1, "tls_key"),
    "no certificate": (["serve", "--tls-certificate", "a", "--tls-key", "b", "--data", "{}"], 1, "PEM"),
    "a misspelt command": (["serv"], 2, "serve"),
    "a misspelt flag": (["status", "--lake-windo", "3"], 2, "--lake-window"),
    "a bad value": (["status", "--lake-window", "soon"], 2, "number"),
    "a bad format": (["sql", "select 1", "--format", "xml"], 2, "csv"),
    "no question": (["sql"], 2, "SELECT"),
    "no site": (["snippet"], 2, "--site"),
    "an empty site": (["snippet", "--site", ""], 2, "shop.example"),
    "a site that is none": (["snippet", "--site", 'a"><script>'], 2, "shop.example"),
    "a tag for an address that is none": (["snippet", "--site", "s", "--public-url", "javascript:x"], 1, "https://"),
    "too many workers": (["serve", "--workers", "5000", "--data", "{}"], 1, "at most"),
    "no configuration file": (["status", "--config", "/nowhere/pixelake.toml"], 1, "--config"),
    "no address": (["collect", "--collect", "8080", "--data", "{}"], 1, "host:port"),
}


@pytest.mark.parametrize(("arguments", "status", "hint"), FAILURES.values(), ids=FAILURES.keys())
def test_failures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], status: int, hint: str
) -> None:
    """Every failure is one line on stderr with a hint: exit 1, or 2 if the command line was misused."""
    assert run([argument.replace("{}", str(tmp_path)) for argument in arguments]) == status
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("pixelake: ")
    assert hint in line
    assert "hunter2" not in line


def test_a_misspelt_setting_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A misspelt variable is refused, not ignored: exit 1."""
    monkeypatch.setenv("PIXELAKE_LAK_WINDOW", "3")
    assert run(["settings"]) == 1
    assert "did you mean lake_window" in capfd.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_a_flag(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A setting may stand before and after a command's name; the later one counts. A secret is not shown."""
    flag = "--" + name.replace("_", "-")
    told = next(each for each in fields(Settings) if each.name == name).metadata
    first, second = told["choices"][:2] or (("a=1", "a=2") if name == "aliases" else ("1", "2"))
    if told["secret"]:
        assert run([flag, first, "settings", "--format", "csv", flag, ""]) == 0
        assert f"\n{name},," in capfd.readouterr().out
    assert run([flag, first, "settings", "--format", "csv"]) == 0
    before = capfd.readouterr().out
    assert run([flag, first, "settings", "--format", "csv", flag, second]) == 0
    after = capfd.readouterr().out
    assert f"\n{name},{'***' if told['secret'] else first}" in before
    assert f"\n{name},{'***' if told['secret'] else second}" in after


def test_snippet(capfd: pytest.CaptureFixture[str]) -> None:
    """The tag has the public address, and is nothing to see."""
    assert run(["snippet", "--site", "shop", "--public-url", "https://p.example"]) == 0
    assert capfd.readouterr().out == (
        '<img src="https://p.example/pixel.gif?site=shop" alt="" loading="eager" '
        'referrerpolicy="no-referrer-when-downgrade" width="1" height="1">\n'
    )


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    """The version is one line."""
    assert run(["--version"]) == 0
    assert capfd.readouterr().out == f"pixelake {__version__}\n"


def test_parquet_to_a_file(tmp_path: Path) -> None:
    """Parquet goes to stdout as bytes, and nothing else does."""
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-P", "-m", "pixelake", "sql", "select 1 n", "--format", "parquet"]
    done = subprocess.run([*command, "--data", str(tmp_path / "data")], capture_output=True, check=True)
    assert done.stdout[:4] == done.stdout[-4:] == b"PAR1"


def test_a_reader_who_leaves(tmp_path: Path) -> None:
    """``pixelake sql ... | head -1`` ends without a word."""
    command = f"{sys.executable} -P -m pixelake sql 'select * from range(200000)' --format csv --data {tmp_path}"
    done = subprocess.run(f"{command} | head -1", shell=True, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"range\n", b"")


IMPOSSIBLE = {
    "a backend": ("--stream", "kafka://x"),
    "a backend's URL": ("--lake", "s3://["),
    "a zone": ("--default-zone", "Mars"),
    "a size": ("--sql-memory", "much"),
    "an address": ("--web", "8081"),
    "a URL": ("--public-url", "ftp://p.example"),
}


@pytest.mark.parametrize("flag", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_impossible_settings(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str, flag: tuple[str, str]
) -> None:
    """What no role could start with is one line before anything is made or started; a demo takes no places at all."""
    status = 2 if command == "demo" and flag[0] in ("--stream", "--lake") else 1
    assert run([command, *flag, "--data", str(tmp_path / "data")]) == status
    captured = capfd.readouterr()
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)
    assert not (tmp_path / "data").exists()


def test_a_comment_before_the_query(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """SQL may begin with a comment, which is no option."""
    assert run(["sql", "--first\nselect 1 n", "--format", "csv", "--data", str(tmp_path)]) == 0
    assert capfd.readouterr().out == "n\n1\n"


def test_a_tag_for_the_wildcard(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody can follow the wildcard: the tag has an address of this machine, and stderr says what to set."""
    assert run(["snippet", "--site", "shop", "--collect", "0.0.0.0:8080"]) == 0
    captured = capfd.readouterr()
    assert "http://127.0.0.1:8080/pixel.gif" in captured.out
    assert "--public-url" in captured.err


OUTPUTS = {"full": ">/dev/full", "closed": ">&-"}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS.keys())
@pytest.mark.parametrize("command", ["status", "sql 'select * from range(20000)' --format csv", "settings"])
def test_output_that_cannot_be_written(tmp_path: Path, command: str, output: str) -> None:
    """It is one line and exit 1, not a traceback and not a success."""
    line = f"{sys.executable} -P -m pixelake {command} --data {tmp_path} {output}"
    done = subprocess.run(line, shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert [error.startswith("pixelake: ") for error in done.stderr.splitlines()] == [True]


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in a query is one line and exit 130."""
    endless = "select count(*) from range(9999999999) a, range(9) b"
    command = [sys.executable, "-P", "-m", "pixelake", "sql", endless, "--data", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as query:
        deadline = time.monotonic() + 30
        while _seconds(query.pid) < 1.5:  # it computes: imports take less
            assert time.monotonic() < deadline
            time.sleep(0.05)
        query.send_signal(signal.SIGINT)
        _, errors = query.communicate(timeout=30)
    assert (query.returncode, errors) == (130, "pixelake: interrupted\n")


def _seconds(pid: int) -> float:
    """Processor time of a process."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
