"""What a durable answer costs, beside a web server that merely logs.

In one run, in turns: nginx (``empty_gif``, an unbuffered JSON access log) and
pixelake's collector (default settings, one worker), each loaded by ``wrk``
over keep-alive connections with browser-sized requests. CPU a request is what
the operating system charged to the serving process (user and system) over the
run, divided by the answers; a run with an answer other than 200 fails.

    scripts/bench collect [--rounds 5] [--seconds 5] [--connections 64,512]
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  log_format hits escape=json '{{"time":"$msec","address":"$remote_addr","request":"$request","status":$status,'
    '"referrer":"$http_referer","agent":"$http_user_agent","language":"$http_accept_language"}}';
  access_log {folder}/access.log hits;
  keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ empty_gif; }} }}
}}
"""


class Server(NamedTuple):
    """A server under load: its name, port, and the process that is charged."""

    name: str
    port: int
    process: int


class Run(NamedTuple):
    """One run: answers a second, CPU µs an answer, latencies in ms."""

    rate: float
    cpu: float
    p50: float
    p99: float
    p999: float


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def children(process: int) -> list[int]:
    """Its child processes, in the order they were started."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


def cpu_seconds(process: int) -> float:
    """User and system time charged to a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait_for(ready: Callable[[], object], seconds: float = 15) -> None:
    """Until it is true."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            sys.exit("the server did not start")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def stopped_at_the_end(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """Nginx with one worker."""
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    with stopped_at_the_end([binary, "-c", str(folder / "nginx.conf")], folder) as process:
        wait_for(lambda: listens(port) and children(process.pid))
        yield Server("nginx, JSON log", port, children(process.pid)[0])


@contextmanager
def pixelake(folder: Path) -> Iterator[Server]:
    """The collector alone, with one worker."""
    port = free_port()
    command = [sys.executable, "-m", "pixelake", "collect", "--workers", "1", "--data", str(folder / "data")]
    with stopped_at_the_end([*command, "--collect", f"127.0.0.1:{port}"], folder) as process:
        wait_for(lambda: listens(port) and children(process.pid))
        yield Server("pixelake, durable", port, children(process.pid)[0])


def load(server: Server, connections: int, seconds: float) -> Run:
    """One run of wrk."""
    before = cpu_seconds(server.process)
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(HERE / "browser.lua")]
    result = subprocess.run([*wrk, f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, check=True)
    spent = cpu_seconds(server.process) - before
    line = next(line for line in result.stdout.splitlines() if line.startswith("RESULT"))
    answers, micros, not_200, errors, p50, p99, p999 = map(int, line.split()[1:])
    if not_200 or errors or not answers:
        sys.exit(f"{server.name}: {not_200} answers were not 200, {errors} failed\n{result.stdout}")
    return Run(answers / micros * 1e6, spent / answers * 1e6, p50 / 1e3, p99 / 1e3, p999 / 1e3)


def spread(values: list[float], form: str) -> str:
    """Median, and in brackets the least and the most."""
    low, middle, high = (format(value, form) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", default="64,512")
    options = parser.parse_args()
    for tool in ("wrk", "nginx"):
        if not shutil.which(tool) and not Path(f"/usr/sbin/{tool}").exists():
            sys.exit(f"{tool} is not installed (Debian: apt-get install {tool})")
    print("| connections | server | answers/s | CPU µs/answer | p50 ms | p99 ms | p99.9 ms |")
    print("|---|---|---|---|---|---|---|")
    for connections in map(int, options.connections.split(",")):
        with ExitStack() as stack:
            servers = []
            for start in (nginx, pixelake):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=HERE.parent / "build")))
                servers.append(stack.enter_context(start(folder)))
            for server in servers:
                load(server, connections, 1)  # warm
            runs: dict[str, list[Run]] = {server.name: [] for server in servers}
            for turn in range(options.rounds):
                for server in servers:
                    print(f"{connections} connections, round {turn + 1}: {server.name}", file=sys.stderr)
                    runs[server.name].append(load(server, connections, options.seconds))
        for name, results in runs.items():
            cells = [
                spread([run[i] for run in results], form) for i, form in enumerate([",.0f", ".1f", ".1f", ".1f", ".1f"])
            ]
            print(f"| {connections} | {name} | {' | '.join(cells)} |")
        ratios = [ours.cpu / theirs.cpu for theirs, ours in zip(*runs.values(), strict=True)]
        print(f"| {connections} | pixelake / nginx, CPU | | {spread(ratios, '.2f')} | | | |", flush=True)


if __name__ == "__main__":
    (HERE.parent / "build").mkdir(exist_ok=True)
    main()
