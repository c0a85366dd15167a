"""`pixelake export` and `import`: what they print, and how they fail."""

import json
from pathlib import Path

import pytest

from pixelake.cli import run
from tests.operate.importing import log_line


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two days."""
    path = tmp_path / "access.log"
    path.write_text("".join(log_line(n * 43_200) + "\n" for n in range(4)))
    return path


def test_there_and_back(log: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A log becomes events; these are exported, by day, and come into another lake."""
    data, other = str(tmp_path / "data"), str(tmp_path / "other")
    arguments = ["import", str(log), "--format", "combined", "--site", "Shop.example", "--data", data]
    assert run([*arguments, "--json"]) == 0
    (told,) = json.loads(capfdbinary.readouterr().out)["files"]
    assert (told["events"], told["lines"], told["before"], told["file"]) == (4, 4, 0, str(log))
    assert run(arguments) == 0
    assert b"nothing new, all of its 4 lines are there" in capfdbinary.readouterr().out
    assert run(["export", "--to", "2026-10-01", "--data", data]) == 0
    written = capfdbinary.readouterr()
    assert [json.loads(line)["position"] for line in written.out.splitlines()] == [1, 2]
    assert b"2 rows of version" in written.err
    assert run(["export", "--from", "2026-10-01T12:00:01+00:00", "--data", data, "-o", str(tmp_path / "x.ndjson")]) == 0
    assert run(["import", str(tmp_path / "x.ndjson"), "--format", "ndjson", "--data", other]) == 0
    assert b"2 lines became 2 events, 0 rejects" in capfdbinary.readouterr().out
    assert run(["import", "--abort", "--data", data]) == 0
    assert b"0 imports given up" in capfdbinary.readouterr().out


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "told", "status"),
    {
        "no files": (["import"], "which files?", 2),
        "files and abort": (["import", "--abort", "x"], "which files?", 2),
        "no format": (["import", "x"], "what are the files?", 2),
        "no site": (["import", "x", "--format", "combined"], "do not tell their site", 2),
        "a site that is none": (["import", "x", "--format", "nginx", "--site", "a b"], "--site cannot be used", 2),
        "a site for an export": (["import", "x", "--format", "ndjson", "--site", "a"], "read as it is", 2),
        "a format that is none": (["import", "x", "--log-format", "hello"], "no fields", 2),
        "a file that is not there": (["import", "x", "--format", "nginx", "--site", "a"], "No such file", 1),
        "a day that is none": (["export", "--from", "2026-13-01"], "neither a day nor a moment", 2),
        "no folder": (["export", "--data", "/nonexistent/x"], "no data folder", 1),
    }.values(),
)
@pytest.mark.usefixtures("nowhere")
def test_misuse(capfd: pytest.CaptureFixture[str], arguments: list[str], told: str, status: int) -> None:
    """One line with a hint."""
    assert run(arguments) == status
    written = capfd.readouterr()
    assert told in written.err
    assert written.err.count("\n") == 1
    assert not written.out
