"""What the system says of our processes, role by role: their memory, and what they write (Linux)."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from pixelake.telemetry import METRICS

RESIDENT: Final = METRICS["pixelake_processes_resident_bytes"]
WRITTEN: Final = METRICS["pixelake_processes_written_bytes_total"]
SUPERVISOR: Final = "supervisor"
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One process: its number and start (together they never come again), role, and bytes."""

    number: int
    started: str
    role: str
    resident: int
    written: int


class Processes(Collector):
    """The supervisor, its children and theirs, looked at when somebody asks. What a dead one has written stays counted.

    Shows nothing where there is no ``/proc``.
    """

    def __init__(self, proc: Path = Path("/proc"), supervisor: int | None = None) -> None:
        self._proc = proc
        self._supervisor = supervisor or os.getpid()
        self._seen: dict[tuple[int, str], int] = {}
        self._written: Counter[str] = Counter()

    def collect(self) -> Iterator[Any]:
        """See `prometheus_client.registry.Collector`."""
        found = list(self._look())
        resident: Counter[str] = Counter()
        for each in found:
            resident[each.role] += each.resident
            self._written[each.role] += each.written - self._seen.get((each.number, each.started), 0)
        self._seen = {(each.number, each.started): each.written for each in found}
        memory = GaugeMetricFamily(RESIDENT.name, RESIDENT.help, labels=RESIDENT.labels)
        disk = CounterMetricFamily(WRITTEN.name, WRITTEN.help, labels=WRITTEN.labels)
        for role, size in resident.items():
            memory.add_metric([role], size)
        for role, size in self._written.items():
            disk.add_metric([role], size)
        yield from (memory, disk)

    def resident(self) -> Counter[str]:
        """Bytes of memory that the processes of each role hold now."""
        found: Counter[str] = Counter()
        for each in self._look():
            found[each.role] += each.resident
        return found

    def _look(self) -> Iterator[Process]:
        todo = [self._supervisor]
        for number in todo:  # grows
            with suppress(OSError, ValueError, IndexError, KeyError):  # it has just ended, or is no longer ours to see
                yield self._of(number)
                for task in (self._proc / f"{number}/task").iterdir():  # a thread's children are its own
                    todo += map(int, (task / "children").read_text().split())

    def _of(self, number: int) -> Process:
        folder = self._proc / str(number)
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        lines = (folder / "io").read_text().splitlines()
        return Process(
            number,
            started=(folder / "stat").read_text().rpartition(")")[2].split()[19],
            role=SUPERVISOR if number == self._supervisor else words[words.index("pixelake") + 1],
            resident=int((folder / "statm").read_text().split()[1]) * _PAGE,
            written=int(dict(line.split(": ") for line in lines)["write_bytes"]),
        )
