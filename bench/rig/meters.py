"""What the operating system says of processes and of the machine (Linux)."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Reading(NamedTuple):
    """The state of the meters, or the difference of two.

    Attributes:
        cpu: seconds, user and system, that the processes were charged: all threads, also those that have ended.
            Nanoseconds fine, unlike ``/proc/PID/stat`` (clock_getcpuclockid(3)).
        busy: seconds that the machine's cores did anything, whoever for: user, nice, system, irq, softirq of
            ``/proc/stat``, sampled by its timer.
        written: bytes that the processes caused to be written to disks (``write_bytes`` of ``/proc/PID/io``). A page
            of a file counts each time it turns dirty; the file system's own journal does not count.
        resident: bytes of memory the processes hold (``VmRSS``).
        each: of each process that lives, its own cpu, written and resident.
    """

    cpu: float
    busy: float
    written: int
    resident: int
    each: Mapping[int, tuple[float, int, int]]

    @classmethod
    def of(cls, processes: Sequence[int]) -> Self:
        """As it is now, of those that live."""
        each = {}
        for process in processes:
            with suppress(OSError):  # it has ended
                each[process] = cpu(process), written(process), resident(process)
        return cls(*_summed(each), each)

    def since(self, before: Self) -> "Reading":
        """What was added since then, by the processes that have lived all the time."""
        known = {process: found for process, found in before.each.items() if process in self.each}
        then = _summed(known)
        return Reading(
            self.cpu - then[0], self.busy - before.busy, self.written - then[2], self.resident - then[3], self.each
        )


def _summed(each: Mapping[int, tuple[float, int, int]]) -> tuple[float, float, int, int]:
    found = each.values()
    return sum(one[0] for one in found), busy(), sum(one[1] for one in found), sum(one[2] for one in found)


def cpu(process: int) -> float:
    """Seconds charged to a process so far. The clock's number is made as the C library makes it."""
    return time.clock_gettime((~process << 3) | 2)


def busy() -> float:
    """Seconds that the cores were not idle and not waiting, of all cores together, since the start of the machine."""
    user, nice, system, _idle, _wait, irq, softirq, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) / TICKS


def written(process: int) -> int:
    """Bytes a process has caused to be written to disks so far."""
    lines = Path(f"/proc/{process}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def resident(process: int) -> int:
    """Bytes of memory a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE


def family(process: int) -> tuple[int, ...]:
    """A process and its children, in the order they were started."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return (process, *map(int, text.split()))
