"""Tests of `pixelake.operate.demo_alone`, and of `pixelake demo` beside what is somebody's own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest

from pixelake import build, cli
from pixelake.errors import DataFolderError
from pixelake.operate.demo_alone import HEARD, NEVER, check, forbidden, heard, set_aside
from pixelake.operate.demo_world import MARK
from pixelake.operate.folder import ROLES, VERSION, occupied
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import NAMES, Settings

PATIENCE = 60.0
"""Seconds: other work may take the processor."""
PORTS = ("--collect", "127.0.0.1:0", "--web", "127.0.0.1:0", "--workers", "1")
PLACES = ("stream", "lake", "files", "live", "registry")


def test_what_a_demo_hears() -> None:
    """Of the environment how it listens; the rest, and a file that is there, is named."""
    environment = {"PIXELAKE_WEB": "0.0.0.0:81", "PIXELAKE_LAKE": "s3://mine/lake", "HOME": "/root"}
    assert heard(environment) == {"PIXELAKE_WEB": "0.0.0.0:81"}
    assert set_aside(environment, Path("/no.toml")) == ["PIXELAKE_LAKE"]
    assert set_aside({}, Path(__file__)) == [__file__]
    assert forbidden({"data": "d", "lake": "l"}) == "lake"
    assert forbidden({"data": "d"}) is None
    assert {*HEARD, *NEVER, "data"} <= {*NAMES, "config"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that a server has worked in."""
    with occupied(tmp_path / "data", ROLES):
        return tmp_path / "data"


def checked(folder: Path, hits: int = 0) -> None:
    """Let a demo have this folder, if it may."""
    registry = folder / "registry" / "registry.sqlite"
    check(folder, registry, lambda: SqliteRegistry(registry), lambda: hits)


def test_a_folder_of_ones_own_is_refused(folder: Path) -> None:
    """What is made up is never mixed with what arrived; a folder without any and a demo's are taken."""
    checked(folder)
    with closing(SqliteRegistry(folder / "registry" / "registry.sqlite")) as registry:
        checked(folder)
        with pytest.raises(DataFolderError, match="holds hits of your own"):
            checked(folder, hits=1)  # nobody has judged it yet
        registry.add_sites(["mine.example"])
        with pytest.raises(DataFolderError, match="holds hits of your own") as refused:
            checked(folder)
        assert "--data" in refused.value.hint
        registry.secret(MARK)
    checked(folder, hits=1)


def test_a_folder_whose_registry_is_elsewhere(folder: Path) -> None:
    """What a consumer has made tells that there were hits, and no registry is begun beside it."""
    (folder / "live").mkdir()
    with pytest.raises(DataFolderError, match="holds hits of your own"):
        checked(folder)
    assert not (folder / "registry").exists()


@pytest.mark.parametrize("name", NEVER)
def test_a_place_elsewhere_is_refused(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A flag that names a place or people cannot be meant: exit 2, one line with a hint, nothing begun."""
    flag = "--" + name.replace("_", "-")
    assert cli.run(["demo", "--data", str(tmp_path / "data"), flag, f"file://{tmp_path}/mine"]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert f"does not take {flag}" in line
    assert "(name that folder with --data)" in line
    assert not list(tmp_path.iterdir())


class Demo:
    """A demo that was started from a folder.

    Attributes:
        process: of it.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._told = folder / "told"
        command = [sys.executable, "-P", "-m", "pixelake", "demo", *PORTS]
        with self._told.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder, env=environment
            )

    @property
    def told(self) -> str:
        """What it has printed and logged so far."""
        return self._told.read_text()

    def found(self, pattern: str) -> str:
        """The first group, once it is told."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.told, re.MULTILINE)):
            assert self.process.poll() is None, self.told
            assert time.monotonic() < deadline, self.told
            time.sleep(0.05)
        return found[1]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Where everything of somebody's own lies: a registry with a site, and a lake."""
    own = tmp_path / "mine"
    settings = Settings(data=own, lake=f"file://{own / 'lake'}", registry=f"file://{own / 'registry'}")
    own.mkdir()
    with closing(build.registry(settings)) as registry:
        registry.add_sites(["mine.example"])
    build.lake(settings)
    return own


def content(folder: Path) -> dict[str, bytes]:
    """Every file below."""
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture
def demo(tmp_path: Path, mine: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    """One whose configuration names places of somebody's own, in a file or in the environment."""
    cwd, temporary = tmp_path / "here", tmp_path / "temporary"
    cwd.mkdir()
    temporary.mkdir()
    named = {"data": str(mine / "data")} | {name: f"file://{mine / name}" for name in PLACES}
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PIXELAKE_")}
    environment |= {"TMPDIR": str(temporary)}
    if request.param == "file":
        (cwd / "pixelake.toml").write_text("".join(f'{name} = "{value}"\n' for name, value in named.items()))
    else:
        environment |= {f"PIXELAKE_{name.upper()}": value for name, value in named.items()}
    running = Demo(cwd, environment)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait(PATIENCE)


@pytest.mark.parametrize("demo", ["file", "environment"], indirect=True)
def test_nothing_of_ones_own_is_touched(demo: Demo, mine: Path, tmp_path: Path) -> None:
    """A configuration names a lake, a registry and all else: the demo says that it leaves it aside, and does so.

    It takes hits and makes its past in a folder of its own, which is gone at the end.
    """
    before = content(mine)
    pixel = demo.found(r"^Pixel: (\S+)$")
    aside = demo.found(r"^pixelake: the demo leaves (.*) aside \(what it should have is named by a flag\)$")
    assert aside == "pixelake.toml" or "PIXELAKE_LAKE, PIXELAKE_LIVE, PIXELAKE_REGISTRY" in aside
    with urlopen(f"{pixel}?site=made-up.example", timeout=10) as answer:
        assert answer.status == 200
    own = Settings(data=next((tmp_path / "temporary").iterdir()))
    deadline = time.monotonic() + PATIENCE
    while not any(name.startswith("demo-") for name in build.lake_reader(own).progress()):
        assert time.monotonic() < deadline, demo.told
        time.sleep(0.2)
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(PATIENCE) == 0
    assert content(mine) == before
    assert not list((tmp_path / "temporary").iterdir())


def test_a_folder_that_somebody_works_in(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Refused before anything in it is opened."""
    before = content(folder)
    with occupied(folder, ROLES):
        assert cli.run(["demo", "--data", str(folder), *PORTS]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert "another server runs on" in line
    assert content(folder) == before


def test_a_folder_of_a_newer_version(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Refused before anything in it is opened, although it is free."""
    (folder / "version").write_text(f"{VERSION + 1}\n")
    before = content(folder)
    assert cli.run(["demo", "--data", str(folder), *PORTS]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert "newer version" in line
    assert content(folder) == before
