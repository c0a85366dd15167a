"""Counters and timings of all processes of an installation, as Prometheus text; and their logs.

`METRICS` declares each one once. Whoever counts asks for it by name, once, and
keeps what it gets, because the look-up costs more than the counting::

    kept = telemetry.counter("pixelake_answers_total").labels(status="200", reason="")
    kept.inc(len(group))                 # once a group, not once a hit
    telemetry.histogram("pixelake_commit_seconds").observe(seconds)

A child of the supervisor calls `join` before anything counts: from then on its
numbers live in mapped files of that folder, which `serve` adds up and which
outlive a kill. A process that has not joined counts in its own memory.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_PREFIX: Final = "pixelake-metrics-"
_LOOKS: Final = 10
_MEMORY: Final = "/dev/shm"  # noqa: S108 - a folder with a random name is made in it
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metric(NamedTuple):
    """One metric: its name, what it means, its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


METRICS: Final = {
    metric.name: metric
    for metric in (
        Metric(
            "pixelake_answers_total",
            "Answers of the collector; the reason of a refusal is the one in X-Pixelake",
            ("status", "reason"),
        ),
        Metric("pixelake_hits_total", "Hits that the stream has made durable"),
        Metric("pixelake_commit_seconds", "How long a group of hits took to become durable"),
        Metric("pixelake_set_aside_total", "Damaged segments of the stream that were set aside"),
        Metric("pixelake_connections", "Open connections of the collectors"),
        Metric("pixelake_waiting_hits", "Hits that wait for a commit"),
        Metric("pixelake_events_total", "Events judged by the consumer; after a crash some are judged twice"),
        Metric("pixelake_rejects_total", "Rejects judged by the consumer", ("reason",)),
        Metric("pixelake_withheld_total", "Outcomes withheld by policy, as judged by the consumer"),
        Metric("pixelake_sink_seconds", "How long a sink took to write what waited for it", ("sink",)),
        Metric("pixelake_sink_failures_total", "Writes that a sink failed and that are repeated", ("sink",)),
        Metric("pixelake_restarts_total", "Processes the supervisor started again", ("role",)),
        Metric("pixelake_reload_failures_total", "Reloads that failed, so that what was before goes on"),
    )
}
"""Every metric there is."""


def log_to_stderr(level: str) -> None:
    """Log a line of JSON each, or coloured text if a person watches. Nothing personal is ever logged."""
    pretty = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def join(folder: Path, process: str) -> None:
    """Count in files of `folder` from now on, under the name `process`.

    No two living processes of a folder may have the same name. One that is
    started again under its old name goes on with its old numbers.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    # a file a name, not a file a process id: restarts must not fill the folder
    values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]


def forget(folder: Path, process: str) -> None:
    """Nobody goes on under that name: what it measured last is no longer so. What it counted stays."""
    for path in folder.glob(f"gauge_*_{process}.db"):
        path.unlink(missing_ok=True)


@cache
def counter(name: str) -> Counter:
    """The counter of that name. It only grows."""
    declared = METRICS[name]
    return Counter(declared.name, declared.help, declared.labels, registry=None)


@cache
def gauge(name: str) -> Gauge:
    """The gauge of that name. Shown is the sum over all processes."""
    declared = METRICS[name]
    return Gauge(declared.name, declared.help, declared.labels, registry=None, multiprocess_mode="sum")


@cache
def histogram(name: str) -> Histogram:
    """The histogram of that name, in seconds."""
    declared = METRICS[name]
    return Histogram(declared.name, declared.help, declared.labels, registry=None, buckets=_SECONDS)


@contextmanager
def folder(link: Path) -> Iterator[Path]:
    """A new folder for processes to join; gone at the end.

    It lies in memory where it can, never on the disk of the data: writing to a
    mapped file on a full or broken disk kills the process. `link` is made to
    point to it, so that one which a kill has left behind is removed next time.
    """
    place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    with suppress(OSError):  # a broken disk is for others to report
        _point(link, place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):
            link.unlink()


def _point(link: Path, place: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        old = link.readlink()
        if old.name.startswith(_PREFIX):
            shutil.rmtree(old, ignore_errors=True)
        link.unlink()
    link.symlink_to(place)


class _Sums(Collector):
    """The sums over all processes; looked at again if one of them left meanwhile, and took its files with it."""

    def __init__(self, folder: Path) -> None:
        self._collector = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Any]:
        """See `prometheus_client.registry.Collector`."""
        for _ in range(_LOOKS - 1):
            with suppress(FileNotFoundError):
                return list(self._collector.collect())  # type: ignore[no-untyped-call]
        return list(self._collector.collect())  # type: ignore[no-untyped-call]


def serve(folder: Path, host: str, port: int) -> int:
    """Serve the sums over all processes that ever joined `folder`, from a thread; return the port.

    Raises:
        OSError: the address cannot be had.
    """
    registry = CollectorRegistry(support_collectors_without_names=True)
    registry.register(_Sums(folder))
    server, _ = start_http_server(port, host, registry)
    return int(server.server_port)
