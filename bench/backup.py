"""A backup under load: what it costs the pixel, and whether what comes back is what was acknowledged.

`serve` runs with its defaults and takes hits at a constant rate, first alone, then
while one backup after the other is made. The last one that was begun after a known
set of hits is restored elsewhere and started there. Then, in both folders, an older
lake is put under a newer stream, and the other way round.

    scripts/bench backup                        2,000 hits/s
    scripts/bench backup --rate 500 --seconds 20 --fill 60
"""

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from rig.machine import describe
from rig.servers import scratch
from rig.tables import say, table

CLI: Final = [sys.executable, "-P", "-m", "pixelake"]
HERE: Final = Path(__file__).parent
PATIENCE: Final = 300.0


def main() -> None:
    """Run, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=2_000, help="hits a second; default: 2,000")
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement; default: 30")
    parser.add_argument("--fill", type=float, default=60, help="seconds of hits before; default: 60")
    options = parser.parse_args()
    print(describe(), flush=True)
    with scratch() as folder:
        faults = _run(folder, options)
    print("\n".join(f"fault: {fault}" for fault in faults) or "no hit lost, none doubled, none that was never sent")
    sys.exit(bool(faults))


def _run(folder: Path, options: argparse.Namespace) -> list[str]:
    data, place = folder / "data", folder / "backups"
    loads: list[_Load] = []
    with _serve(data, folder / "log") as port, ThreadPoolExecutor(1) as beside:

        def load(seconds: float) -> _Load:
            return _Load(port, options.rate, seconds, folder / f"answered-{len(loads)}")

        say("fill, and the pixel alone")
        loads.append(load(options.fill))
        loads.append(load(options.seconds))
        say("the pixel while backups are made")
        running = beside.submit(load, options.seconds)
        time.sleep(1)
        made = [_ask(data, "backup", str(place), "--json")]
        began = time.monotonic()
        while time.monotonic() < began + options.seconds - 5:
            time.sleep(2)
            made.append(_ask(data, "backup", str(place), "--json"))
        loads.append(running.result())
    _print(loads, made)
    known, during = _ids(loads[:2]), _ids(loads[2:])
    sent = {each.tag: each.count for each in loads}
    faults = []
    for stamp, name in ((made[0]["stamp"], "first"), (made[-1]["stamp"], "last")):
        say(f"restore the {name} backup elsewhere")
        target = folder / name
        print(_tell(target, "restore", str(place), "--at", stamp))
        faults += _judge(f"the {name} backup", target, known, sent, folder / "log")
    faults += _judge("the original", data, known | during, sent, folder / "log")
    say("an older lake under a newer stream, and an older stream under a newer lake")
    for part in ("lake", "stream"):
        crossed = folder / f"crossed-{part}"
        shutil.copytree(data, crossed)
        shutil.rmtree(crossed / part)
        print(_tell(folder / f"old-{part}", "restore", str(place), "--at", made[0]["stamp"]))
        shutil.copytree(folder / f"old-{part}" / part, crossed / part)
        faults += _judge(f"an older {part}", crossed, known | during, sent, folder / "log")
    return faults


class _Load:
    """A run of the generator: what it sent, and what was answered 200."""

    def __init__(self, port: int, rate: float, seconds: float, answered: Path) -> None:
        command = [sys.executable, str(HERE / "openloop.py"), "--port", str(port), "--rate", str(rate)]
        command += ["--seconds", str(seconds), "--answered", str(answered)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.found: dict[str, Any] = json.loads(done.stdout)
        self.tag, self.count = self.found["tag"], self.found["sent"]
        self.answered = answered.read_text().split()


def _ids(loads: Sequence[_Load]) -> set[str]:
    return {name for each in loads for name in each.answered}


def _print(loads: Sequence[_Load], made: Sequence[Mapping[str, Any]]) -> None:
    names = ("fill", "alone", "during backups")
    head = ["", "hits/s", "200", "other", "p50 ms", "p99 ms", "p99.9 ms", "max ms"]
    rows = []
    for name, each in zip(names, loads, strict=True):
        found = each.found
        good = found["answers"].get("200", 0)
        other = found["sent"] - good
        times = [f"{found[key]:.2f}" for key in ("p50", "p99", "p999", "max")]
        rows.append([name, f"{found['rate']:,.0f}", f"{good:,}", f"{other:,}", *times])
    table("the pixel", head, rows)
    figures = [(each["files"], each["bytes"] / 1e6, each["new_bytes"] / 1e6, each["seconds"]) for each in made]
    rows = [
        [each["stamp"], f"{files:,}", f"{size:,.1f}", f"{new:,.1f}", f"{seconds:.2f}"]
        for each, (files, size, new, seconds) in zip(made, figures, strict=True)
    ]
    table("the backups", ["backup", "files", "MB", "new MB", "s"], rows)


def _judge(name: str, data: Path, known: set[str], sent: Mapping[str, int], log: Path) -> list[str]:
    """Start it, let it settle, and compare what it has with what was acknowledged."""
    with _serve(data, log):
        deadline = time.monotonic() + PATIENCE
        while _ask(data, "status", "--json")["in_stream"]:
            if time.monotonic() > deadline:
                return [f"{name} does not settle"]
            time.sleep(0.5)
    status = _ask(data, "status", "--json")
    rows = _ask(data, "sql", "select event_id from events where not duplicate", "--format", "json")
    total = _ask(data, "sql", "select count(*) n, count(distinct hit_id) d from events", "--format", "json")[0]
    found = Counter(row["event_id"] for row in rows)
    outcomes = sum(status[key] for key in ("in_lake", "rejected", "withheld", "removed"))
    faults = {
        "lost": sum(each not in found for each in known),
        "doubled": sum(count - 1 for count in found.values()) + total["n"] - total["d"],
        "never sent": sum(not _was_sent(each, sent) for each in found),
        "missed": status["missed"],
        "outcomes off by": status["outcomes"] - outcomes,
        "hits off by": status["accepted"] - status["in_stream"] - status["settled"],
    }
    print(f"{name}: {len(found):,} hits; {', '.join(f'{what} {count}' for what, count in faults.items())}", flush=True)
    return [f"{name}: {what} {count}" for what, count in faults.items() if count]


def _was_sent(event_id: str, sent: Mapping[str, int]) -> bool:
    tag, _, number = event_id.partition("-")
    return tag in sent and number.isdecimal() and int(number) < sent[tag]


@contextmanager
def _serve(data: Path, log: Path) -> Iterator[int]:
    """`serve` with its defaults on free ports; yields that of the pixel."""
    port, web = _free_port(), _free_port()
    words = ["serve", "--collect", f"127.0.0.1:{port}", "--web", f"127.0.0.1:{web}", "--workers", "1"]
    with log.open("ab") as file:
        process = subprocess.Popen([*CLI, *words, "--data", str(data)], stdout=file, stderr=file)
    try:
        for _ in range(600):
            try:
                urlopen(f"http://127.0.0.1:{port}/ready", timeout=2).close()
                break
            except (URLError, OSError):
                time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _tell(data: Path, *words: str) -> str:
    done = subprocess.run([*CLI, *words, "--data", str(data)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def _ask(data: Path, *words: str) -> Any:
    return json.loads(_tell(data, *words, *(["--sql-timeout", "300"] if words[0] == "sql" else [])))


if __name__ == "__main__":
    main()
