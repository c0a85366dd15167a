"""`pixelake report`: what it writes, where, and how it fails."""

import io
from pathlib import Path

import pypdfium2
import pytest

from pixelake.cli import run
from tests.operate.importing import log_line

DAYS = ["--from", "2026-10-01", "--to", "2026-10-03"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the events of a log of two days."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "access.log").write_text("".join(log_line(n * 43_200, "/<b>") + "\n" for n in range(4)))
    log, data = str(folder / "access.log"), folder / "data"
    assert run(["import", log, "--format", "combined", "--site", "shop.example", "--data", str(data)]) == 0
    return data


def files(folder: Path) -> list[str]:
    """What lies there."""
    return [each.name for each in folder.iterdir()]


@pytest.fixture
def reported(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *more: run(["report", *more, "--data", str(data)])


def test_a_file_is_written(reported, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named for the site and the first day if nothing is said; nothing else is left in the folder."""
    assert reported("--site", "shop.example", *DAYS) == 0
    assert capsys.readouterr().out == "report-shop-example-2026-10-01.html: shop.example, 1 to 2 Oct 2026\n"
    assert files(tmp_path) == ["report-shop-example-2026-10-01.html"]
    text = (tmp_path / "report-shop-example-2026-10-01.html").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "/&lt;b&gt;" in text


def test_the_end_of_the_name_tells_the_format(reported, tmp_path: Path) -> None:
    """Without `--format`."""
    assert reported("--site", "shop.example", *DAYS, "--output", "a.PDF") == 0
    assert len(pypdfium2.PdfDocument(tmp_path / "a.PDF")) >= 1


@pytest.mark.parametrize(("form", "begins"), [("html", b"<!DOCTYPE html>"), ("pdf", b"%PDF-")])
def test_standard_output_has_the_document_alone(
    reported, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], form: str, begins: bytes
) -> None:
    """Byte by byte, so that it can be piped; no file is written."""
    assert reported("--site", "shop.example", *DAYS, "--format", form, "--output", "-") == 0
    out = capfdbinary.readouterr().out
    assert out.startswith(begins)
    assert out.rstrip().endswith((b"</html>", b"%%EOF"))
    assert not files(tmp_path)


def test_a_pdf_is_not_for_terminals(reported, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    """It would be a screen full of nothing."""
    monkeypatch.setattr("sys.stdout", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})())
    assert reported("--format", "pdf", "--output", "-") == 2
    assert "not for terminals" in capsys.readouterr().err


MISUSED = {
    "an unknown site": (["--site", "nope"], "there is no site 'nope'"),
    "an unknown period": (["--period", "someday"], "period: there is no 'someday'"),
    "a period that ends first": (["--from", "2026-10-03", "--to", "2026-10-01"], "it must lie before"),
    "two periods": (["--period", "today", *DAYS], "there is also"),
    "an unknown zone": (["--zone", "Mars/Crater", *DAYS], "there is no time zone"),
    "a day that is none": (["--from", "2026-02-30"], "is no date and no time"),
    "an unknown format": (["--format", "docx"], "docx"),
}


@pytest.mark.parametrize(("arguments", "told"), MISUSED.values(), ids=MISUSED.keys())
def test_what_cannot_be_asked_is_misuse(
    reported, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """Exit status 2, one line with a hint, and no file."""
    assert reported(*arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert error.rstrip().endswith(")")
    assert not files(tmp_path)


@pytest.mark.parametrize("output", ["gone/a.html", "a\0b.html", "."], ids=["no folder", "no name", "a folder"])
def test_a_file_that_cannot_be_written_is_told(
    reported, tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    """Exit status 1, one line, and nothing half-written."""
    assert reported(*DAYS, "--output", output) == 1
    assert "cannot write" in capsys.readouterr().err
    assert not files(tmp_path)


def test_before_the_first_hit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not there, and one that nobody has sent anything to."""
    assert run(["report", "--data", str(tmp_path / "gone")]) == 1
    assert "there is no data folder" in capsys.readouterr().err
    (tmp_path / "data").mkdir()
    assert run(["sites", "list", "--data", str(tmp_path / "data")]) == 0
    capsys.readouterr()
    assert run(["report", "--data", str(tmp_path / "data")]) == 2
    assert "there is nothing to report yet" in capsys.readouterr().err


def test_a_site_without_hits_has_a_report(data: Path, reported, tmp_path: Path) -> None:
    """All its figures are nought, and its lists say that there was nothing."""
    assert run(["sites", "add", "quiet.example", "--data", str(data)]) == 0
    assert reported("--site", "quiet.example", *DAYS, "--output", "q.html") == 0
    assert "Nothing in this period." in (tmp_path / "q.html").read_text()
