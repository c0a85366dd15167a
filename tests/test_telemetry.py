"""Tests of `pixelake.telemetry`: many processes count, one page shows the sums."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.multiprocess import MultiProcessCollector

from pixelake import telemetry

COUNT = """
import sys, pathlib
from pixelake import telemetry
telemetry.join(pathlib.Path(sys.argv[1]), sys.argv[2])
telemetry.counter("pixelake_answers_total").labels(status="200", reason="").inc(3)
telemetry.gauge("pixelake_connections").set(4)
telemetry.histogram("pixelake_commit_seconds").observe(0.003)
"""


def _count(folder: Path, process: str) -> None:
    subprocess.run([sys.executable, "-c", COUNT, str(folder), process], check=True)


def _page(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return answer.read().decode()


def test_sums_over_processes(tmp_path: Path) -> None:
    """The page shows the sum over all processes; one that is started again goes on with its numbers."""
    with telemetry.folder(tmp_path / "link") as folder:
        port = telemetry.serve(folder, "127.0.0.1", 0)
        for process in ("collect-1", "collect-2", "collect-1"):
            _count(folder, process)
        page = _page(port)
    assert 'pixelake_answers_total{reason="",status="200"} 9.0' in page
    assert "pixelake_connections 8.0" in page
    assert "pixelake_commit_seconds_count 3.0" in page


def test_what_a_kill_leaves_is_removed(tmp_path: Path) -> None:
    """A folder that was never given back is removed when the next one is made, and at the end nothing is left."""
    link = tmp_path / "run" / "link"
    left = telemetry.folder(link)
    old = left.__enter__()
    with telemetry.folder(link) as new:
        assert not old.exists()
        assert link.readlink() == new
    assert not new.exists()
    assert not link.is_symlink()


def test_a_process_that_has_not_joined(tmp_path: Path) -> None:
    """It counts in its own memory and writes no file."""
    script = COUNT.replace("telemetry.join(", "print(")
    subprocess.run([sys.executable, "-c", script, str(tmp_path), "x"], check=True, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_who_leaves_while_it_is_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends takes the files of its gauges with it: they are listed, and then not there."""
    with telemetry.folder(tmp_path / "link") as folder:
        port = telemetry.serve(folder, "127.0.0.1", 0)
        _count(folder, "collect-1")
        _count(folder, "collect-2")
        merge, left = MultiProcessCollector.merge, []

        def late(files: Sequence[str], **more: Any) -> Any:
            if not left:
                left.append(telemetry.forget(folder, "collect-2"))
            return merge(files, **more)

        monkeypatch.setattr(MultiProcessCollector, "merge", staticmethod(late))
        page = _page(port)
    assert left
    assert "pixelake_connections 4.0" in page
    assert 'pixelake_answers_total{reason="",status="200"} 6.0' in page


def test_the_documented_metrics() -> None:
    """The page has every metric, and is in step with the code."""
    page = Path(__file__).parents[1] / "docs" / "metrics.md"
    assert page.read_text(encoding="utf-8") == telemetry.as_markdown()


@pytest.mark.parametrize("metric", telemetry.METRICS.values(), ids=telemetry.METRICS)
def test_names(metric: telemetry.Metric) -> None:
    """Each is named as Prometheus wants it, and can be made as what it is."""
    assert metric.name.startswith("pixelake_")
    assert metric.help
    assert (metric.type == "counter") == metric.name.endswith("_total")
    made = {"counter": telemetry.counter, "gauge": telemetry.gauge, "histogram": telemetry.histogram}[metric.type]
    assert made(metric.name).describe()[0].type == metric.type
