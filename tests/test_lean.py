"""What each process of `serve` holds in memory, and who gives way to whom: the smallest machine has one gigabyte."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import pytest

from pixelake.warehouse import sql_apart
from pixelake.warehouse.lake import Lake
from tests.running import Running, running
from tests.warehouse.outcomes import event, outcome

MB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A `serve` whose sinks are open."""
    with running(tmp_path_factory.mktemp("lean"), "--workers", "1") as found:
        found.metrics(until="pixelake_sink_lag_seconds{")
        yield found


def _processes(server: Running) -> Mapping[str, int]:
    """Role -> number."""
    link = next((server.data / "run").glob("*"))
    supervisor = int((link / "supervisor.pid").read_text())
    children = map(int, Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split())
    roles = {Path(f"/proc/{each}/cmdline").read_text().split("\0")[4]: each for each in children}
    return {"supervisor": supervisor, **roles}


HEAVY = {
    "supervisor": ("pyarrow", "duckdb", "deltalake", "jsonschema_rs", "pydantic"),
    "collect": ("pyarrow", "duckdb", "deltalake", "jsonschema_rs", "pydantic"),
    "consume": ("duckdb", "pydantic"),
    "web": ("duckdb",),
}


@pytest.mark.parametrize(("role", "libraries"), HEAVY.items(), ids=HEAVY)
def test_what_is_not_loaded(server: Running, role: str, libraries: tuple[str, ...]) -> None:
    """A process loads only what it runs: what settings are checked with is gone from the supervisor by now."""
    loaded = Path(f"/proc/{_processes(server)[role]}/maps").read_text()
    assert not [name for name in libraries if f"/{name}" in loaded]


def test_idle_memory(server: Running) -> None:
    """All processes together hold 350 MB at most; what they share is counted once (PSS)."""
    sizes = {}
    for role, process in _processes(server).items():
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
        assert found
        sizes[role] = int(found[1]) >> 10
    assert 100 < sum(sizes.values()) <= 350, sizes


def test_who_gives_way(server: Running) -> None:
    """The consumer and the dashboard are nicer than a collector, and die before it when the memory is out."""
    found = _processes(server)
    nice = {role: os.getpriority(os.PRIO_PROCESS, process) for role, process in found.items()}
    score = {role: int(Path(f"/proc/{process}/oom_score_adj").read_text()) for role, process in found.items()}
    for value in (nice, score):
        assert value["supervisor"] == value["collect"] < value["consume"] < value["web"]


def test_sql_loads_no_pandas(tmp_path: Path) -> None:
    """Where it is installed, too: a query is a process, and DuckDB would take it in, which is half of its time."""
    Lake(tmp_path).write(outcome([event("a", 1)]))
    query = "select site from events where site = 'shop'"
    told = sql_apart.Request((str(tmp_path),), 10.0, "200MB", 1, None, (), {}, query, None, 9, MB)
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-P", "-m", sql_apart.__name__],
        input=msgspec.json.encode(told),
        capture_output=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        check=True,
    )
    assert found.stdout.startswith(msgspec.json.encode(sql_apart.Head()))
    loaded = {line.rpartition("|")[2].strip() for line in found.stderr.decode().splitlines()}
    assert "duckdb" in loaded
    assert not {name for name in loaded if name.startswith("pandas.")}  # only its name is asked for


def test_the_dashboard_opens_the_lake_when_it_is_asked(tmp_path: Path) -> None:
    """Then what a question needs is there, and it may spill to the disk of the data, and nowhere else."""
    with running(tmp_path) as asked:
        token = asked.dashboard.rpartition("token=")[2]
        url = asked.dashboard.partition("/?")[0] + "/api/v1/overview"
        with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=30) as answer:
            assert answer.status == 200
        assert "duckdb" in Path(f"/proc/{_processes(asked)['web']}/maps").read_text()
        assert len(list((asked.data / "spill").iterdir())) == 1
