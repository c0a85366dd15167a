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

import logging
import os
import re
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_PREFIX: Final = "pixelake-metrics-"
_LOOKS: Final = 10
SUPERVISOR: Final = "supervisor.pid"
"""A file in the folder that processes join: whose children they are."""
_MEMORY: Final = "/dev/shm"  # noqa: S108 - a folder with a random name is made in it
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: with its unit, in Prometheus' manner; a counter's ends in ``_total``.
        help: what it means.
        labels: what it is told apart by.
        kind: ``histogram``; else a counter by its name, or a gauge.
        over: what is shown of a gauge that several processes set: ``sum``, ``max`` or ``mostrecent``.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["", "histogram"] = ""
    over: Literal["sum", "max", "mostrecent"] = "sum"

    @property
    def type(self) -> str:
        """As Prometheus calls it: counter, gauge or histogram."""
        return self.kind or ("counter" if self.name.endswith("_total") else "gauge")


METRICS: Final = {
    metric.name: metric
    for metric in (
        Metric(
            "pixelake_answers_total",
            "Answers of the collector; the reason of a refusal is the one in X-Pixelake",
            ("status", "reason"),
        ),
        Metric("pixelake_hits_total", "Hits that the stream has made durable"),
        Metric("pixelake_commit_seconds", "How long a group of hits took to become durable", (), "histogram"),
        Metric("pixelake_set_aside_total", "Damaged segments of the stream that were set aside"),
        Metric("pixelake_connections", "Open connections of the collectors"),
        Metric("pixelake_waiting_hits", "Hits that wait for a commit"),
        Metric("pixelake_events_total", "Events judged by the consumer; after a crash some are judged twice"),
        Metric("pixelake_rejects_total", "Rejects judged by the consumer", ("reason",)),
        Metric("pixelake_withheld_total", "Outcomes withheld by policy, as judged by the consumer"),
        Metric("pixelake_sink_seconds", "How long a sink took to write what waited for it", ("sink",), "histogram"),
        Metric("pixelake_sink_failures_total", "Writes that a sink failed and that are repeated", ("sink",)),
        Metric(
            "pixelake_sink_lag_seconds",
            "Age of the oldest hit that was read and that a sink does not have yet; 0 if none waits",
            ("sink",),
            over="max",
        ),
        Metric("pixelake_sink_waiting_rows", "Rows that wait in memory for a sink", ("sink",)),
        Metric(
            "pixelake_sink_detached",
            "1 while a sink is left behind and catches up by itself, else 0",
            ("sink",),
            over="max",
        ),
        Metric(
            "pixelake_checked_timestamp_seconds",
            "When the figures below were last taken, once a minute (Unix time), or else when the consumer began; they"
            " stand still if they cannot be",
            over="max",
        ),
        Metric("pixelake_sums_off", "1 if one of both sums of `pixelake status` does not hold, else 0", over="max"),
        Metric("pixelake_lag_seconds", "Age of the oldest hit that waits for the lake; 0 if none does", over="max"),
        Metric("pixelake_unsettled_hits", "Hits that wait for the lake", over="max"),
        Metric("pixelake_lost_hits", "Hits that the stream no longer had when the lake wanted them", over="max"),
        Metric("pixelake_damaged_files", "Files of lake and stream that are missing or damaged", over="max"),
        Metric("pixelake_stream_bytes", "What the stream takes on its disk", over="max"),
        Metric("pixelake_stream_bound_bytes", "What it may take (stream_bytes); 0: no bound", over="max"),
        Metric("pixelake_disk_free_bytes", "What is free on the stream's disk", over="max"),
        Metric(
            "pixelake_disk_reserve_bytes", "Below it hits are refused with the reason `disk` (disk_reserve)", over="max"
        ),
        Metric("pixelake_salts_overdue", "Salts that should have been destroyed hours ago", over="max"),
        Metric(
            "pixelake_maintain_success_timestamp_seconds",
            "When a task of maintenance last came to a good end (Unix time)",
            ("task",),
            over="max",
        ),
        Metric("pixelake_maintain_seconds", "How long a task of maintenance last took", ("task",), over="max"),
        Metric(
            "pixelake_maintain_failing",
            "1 if the last run of a task of maintenance failed, else 0",
            ("task",),
            over="max",
        ),
        Metric(
            "pixelake_processes_resident_bytes",
            "Memory that the living processes of a role hold, as the system says",
            ("role",),
        ),
        Metric(
            "pixelake_processes_written_bytes_total",
            "What the processes of a role caused to be written to disks, as the system says: divide it by"
            " pixelake_hits_total for bytes a hit",
            ("role",),
        ),
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
            _frames,
            structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def told(error: BaseException) -> str:
    """What an error says; but where its text may hold somebody's data, only what it is and where it came from.

    Libraries quote the value they stumble over (``could not convert 'ann@example.com'``); what our own errors, the
    system's and SQLite's say names files and reasons.
    """
    if isinstance(error, _QUOTING) and not isinstance(error, OSError):
        last = traceback.extract_tb(error.__traceback__)[-1:]
        return type(error).__name__ + "".join(f" at {_where(frame)}" for frame in last)
    return str(error) or type(error).__name__


_QUOTING: Final = (ValueError, TypeError, LookupError)


def _where(frame: traceback.FrameSummary) -> str:
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} in {frame.name}"


def _frames(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """In place of a traceback: what the error is, and where it came from."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exception()
    if isinstance(error, BaseException):
        event["error"] = told(error)
        event["where"] = [_where(frame) for frame in traceback.extract_tb(error.__traceback__)]
    return event


class _Others(logging.Handler):
    """What libraries log goes the same way. asyncio quotes the arguments of a callback, and so what somebody sent."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        line = record.getMessage().partition("\n")[0]
        if record.name == "asyncio":
            line = re.sub(r"\(.*", "(...)", line)
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().log(record.levelno, line, logger=record.name, exc_info=error)


def log_defects() -> None:
    """Let an error that nobody catches end this process, or its thread, with a line of the log and no traceback.

    Libraries' warnings and errors become lines of it, too.
    """

    def defect(error: BaseException | None, **more: str) -> None:
        structlog.get_logger().error("a defect", exc_info=error, **more)

    sys.excepthook = lambda _, error, __: defect(error)
    threading.excepthook = lambda found: defect(found.exc_value, thread=found.thread.name if found.thread else "")
    logging.getLogger().addHandler(_Others(logging.WARNING))


def join(folder: Path, process: str) -> None:
    """Count in files of `folder` from now on, under the name `process`.

    No two living processes of a folder may have the same name. One that is
    started again under its old name goes on with its old numbers.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    # a file a name, not a file a process id: restarts must not fill the folder
    values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]


def joined() -> Path:
    """The folder that this process has joined.

    Raises:
        KeyError: it has joined none.
    """
    return Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])


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
    """The gauge of that name."""
    declared = METRICS[name]
    return Gauge(declared.name, declared.help, declared.labels, registry=None, multiprocess_mode=declared.over)


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


def serve(folder: Path, host: str, port: int, *more: Collector) -> int:
    """Serve the sums over all processes that ever joined `folder`, from a thread; return the port.

    Args:
        folder: what they joined.
        host: where to listen.
        port: and on which port; 0: a free one.
        more: what else is shown.

    Raises:
        OSError: the address cannot be had.
    """
    registry = CollectorRegistry(support_collectors_without_names=True)
    for collector in (_Sums(folder), *more):
        registry.register(collector)
    server, _ = start_http_server(port, host, registry)
    return int(server.server_port)


class Sample(NamedTuple):
    """One figure of a metric, and what it is told apart by."""

    name: str
    labels: Mapping[str, str]
    value: float


def read(folder: Path) -> list[Sample]:
    """What the processes of that folder have counted so far, for somebody else on this machine; nothing without any."""
    if not folder.is_dir():
        return []
    with suppress(OSError, ValueError):  # its last process ends just now
        return [
            Sample(sample.name, sample.labels, sample.value)
            for metric in _Sums(folder).collect()
            for sample in metric.samples
        ]
    return []


def as_markdown() -> str:
    """The page ``docs/metrics.md``."""
    rows = [
        f"| `{each.name}` | {each.type} | {', '.join(f'`{label}`' for label in each.labels)} | {each.help} |"
        for each in METRICS.values()
    ]
    return "\n".join([_PAGE, "| name | kind | labels | what it means |", "|---|---|---|---|", *rows, ""])


_PAGE: Final = """# Metrics

Made from `src/pixelake/telemetry.py`:
`python -c 'from pixelake import telemetry; print(telemetry.as_markdown(), end="")' > docs/metrics.md`.

`pixelake serve --metrics 127.0.0.1:9100` shows them at `/metrics`, for Prometheus, added up over all its processes.
Nothing personal is among them, and no name of a site: labels have few values. Histograms are in seconds, and have
`_bucket`, `_sum` and `_count`. Times (`_timestamp_seconds`) are Unix time.

[`deploy/prometheus/alerts.yml`](../deploy/prometheus/alerts.yml) has rules that wake somebody up, and
`alerts_test.yml` and `alerts_days_test.yml` beside it show what makes each of them fire (`promtool test rules`):

```yaml
# prometheus.yml
rule_files: [alerts.yml]
scrape_configs:
  - job_name: pixelake
    static_configs: [{ targets: ["127.0.0.1:9100"] }]
```
"""
