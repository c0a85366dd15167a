"""`pixelake export` and `import`: what they print, and how they fail."""

import json
from pathlib import Path

import pytest

from pixelake.cli import run
from pixelake.cli.transfer import _FORMATS
from pixelake.operate.imports import FORMATS
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


def test_logs_of_cloudfront(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Both kinds, with the fields that were chosen; what one has told, the other does not tell again."""
    (tmp_path / "realtime").write_text(
        "1790812801.250\t203.0.113.7\t200\tGET\tpx.example\t/pixel.gif?site=a&n=1\tabcdefgh1==\n" * 2
    )
    (tmp_path / "standard").write_text(
        "#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem sc-status cs-uri-query x-edge-request-id\n"
        "2026-10-01\t00:00:01\t203.0.113.7\tGET\t/pixel.gif\t200\tsite=a&n=1\tabcdefgh1==\n"
        "2026-10-01\t00:00:02\t203.0.113.7\tGET\t/pixel.gif\t200\tsite=a&n=2\tabcdefgh2==\n"
    )
    fields = "x-edge-request-id,timestamp,c-ip,sc-status,cs-method,cs-host,cs-uri-stem"
    told = []
    for kind, more in (("realtime", ["--fields", fields]), ("standard", ["--site", "a"])):
        arguments = ["import", str(tmp_path / kind), "--format", f"cloudfront-{kind}", *more]
        assert run([*arguments, "--data", str(tmp_path / "data"), "--json"]) == 0
        told += json.loads(capfdbinary.readouterr().out)["files"]
    assert [(each["events"], each["known"], each["left_out"]) for each in told] == [(1, 1, 0), (1, 1, 2)]


def test_formats() -> None:
    """The command names those that there are, without loading what reads them."""
    assert _FORMATS == FORMATS


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
        "no such field": (["import", "x", "--format", "cloudfront-realtime", "--fields", "a"], "no field", 2),
        "too few fields": (["import", "x", "--format", "cloudfront-standard", "--fields", "time"], "without", 2),
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
