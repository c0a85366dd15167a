"""Tests of `pixelake.operate.apart`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pixelake.errors import LakeUnreachable, PixelakeError
from pixelake.operate.apart import apart

QUIET = """
import sys
from pixelake.operate.apart import apart
def load():
    import colorsys
apart(load)
print("colorsys" in sys.modules)
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if these tests had no other thread beside them."""
    monkeypatch.setattr("pixelake.operate.apart.threads", lambda: 1)


def test_beside_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy would wait for them for ever: it is done here."""
    monkeypatch.setattr("pixelake.operate.apart.threads", lambda: 2)
    done: list[int] = []
    apart(lambda: done.append(os.getpid()))
    assert done == [os.getpid()]


def test_nothing_stays(tmp_path: Path) -> None:
    """What was loaded there is not loaded here, and nothing that waited to be printed is printed twice."""
    script = "print('once')\n" + QUIET
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert result.stdout.split() == ["once", "False"]


def test_its_error_is_ours() -> None:
    """An error of ours arrives with its type, its message and its hint."""

    def fail() -> None:
        raise LakeUnreachable("nobody answers at s3://lake", "is it on?")

    with pytest.raises(LakeUnreachable, match="nobody answers") as caught:
        apart(fail)
    assert caught.value.hint == "is it on?"


def test_a_defect_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """What is no error of ours is shown where it happened, and fails here."""
    with pytest.raises(PixelakeError, match="cut short"):
        apart(lambda: 1 / 0)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_an_interrupt_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C reaches both processes; the copy says nothing about it."""
    with pytest.raises(PixelakeError):
        apart(lambda: signal.raise_signal(signal.SIGINT))
    assert capfd.readouterr().err == ""


def test_a_copy_that_is_killed() -> None:
    """A copy that had no time to say anything has failed."""
    with pytest.raises(PixelakeError, match="cut short"):
        apart(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_what_goes_well(tmp_path: Path) -> None:
    """Nothing is raised, and no process is left."""
    script = (
        "import os\n" + QUIET + "try:\n    os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError:\n    print('none')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert result.stdout.split() == ["False", "none"]
