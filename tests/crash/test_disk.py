"""A disk that fails or is full, under the real server: no 200 for what is not kept, and it gets well by itself."""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixelake.stream.segment import partitions
from pixelake.stream.sqlite_reader import SqliteReader
from tests.crash.campaign import Load, Server, Tally, bear, judge, settle

LOAD = Load(rate=300, connections=30)
PATIENCE = 30.0
ROOM = 48 << 20
"""Bytes of the small disk."""


def _wait_until(what: str, holds: Iterator[bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not next(holds):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _more(tally: Tally, kind: str, count: int) -> Iterator[bool]:
    """Whether there are so many more answers of that kind than at the first look."""

    def number() -> int:
        return len(tally.answered) if kind == "answered" else tally.refused

    before = number()
    while True:
        yield number() >= before + count


def _in_the_stream(data: Path) -> set[str]:
    """The event ids of all hits that the stream holds, as anybody would read them."""
    reader = SqliteReader(data / "stream", "look")
    found = set()
    while (batch := reader.read(10_000, 0)) is not None:
        for hit in batch.hits:
            found.update(name.decode() for name in re.findall(rb"event_id=([0-9a-f]{24})", hit.target))
    reader.close()
    return found


def _run(server: Server, tally: Tally, harm: Iterator[str]) -> None:
    """Load while harm is done; then every 200 is in the stream, and what the stream has goes into the lake."""
    server.start()
    try:
        done = asyncio.run(bear(LOAD, server.port, tally, harm, lambda _: None))
        assert tally.answered <= _in_the_stream(server.data)
        settle(server)
        verdict = judge(server, tally, done)
        server.stop()
    finally:
        server.kill_all()
    assert verdict.good, str(verdict)


@contextlib.contextmanager
def _failing_syncs(pid: int) -> Iterator[None]:
    """Every sync of a process fails with EIO."""
    calls = "fsync,fdatasync"
    attach = ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(pid), "-e", f"trace={calls}"]
    tracer = subprocess.Popen([*attach, "-e", f"inject={calls}:error=EIO"], stderr=subprocess.PIPE)
    try:
        yield
    finally:
        tracer.terminate()
        _, told = tracer.communicate()
    assert not told, told.decode()


def _why_no_strace() -> str:
    if not sys.platform.startswith("linux") or shutil.which("strace") is None:
        return "needs Linux and strace"
    tried = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    return f"strace does not work here: {tried.stderr.decode()}" if tried.returncode else ""


def test_syncs_that_fail(tmp_path: Path) -> None:
    """EIO: 503 for all that was not synced, a new partition afterwards, by the same process."""
    if why := _why_no_strace():
        pytest.skip(why)
    server, tally = Server(tmp_path / "data", tmp_path / "log"), Tally()

    def harm() -> Iterator[str]:
        _wait_until("it serves", _more(tally, "answered", 100))
        [pid] = server.children("collect")
        with _failing_syncs(pid):
            _wait_until("it refuses", _more(tally, "refused", 50))
            time.sleep(2.5)  # it tries a new partition each second
        yield "EIO"
        _wait_until("it serves again", _more(tally, "answered", 100))
        assert server.children("collect") == [pid]
        assert len(partitions(server.data / "stream")) > 1
        yield "well again"

    _run(server, tally, harm())


@contextlib.contextmanager
def _small_disk(place: Path) -> Iterator[None]:
    place.mkdir()
    if os.geteuid() or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "pixelake-test", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


@pytest.mark.parametrize("reserve", [0, 16 << 20])
def test_a_full_disk(tmp_path: Path, reserve: int) -> None:
    """Not a byte is left, or only the reserve: 503, and 200 again once there is room, without a restart."""
    with _small_disk(tmp_path / "disk"):
        server = Server(tmp_path / "disk" / "data", tmp_path / "log", more=("--disk-reserve", str(reserve)))
        ballast, tally = tmp_path / "disk" / "ballast", Tally()

        def harm() -> Iterator[str]:
            _wait_until("it serves", _more(tally, "answered", 100))
            pids = server.children("collect")
            _fill(ballast)
            _wait_until("it refuses", _more(tally, "refused", 50))
            _fill(ballast)
            time.sleep(1)
            ballast.unlink()
            yield "full"
            _wait_until("it serves again", _more(tally, "answered", 100))
            assert server.children("collect") == pids
            yield "room again"

        _run(server, tally, harm())


def test_partitions_of_workers_that_are_no_more(tmp_path: Path) -> None:
    """Two workers were killed with hits that nobody had settled; the one that follows leaves none of them behind."""
    before = Server(tmp_path / "data", tmp_path / "log", workers=2, more=("--lake-window", "3600"))
    tally = Tally()

    def harm() -> Iterator[str]:
        _wait_until("it serves", _more(tally, "answered", 300))
        while len(partitions(before.data / "stream")) < 2:  # a worker whom no client has found has none
            before.kill("collect")
            _wait_until("its clients go to another", _more(tally, "answered", 300))
        before.kill_all()
        yield "killed"

    before.start()
    try:
        done = asyncio.run(bear(LOAD, before.port, tally, harm(), lambda _: None))
    finally:
        before.kill_all()
    orphans = {folder.name for folder in partitions(before.data / "stream")}
    assert len(orphans) > 1
    after = Server(before.data, tmp_path / "log", workers=1)
    after.start()
    try:
        settle(after)
        verdict = judge(after, tally, done)
        assert verdict.good, str(verdict)
        rows = after.ask("sql", "select distinct partition from events", "--format", "csv")
        assert orphans == set(rows.split()[1:])
    finally:
        after.kill_all()
