"""Tests of `pixelake.operate.screen`: what somebody sees who watches."""

import io
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pixelake.clock import SECOND
from pixelake.errors import LakeUnavailable
from pixelake.operate.notices import Notice
from pixelake.operate.screen import Look, lines, look, watch
from pixelake.operate.status import Status
from pixelake.registry.base import Maintained
from pixelake.telemetry import Sample
from pixelake.testing import FakeClock
from tests.running import running

FOUND = Status(
    accepted=1_000,
    in_stream=10,
    settled=990,
    outcomes=990,
    in_lake=980,
    rejected=10,
    withheld=0,
    removed=0,
    lag_seconds=1.5,
    oldest_hit_age_seconds=60.0,
    missed=0,
    damaged=[],
    set_aside=[],
)
DATA = Path("pixelake-data")
CLOCK = FakeClock()


def _answers(good: float, refused: float) -> list[Sample]:
    return [
        Sample("pixelake_answers_total", {"status": "200", "reason": ""}, good),
        Sample("pixelake_answers_total", {"status": "503", "reason": "disk"}, refused),
    ]


def _line(found: list[str], name: str) -> str:
    return next(line for line in found if line.strip().startswith(name))


def test_rates() -> None:
    """What came, was settled and was refused since the look before, by the second."""
    before = Look(100.0, DATA, FOUND, counted=_answers(500, 0))
    after = Look(104.0, DATA, replace(FOUND, accepted=1_100, settled=1_070), counted=_answers(700, 2))
    found = list(lines(after, before))
    assert _line(found, "rate").split() == ["rate", "25.0", "hits/s", "accepted,", "20.0", "settled"]
    assert _line(found, "answers").split() == ["answers", "200", "50.0/s,", "503", "disk", "0.5/s"]
    assert not any(line.strip().startswith(("rate", "answers")) for line in lines(before))


def test_a_restart_is_no_negative_rate() -> None:
    """Counters that begin anew, and a wiped stream, show no nonsense."""
    before = Look(100.0, DATA, FOUND, counted=_answers(500, 5))
    found = list(lines(Look(102.0, DATA, replace(FOUND, accepted=0, settled=0), counted=_answers(3, 0)), before))
    assert not [line for line in found if "-" in line and "rate" in line]
    assert not [line for line in found if line.strip().startswith("answers")]


def test_sinks_memory_disk() -> None:
    """How far each sink is and which one catches up, what each role holds, what is free."""
    counted = [
        Sample("pixelake_sink_lag_seconds", {"sink": "lake"}, 3.25),
        Sample("pixelake_sink_lag_seconds", {"sink": "live"}, 0.5),
        Sample("pixelake_sink_detached", {"sink": "lake"}, 1.0),
        Sample("pixelake_sink_detached", {"sink": "live"}, 0.0),
    ]
    resident = {"collect": 46_000_000, "consume": 140_000_000}
    found = list(lines(Look(1.0, DATA, FOUND, "", counted, resident, 5 * 10**9, 8 * 10**9)))
    assert " ".join(_line(found, "sinks").split()) == "sinks behind: lake 3.2 s, live 0.5 s; catching up: lake"
    assert _line(found, "memory").split() == ["memory", "186", "MB:", "collect", "46,", "consume", "140"]
    assert "5.0 of 8.0 GB free" in _line(found, "disk")


def test_maintenance() -> None:
    """When each task last came to a good end; one that never did says so, one that failed is told in red."""
    runs = [
        Maintained("compact", 0, 1, "", "", succeeded=CLOCK.now() - 65 * SECOND),
        Maintained("retain", 0, 1, "", "", succeeded=CLOCK.now() - 50 * 3_600 * SECOND),
        Maintained("vacuum", 0, 1, "", "the disk is full"),
        Maintained("salts", 0, 1, "", "", succeeded=CLOCK.now() + SECOND),
    ]
    found = list(lines(Look(1.0, DATA, replace(FOUND, maintenance=runs), wall=CLOCK.now())))
    upkeep = " ".join(_line(found, "upkeep").split())
    assert upkeep == "upkeep compact 1 min ago, retain 2 d ago, vacuum never, salts 0 s ago"
    assert "! maintenance: vacuum failed: the disk is full" in found


def test_hostile_text() -> None:
    """Names and notices move no cursor, and colour nothing."""
    notice = Notice("error", "x", "proxy \x1b[2J\u202e\r\n\x07 here", "")
    hostile = replace(FOUND, notices=[notice], damaged=["/data/\x1b]0;title\x07.parquet"])
    text = "".join(lines(Look(1.0, Path("data\x1b[31m"), hostile)))
    assert not [c for c in text if not c.isprintable()]
    assert "\\x1b[2J\\u202e" in text


def test_the_lake_is_away(tmp_path: Path) -> None:
    """No zeros stand in for what is not known: the error does, and the rest goes on."""

    def away() -> Status:
        raise LakeUnavailable("the lake is gone; 7 hits wait", "mount it")

    found = list(lines(look(tmp_path, away, FakeClock())))
    assert "! the lake is gone; 7 hits wait (mount it)" in found
    assert not [line for line in found if "settled" in line or "accepted" in line]
    assert _line(found, "disk")


def test_watching() -> None:
    """It looks again and again until Ctrl-C, which is no error and leaves the last look on the screen."""
    looks = iter([Look(1.0, DATA, FOUND), Look(3.0, DATA, replace(FOUND, accepted=1_020, in_stream=30))])
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    out = io.StringIO()
    watch(lambda: next(looks), Console(file=out, force_terminal=True, width=120), 2.0, pause)
    assert pauses == [2.0, 2.0]
    assert "1,020 accepted" in out.getvalue()
    assert "10.0 hits/s" in out.getvalue()


@pytest.mark.parametrize("once", [True, False])
def test_on_a_terminal(tmp_path: Path, once: bool) -> None:
    """Beside a running server it shows the sums, its sinks and its memory; it ends by itself or with Ctrl-C: exit 0."""
    with running(tmp_path) as server:
        server.metrics(until="pixelake_sink_lag_seconds{")
        ours, theirs = pty.openpty()
        command = [sys.executable, "-P", "-m", "pixelake", "status", "--data", str(server.data), *["--once"] * once]
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        shown, deadline = "", time.monotonic() + 30
        interrupted = False
        while time.monotonic() < deadline:
            try:
                shown += os.read(ours, 65_536).decode(errors="replace")
            except OSError:  # the other end is closed
                break
            if not once and not interrupted and "Ctrl-C" in shown and "memory" in shown:
                process.send_signal(signal.SIGINT)
                interrupted = True
        os.close(ours)
        assert process.wait(30) == 0, shown
    for part in ("hits", "outcomes", "sinks", "memory", "supervisor", "version"):
        assert part in shown, shown
    assert "Traceback" not in shown
