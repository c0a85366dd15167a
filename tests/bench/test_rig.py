"""What the benchmarks measure with, and what they refuse to report."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rig import meters
from rig.disk import slow_disk
from rig.load import Run
from rig.proof import Ledger, Roll

from pixelake.hit import Codec, Hit
from pixelake.stream import segment

SYNC = "import os; f = os.open('file', os.O_CREAT | os.O_RDWR); os.fsync(f); os.fdatasync(f); os.fsync(f)"
SPIN = """
import threading, time
def spin():
    while time.thread_time() < 0.2: pass
for _ in range(2):
    thread = threading.Thread(target=spin); thread.start(); thread.join()
print("spun", flush=True)
input()
"""


def run(answers: int) -> Run:
    """A run with so many answers."""
    return Run(answers, 1, 0, 0, 0, 0, 0, 0, 0, 0, {})


def stream(data: Path, names: list[str]) -> None:
    """A stream on disk that holds one hit for each event id, in groups of two."""
    folder = data / "stream" / "0123456789ab"
    folder.mkdir(parents=True)
    segment.create(folder, folder.name, 1)
    connection = segment.connect(segment.segments(folder)[-1], write=True)
    for at in range(0, len(names), 2):
        targets = [b"/pixel.gif?site=a&event_id=" + name.encode() for name in names[at : at + 2]]
        hits = [Hit.of(1, "", "", "GET", target, b"") for target in targets]
        connection.execute(segment.INSERT, (at + 1, at + len(hits), 1, Codec().encode(hits)))
    connection.close()


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_the_disk_is_slowed_and_its_syncs_are_counted(tmp_path: Path) -> None:
    """Each sync waits, one alone waits longer, and none is missed."""
    with slow_disk(tmp_path) as disk:
        disk.delay(0.05)
        disk.stall(0.2)
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", SYNC], cwd=tmp_path, env=os.environ | disk.environment, check=True)
        assert time.monotonic() - began >= 3 * 0.05 + 0.2
        assert disk.calls == 3
        disk.delay(0)
        subprocess.run([sys.executable, "-c", SYNC], cwd=tmp_path, env=os.environ | disk.environment, check=True)
        assert disk.calls == 6


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_threads_that_have_ended_count_too() -> None:
    """The CPU of a process is that of all threads it ever had."""
    child = subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout
        assert child.stdout.readline() == b"spun\n"
        assert meters.cpu(child.pid) >= 0.4
        assert meters.family(os.getpid())[0] == os.getpid()
        assert child.pid in meters.family(os.getpid())
        assert meters.resident(child.pid) > 1_000_000
    finally:
        child.communicate(b"\n")


def test_a_lost_hit_ends_the_benchmark(tmp_path: Path) -> None:
    """Fewer hits in the stream than answers, or more than can have been under way: no table."""
    stream(tmp_path, ["a-1", "a-2", "a-3", "a-4", "a-5"])
    ledger = Ledger()
    ledger.enter(run(4), 1)
    assert ledger.check(tmp_path).startswith("4 answers with 200, 5 hits in the stream")
    ledger.enter(run(2), 0)
    with pytest.raises(SystemExit, match="NOT DURABLE"):
        ledger.check(tmp_path)
    with pytest.raises(SystemExit, match="NOT DURABLE"):
        Ledger(3, 1).check(tmp_path)


@pytest.mark.parametrize(("answered", "good"), [("a-1 a-2", True), ("a-1 a-9", False), ("a-1 a-3", False)])
def test_every_200_is_looked_up_by_name(tmp_path: Path, answered: str, good: bool) -> None:
    """One that is missing, or there twice, ends the benchmark; hits of other generators are nobody's."""
    stream(tmp_path, ["a-1", "a-2", "a-3", "a-3", "other-1"])
    (tmp_path / "answered").write_text(answered)
    roll = Roll(tmp_path, 5, {"a"}, [tmp_path / "answered"])
    if good:
        assert roll.check(tmp_path).endswith("2 more in the stream without a 200")
    else:
        with pytest.raises(SystemExit, match="NOT DURABLE"):
            roll.check(tmp_path)
