"""Tests of `pixelake.operate.processes`, on files as Linux has them."""

import os
from pathlib import Path

from pixelake.operate.processes import Processes


def _process(proc: Path, number: int, role: str, pages: int, written: int, *, started: int = 7) -> None:
    folder = proc / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cmdline").write_bytes(b"\0".join([b"python", b"-P", b"-m", b"pixelake", role.encode(), b"--data", b"x"]))
    (folder / "stat").write_text(f"{number} (a) b (c) S " + " ".join(["0"] * 18) + f" {started} 0 0\n")
    (folder / "statm").write_text(f"1000 {pages} 1 1 0 1 0\n")
    (folder / "io").write_text(f"rchar: 1\nwrite_bytes: {written}\n")
    _children(proc, of=number)


def _children(proc: Path, *numbers: int, of: int = 1, thread: int = 0) -> None:
    folder = proc / f"{of}/task/{thread or of}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "children").write_text("".join(f"{number} " for number in numbers))


def _shown(processes: Processes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels["role"]): sample.value for each in processes.collect() for sample in each.samples
    }


RESIDENT = "pixelake_processes_resident_bytes"
WRITTEN = "pixelake_processes_written_bytes_total"
PAGE = os.sysconf("SC_PAGE_SIZE")


def test_roles(tmp_path: Path) -> None:
    """The processes of a role are added up."""
    _process(tmp_path, 1, "serve", 10, 100)
    _process(tmp_path, 2, "collect", 20, 200)
    _process(tmp_path, 3, "collect", 30, 300)
    _children(tmp_path, 2, 3)
    assert _shown(Processes(tmp_path, 1)) == {
        (RESIDENT, "supervisor"): 10 * PAGE,
        (RESIDENT, "collect"): 50 * PAGE,
        (WRITTEN, "supervisor"): 100,
        (WRITTEN, "collect"): 500,
    }


def test_what_is_written_only_grows(tmp_path: Path) -> None:
    """A process that has ended takes nothing back; one that follows, even under its number, adds to it."""
    _process(tmp_path, 1, "serve", 10, 0)
    _process(tmp_path, 2, "consume", 20, 1_000)
    _children(tmp_path, 2)
    processes = Processes(tmp_path, 1)
    assert _shown(processes)[WRITTEN, "consume"] == 1_000
    _children(tmp_path)
    assert _shown(processes)[WRITTEN, "consume"] == 1_000
    assert (RESIDENT, "consume") not in _shown(processes)
    _process(tmp_path, 2, "consume", 20, 30, started=8)
    _children(tmp_path, 2)
    assert _shown(processes)[WRITTEN, "consume"] == 1_030
    assert _shown(processes)[WRITTEN, "consume"] == 1_030


def test_children_of_children(tmp_path: Path) -> None:
    """What a thread of the consumer has started, maintenance, is a process of its own."""
    _process(tmp_path, 1, "serve", 10, 0)
    _process(tmp_path, 2, "consume", 20, 1_000)
    _process(tmp_path, 4, "maintain", 30, 5_000)
    _children(tmp_path, 2)
    _children(tmp_path, 4, of=2, thread=3)
    assert _shown(Processes(tmp_path, 1))[WRITTEN, "maintain"] == 5_000


def test_who_ends_meanwhile(tmp_path: Path) -> None:
    """A child that is gone when it is looked at, a zombie, or a system without /proc: no error."""
    _process(tmp_path, 1, "serve", 10, 0)
    _process(tmp_path, 3, "web", 10, 5)
    (tmp_path / "3/cmdline").write_bytes(b"")
    _children(tmp_path, 2, 3)
    assert _shown(Processes(tmp_path, 1)).keys() == {(RESIDENT, "supervisor"), (WRITTEN, "supervisor")}
    assert _shown(Processes(tmp_path / "none", 1)) == {}
