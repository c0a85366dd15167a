"""`pixelake backup`, `backups`, `restore`: what they print, and how they fail."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pixelake import cli
from tests.operate.installation import Installation


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with hits that wait."""
    made = Installation(tmp_path_factory.mktemp("original") / "data")
    made.send(range(10))
    return made.data


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(original, tmp_path / "data")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    status = cli.run([str(word) for word in words])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_there_and_back(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Texts for people, JSON for programs; the restored folder answers."""
    place = tmp_path / "backups"
    status, out, err = run(capsys, "backup", place, "--data", data)
    assert (status, err) == (0, "")
    assert out.startswith("backup 2")
    assert out.count("\n") == 1
    status, out, _ = run(capsys, "backup", place, "--keep", "1", "--json", "--data", data)
    stamp = json.loads(out)["stamp"]
    assert json.loads(out)["removed"]
    assert run(capsys, "backups", place) == (0, f"{stamp}\n", "")
    assert json.loads(run(capsys, "backups", place, "--json")[1]) == {"backups": [stamp]}
    assert run(capsys, "backups", place, "--check")[1] == f"{stamp}  whole\n"
    status, out, err = run(capsys, "restore", place, "--data", tmp_path / "new", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["stamp"] == stamp
    status, out, _ = run(capsys, "status", "--json", "--data", tmp_path / "new")
    assert json.loads(out)["accepted"] == 10


def _lines(told: str) -> Sequence[str]:
    return told.splitlines()


def test_what_cannot_be(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with a hint; exit 1, and 2 for misuse."""
    place = tmp_path / "backups"
    cases: list[tuple[Sequence[object], int, str]] = [
        (("backup", data / "x", "--data", data), 1, "inside"),
        (("backup", place, "--keep", "0", "--data", data), 2, "keep"),
        (("backup", "--data", data), 2, "PLACE"),
        (("backup", place, "--data", tmp_path / "nowhere"), 1, "no data folder"),
        (("backup", "s3://x", "--data", data), 1, "s3://bucket/prefix"),
        (("backups", place), 1, "no backups"),
        (("backups", place, "--check"), 1, "no backups"),
        (("restore", place, "--data", tmp_path / "new"), 1, "no backups"),
    ]
    for words, expected, why in cases:
        status, out, err = run(capsys, *words)
        assert (status, out) == (expected, ""), words
        assert why in err
        assert len(_lines(err)) == 1
    assert not place.exists()
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "nowhere").exists()


def test_what_is_not_whole(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each backup has its line; the exit status says that one of them is not."""
    place = tmp_path / "backups"
    run(capsys, "backup", place, "--data", data)
    shutil.rmtree(place / "pool")
    status, out, err = run(capsys, "backups", place, "--check")
    assert status == 1
    assert "missing" in out
    assert len(_lines(err)) == 1
    status, out, err = run(capsys, "backups", place, "--check", "--json")
    assert status == 1
    assert json.loads(out)["whole"] == []
    status, _, err = run(capsys, "restore", place, "--data", tmp_path / "new")
    assert status == 1
    assert "missing" in err
    assert len(_lines(err)) == 1
