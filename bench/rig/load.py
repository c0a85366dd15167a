"""The generators of load, each a process of its own, and what a server was charged meanwhile."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rig.meters import Reading
from rig.servers import Server

HERE: Final = Path(__file__).parent.parent
TIMES: Final = ("p50", "p99", "p999")


@dataclass(frozen=True)
class Run:
    """One run of a generator against a server.

    Attributes:
        answers: answers, of any status.
        seconds: how long it took.
        cpu: µs of CPU that the server's processes were charged, an answer.
        machine: µs of CPU of the whole machine but the generator, an answer.
        written: bytes written, an answer.
        resident: MB of memory that the server holds at the end.
        growth: bytes of memory that were added, an answer.
        p50, p99, p999: ms of an answer.
        details: what the generator alone knows.
    """

    answers: int
    seconds: float
    cpu: float
    machine: float
    written: float
    resident: float
    growth: float
    p50: float
    p99: float
    p999: float
    details: dict[str, Any]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def wrk(server: Server, connections: int, seconds: float, *, close: bool = False) -> Run:
    """As many requests as go through over so many connections; with `close` over a new one each time.

    Ends the program if an answer is not 200 or a connection fails.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(HERE / "browser.lua")]
    output, used = _measured(server, [*command, server.url, *(["--", "close"] if close else [])])
    line = next(line for line in output.splitlines() if line.startswith("RESULT"))
    answers, micros, not_200, errors, p50, p99, p999 = map(int, line.split()[1:])
    if not_200 or errors or not answers:
        sys.exit(f"{server.name}: {not_200} answers were not 200, {errors} failed\n{output}")
    return _run(server, used, (answers, micros / 1e6), (p50 / 1e3, p99 / 1e3, p999 / 1e3))


def openloop(
    server: Server,
    rate: float,
    seconds: float,
    connections: int = 0,
    answered: Path | None = None,
    *,
    first: bool = False,
) -> Run:
    """Requests at a constant rate; latencies from when each was due. See `openloop.Outcome` for the details.

    Args:
        server: whom it asks.
        rate: requests a second.
        seconds: how long.
        connections: how many; 0: by the rate.
        answered: file for the names of the hits that were answered with 200.
        first: it goes before everybody else on this machine, since it stands for others. Needs root.
    """
    connections = connections or min(15_000, max(64, int(rate / 20)))
    command = [sys.executable, str(HERE / "openloop.py"), "--port", str(server.port), "--rate", str(rate)]
    command += ["--seconds", str(seconds), "--connections", str(connections)]
    command = [*(["nice", "-n", "-15"] if first else []), *command]
    output, used = _measured(server, [*command, *(["--answered", str(answered)] if answered else [])])
    found = json.loads(output)
    answers = sum(found["answers"].values())
    return _run(server, used, (answers, found["sent"] / found["rate"]), [found[key] for key in TIMES], **found)


def k6(server: Server, rate: float, seconds: float) -> Run:
    """The same from k6 (`constant-arrival-rate`), which counts from when it has sent a request."""
    connections = min(1_000, max(16, int(rate / 20)))
    values = {"RATE": rate, "SECONDS": seconds, "PORT": server.port, "CONNECTIONS": connections}
    flags = [word for name, value in values.items() for word in ("-e", f"{name}={value:g}")]
    command = [str(find_k6()), "run", "--no-usage-report", "--quiet", "--address", "", *flags]
    output, used = _measured(server, [*command, str(HERE / "arrivals.js")])
    found = json.loads(output.strip().splitlines()[-1])
    return _run(server, used, (found["answers"], seconds), [found[key] for key in TIMES], **found)


def find_k6() -> str | None:
    """k6, on the path or beside our Python, if it is there at all."""
    return shutil.which("k6") or shutil.which("k6", path=str(Path(sys.executable).parent))


def _measured(server: Server, command: list[str]) -> tuple[str, Reading]:
    """Run a generator; what it prints, and what was used meanwhile. `busy` is without the generator's own share."""
    own, before = _children_cpu(), Reading.of(server.processes)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    used = Reading.of(server.processes).since(before)
    if ended := sorted(before.each.keys() - used.each.keys()):
        print(f"{server.name}: processes {ended} ended meanwhile; the figures are of the others", file=sys.stderr)
    if result.returncode:
        sys.exit(f"{command[0]} failed against {server.name}:\n{result.stdout}{result.stderr}")
    return result.stdout, used._replace(busy=used.busy - (_children_cpu() - own))


def _children_cpu() -> float:
    """Seconds of all processes that we have started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(server: Server, used: Reading, found: tuple[int, float], times: Sequence[float], **details: Any) -> Run:
    """The figures by answer; `found` is how many there were, and in how many seconds."""
    answers, seconds = found
    each = 1 / max(1, answers)
    resident = Reading.of(server.processes).resident / 1e6
    p50, p99, p999 = times
    return Run(
        answers=answers,
        seconds=seconds,
        cpu=used.cpu * 1e6 * each,
        machine=used.busy * 1e6 * each,
        written=used.written * each,
        resident=resident,
        growth=used.resident * each,
        p50=p50,
        p99=p99,
        p999=p999,
        details=details,
    )
