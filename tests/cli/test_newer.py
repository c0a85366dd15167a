"""A data folder of a newer version: every command that would use it refuses, in one line, and touches nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pixelake import cli
from pixelake.operate.folder import ROLES, VERSION, occupied

HARMLESS = {
    ("settings",): "tells settings",
    ("snippet",): "only writes a tag",
    ("backups",): "looks at another place",
    ("restore",): "writes to an empty folder only",
    ("health",): "asks processes",
    ("aws", "redrive"): "moves messages of AWS",
    ("aws", "glue"): "tells a catalogue of AWS",
    ("aws", "cost"): "calculates",
    ("aws", "limits"): "calculates",
    ("aws", "synth"): "writes templates",
}
"""Commands that use no data folder, and why."""
MORE = {
    ("sql",): ["select 1"],
    ("backup",): ["{other}"],
    ("erase",): ["--user", "u"],
    ("rejects", "show"): ["a-1"],
    ("export",): ["--format", "ndjson"],
    ("import",): ["{log}", "--format", "combined", "--site", "a.example"],
    ("rejects", "purge"): ["--all"],
    ("replay",): ["--from", "1h"],
    ("sites", "add"): ["a.example"],
    ("sites", "badge"): ["a.example"],
    ("sites", "policy"): ["a.example", "ignore"],
    ("sites", "retention"): ["a.example", "30"],
    ("sites", "set"): ["a.example", "--zone", "UTC"],
    ("users", "add"): ["ann"],
    ("users", "passwd"): ["ann"],
    ("users", "remove"): ["ann"],
    ("shares", "remove"): ["s"],
    ("keys", "add"): ["api", "--name", "k"],
    ("keys", "remove"): ["k"],
    ("goals", "add"): ["a.example", "signup", "event is signup"],
    ("goals", "remove"): ["a.example", "signup"],
    ("funnels", "add"): ["a.example", "order", "path is /", "event is purchase"],
    ("funnels", "remove"): ["a.example", "order"],
    ("serve",): ["--collect", "127.0.0.1:0", "--web", "127.0.0.1:0"],
    ("demo",): ["--collect", "127.0.0.1:0", "--web", "127.0.0.1:0"],
    ("collect",): ["--collect", "127.0.0.1:0"],
    ("web",): ["--web", "127.0.0.1:0"],
    ("aws", "local"): ["--topology", "stream", "--collect", "127.0.0.1:0", "--web", "127.0.0.1:0"],
}
"""What they have to be told."""

ROLES_ALONE = (("serve",), ("demo",), ("collect",), ("consume",), ("web",))


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all commands."""
    if not isinstance(command, click.Group):
        yield path
        return
    for name, inner in command.commands.items():
        yield from commands(inner, (*path, name))


ALL = sorted(commands(cli.program))


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A folder of the next version."""
    data = tmp_path / "data"
    with occupied(data, ROLES):
        pass
    (data / "version").write_text(f"{VERSION + 1}\n")
    (tmp_path / "log").write_text('192.0.2.1 - - [10/Feb/2026:21:00:00 +0000] "GET /pixel.gif HTTP/1.1" 200 43\n')
    return data


@pytest.mark.parametrize("path", [path for path in ALL if path not in HARMLESS], ids=" ".join)
def test_refused(newer: Path, path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1, one line, with a hint; no file is written."""
    before = {file: file.read_bytes() for file in newer.rglob("*") if file.is_file()}
    more = [word.format(other=newer.parent / "other", log=newer.parent / "log") for word in MORE.get(path, [])]
    words = [*path, *more, "--data", str(newer)]
    if path in ROLES_ALONE:  # a process that ends has closed its sockets
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pixelake", *words], capture_output=True, text=True, check=False
        )
        status, told = done.returncode, done.stderr
    else:
        status, told = cli.run(words), capsys.readouterr().err
    assert status == 1
    assert told.count("\n") == 1
    assert "newer version" in told
    assert "run that version" in told
    assert {file: file.read_bytes() for file in newer.rglob("*") if file.is_file()} == before
    assert not (newer.parent / "other").exists()


def test_none_is_forgotten() -> None:
    """What is excepted exists."""
    assert set(HARMLESS) | set(MORE) <= set(ALL)
