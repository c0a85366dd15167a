"""What an import of a log costs; that killing it loses and doubles nothing; that an export comes back whole.

A log of so many `combined` lines, a tenth of them hostile, is imported at one go;
then into another lake by processes that are killed (SIGKILL) at random moments and
begun again. Both lakes must hold each line once, and the same but for the people,
who have salts of their own. Then the lake is exported, imported into an empty one,
and compared, table by table. README.md beside this file has the results.

    scripts/bench import                   a million lines, 10 kills
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pyarrow as pa
from rig import weblog
from rig.machine import describe
from rig.servers import scratch
from rig.tables import say, table

from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.sums import LakeReader
from pixelake.warehouse.walk import columns_of, walk

COLUMNS = ("visitor_id", "visitor_before")
"""What tells people apart: of each import its own."""


def command(data: Path, *arguments: str) -> list[str]:
    """A command on a data folder."""
    return [sys.executable, "-P", "-m", "pixelake", *arguments, "--data", str(data)]


def importing(data: Path, log: Path, *options: str) -> list[str]:
    """An import that tells what it did as JSON."""
    return command(data, "import", str(log), "--json", *options)


def rows(data: Path, name: str) -> pa.Table:
    """A table in order of time."""
    log = DeltaLog(data / "lake" / name)
    log.refresh()
    schema = columns_of(log)
    return pa.concat_tables([schema.empty_table(), *walk(log, schema)])


def once(data: Path, log: Path, *options: str) -> dict[str, float]:
    """Import at one go; `cpu` is the processor's time in seconds, start and end of the program in it."""
    before = _cpu()
    done = subprocess.run(importing(data, log, *options), check=True, stdout=subprocess.PIPE)
    (found,) = json.loads(done.stdout)["files"]
    return {**found, "cpu": _cpu() - before}


def _cpu() -> float:
    """Of all processes that were begun here and have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def killed(data: Path, log: Path, options: tuple[str, ...], kills: int, lines: int) -> int:
    """Import, and kill it again and again: each time it has come some way, and a random moment later."""
    random, reader = Random(7), LakeReader(data / "lake")
    for number in range(1, kills + 1):
        process = subprocess.Popen(importing(data, log, *options), stdout=subprocess.DEVNULL)
        while process.poll() is None and _done(reader) < number * lines // (kills + 2):
            time.sleep(0.1)
        time.sleep(random.uniform(0, 2))
        assert process.poll() is None, "it ended before it was killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        holds = LakeReader(data / "lake").sums().holds
        say(f"killed: {_done(reader):,} lines are in, the sums hold: {holds}")
        assert holds
    once(data, log, *options)
    return kills


def _done(reader: LakeReader) -> int:
    """Lines that are in."""
    return sum(each.position for each in reader.progress().values())


def check(one: Path, other: Path, lines: int) -> None:
    """Each line once in both, and the same."""
    for name in ("events", "rejects"):
        here, there = (rows(data, name) for data in (one, other))
        for found in (here, there):
            assert len(found["hit_id"].unique()) == found.num_rows, f"{name} has rows twice"
        assert people_apart(here).equals(people_apart(there)), f"{name} differ"
    for data in (one, other):
        sums = LakeReader(data / "lake").sums()
        assert sums.holds
        assert sums.outcomes == sum(each.position for each in sums.progress.values()) == lines


def people_apart(found: pa.Table) -> pa.Table:
    """Without what tells people apart."""
    return found.drop_columns([name for name in COLUMNS if name in found.column_names])


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000, help="of the log; default: a million")
    parser.add_argument("--kills", type=int, default=10, help="default: 10")
    options = parser.parse_args()
    print(describe(), flush=True)
    with scratch() as folder:
        log, how = folder / "access.log", ("--format", "combined", "--site", "shop.example")
        weblog.write(log, options.lines)
        say(f"a log of {options.lines:,} lines, {log.stat().st_size / 1e6:,.0f} MB")
        whole = once(folder / "whole", log, *how)
        say(f"at one go: {whole}")
        began, cpu = time.perf_counter(), _cpu()
        kills = killed(folder / "killed", log, how, options.kills, options.lines)
        spent, cpu = time.perf_counter() - began, _cpu() - cpu
        check(folder / "whole", folder / "killed", options.lines)
        results = [
            row("log, at one go", options.lines, float(whole["seconds"]), whole["cpu"]),
            row(f"log, killed {kills} times", options.lines, spent, cpu),
            *back(folder),
        ]
        table("Imports and an export; each line once", ["what", "lines", "lines/s", "CPU µs/line"], results)


def back(folder: Path) -> list[list[str]]:
    """Export everything and import it elsewhere."""
    found = []
    for name in ("events", "rejects"):
        path, began, cpu = folder / f"{name}.ndjson", time.perf_counter(), _cpu()
        subprocess.run(command(folder / "whole", "export", "--table", name, "-o", str(path)), check=True)
        spent, cpu = time.perf_counter() - began, _cpu() - cpu
        told = once(folder / "copy", path, "--format", "ndjson")
        assert rows(folder / "copy", name).equals(rows(folder / "whole", name)), f"{name} differ"
        found.append(row(f"{name}, exported", int(told["lines"]), spent, cpu))
        found.append(row(f"{name}, imported", int(told["lines"]), float(told["seconds"]), told["cpu"]))
    return found


def row(what: str, lines: int, seconds: float, cpu: float) -> list[str]:
    """A row of the table."""
    return [what, f"{lines:,}", f"{lines / seconds:,.0f}", f"{cpu / lines * 1e6:.0f}"]


if __name__ == "__main__":
    main()
