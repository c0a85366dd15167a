"""The arrows of the house: which module may import which. The tree in `pixelake.__init__` says why."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pixelake

SOURCE = Path(pixelake.__file__).parent

LAYERS = (
    ("settings", "errors", "telemetry", "clock", "disk", "cache", "address", "machine"),
    ("hit", "hit_json", "event", "reject"),
    ("dialects",),
    ("stream", "registry"),
    ("warehouse",),
    ("web", "collect", "transform"),
    ("operate",),
    ("build", "supervise"),
    ("aws",),
    ("cli",),
    ("__main__",),
)
"""From the bottom up. A module sees those below it; and its own folder."""

RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

ONLY = {
    "collect": ("stream.base", "registry.base", "dialects"),
    "transform": ("stream.base", "warehouse.base", "warehouse.schema", "registry.base", "dialects"),
}
"""Of the stages and engines, these folders see only so much: an interface, never a backend."""

FORBIDDEN = {
    "stream": ("event",),
    "warehouse": ("hit",),
    "collect": ("pyarrow", "duckdb", "deltalake"),
}
"""What a folder must not know, although it lies below or outside."""

LOWEST_OF_WAREHOUSE = ("warehouse.base", "warehouse.schema")
TESTING_IS_FOR = ("operate.demo", "operate.demo_past", "operate.demo_world")
"""Who may import `testing`, beside tests."""


def _modules(source: Path) -> dict[str, ast.Module]:
    """Dotted name below pixelake -> its syntax tree."""
    found = {}
    for path in source.rglob("*.py"):
        parts = path.relative_to(source).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def _imports(module: str, tree: ast.Module, known: set[str]) -> Iterator[str]:
    """What a module imports: names below pixelake as ``.name``, others as they are. Also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _local(alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide the arrows"
            base = _local(node.module or "")
            for alias in node.names:
                inner = f"{base.rstrip('.')}.{alias.name}"
                yield inner if inner.removeprefix(".") in known else base


def _local(name: str) -> str:
    if name == "pixelake":
        return "."
    return "." + name.removeprefix("pixelake.") if name.startswith("pixelake.") else name


def _forbidden(module: str, target: str) -> str:
    folder = _folder(module)
    return f"{folder} must not know it" if _folder(target.removeprefix(".")) in FORBIDDEN.get(folder, ()) else ""


def _test_only(module: str, target: str) -> str:
    wrong = target == ".testing" and module not in ("testing", *TESTING_IS_FOR)
    return "only tests and the demo import testing" if wrong else ""


def _warehouse_from_below(module: str, target: str) -> str:
    wrong = module in LOWEST_OF_WAREHOUSE and target.startswith(".warehouse.") and target[1:] not in LOWEST_OF_WAREHOUSE
    return "base and schema are the lowest of the warehouse" if wrong else ""


def _upward(module: str, target: str) -> str:
    here, there = _folder(module), _folder(target[1:])
    if not target.startswith(".") or here == there or "testing" in (here, there) or not there or not here:
        return ""
    if here not in RANK or there not in RANK:
        return "it is in no layer"
    if RANK[there] == RANK[here] and RANK[here] >= RANK["stream"]:
        return "neighbours do not know each other"
    return "it points upward" if RANK[there] > RANK[here] else ""


def _more_than_an_interface(module: str, target: str) -> str:
    allowed = ONLY.get(_folder(module), ())
    wrong = (
        allowed and _folder(target[1:]) in ("stream", "registry", "warehouse") and not target[1:].startswith(allowed)
    )
    return f"{_folder(module)} sees only {', '.join(allowed)}" if wrong else ""


def _folder(module: str) -> str:
    return module.partition(".")[0]


RULES = (_forbidden, _test_only, _warehouse_from_below, _upward, _more_than_an_interface)
"""Each says why a module must not import a target, or nothing."""


def violations(source: Path) -> list[str]:
    """Every arrow that points the wrong way, as ``importer -> imported: why``."""
    modules = _modules(source)
    return [
        f"{module} -> {target}: {why}"
        for module, tree in modules.items()
        for target in _imports(module, tree, set(modules))
        if (why := next(filter(None, (rule(module, target) for rule in RULES)), ""))
    ]


def test_imports_point_downward() -> None:
    """Every import in the tree points to a lower layer, or stays in its folder."""
    assert violations(SOURCE) == []


def test_no_import_cycles() -> None:
    """No module imports itself by way of others."""
    modules = _modules(SOURCE)
    graph = {
        module: {target[1:] for target in _imports(module, tree, set(modules)) if target.startswith(".")} - {"", module}
        for module, tree in modules.items()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"an import cycle: {' -> '.join(error.args[1])}")


REVERSED = {
    "up": ("stream/base.py", "from pixelake.warehouse.base import Outcome", "it points upward"),
    "up, inside a function": ("clock.py", "def f():\n    import pixelake.collect.pixel", "it points upward"),
    "a function seen from below": ("operate/status.py", "from pixelake.aws import gateway", "it points upward"),
    "a backend seen by collect": (
        "collect/pixel.py",
        "from pixelake.stream.sqlite import SqliteWriter",
        "collect sees only",
    ),
    "a backend seen by transform": (
        "transform/rules.py",
        "from pixelake.warehouse import lake",
        "transform sees only",
    ),
    "an engine in collect": ("collect/pixel.py", "import pyarrow as pa", "collect must not know it"),
    "a stream that knows events": ("stream/base.py", "from pixelake.event import FIELDS", "stream must not know it"),
    "a warehouse that knows hits": ("warehouse/schema.py", "from pixelake import hit", "warehouse must not know it"),
    "testing in earnest": ("stream/base.py", "from pixelake.testing import FakeClock", "only tests"),
    "stages that know each other": ("web/api.py", "from pixelake.collect import pixel", "neighbours"),
    "the schema on the lake": ("warehouse/schema.py", "from pixelake.warehouse import lake", "base and schema"),
}


@pytest.mark.parametrize(("file", "line", "why"), REVERSED.values(), ids=REVERSED.keys())
def test_a_reversed_arrow_is_found(tmp_path: Path, file: str, line: str, why: str) -> None:
    """A copy of the tree with one wrong import fails, for that reason and no other."""
    tree = tmp_path / "pixelake"
    shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns("__pycache__", "static"))
    path = tree / file
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    added = [found for found in violations(tree) if found not in violations(SOURCE)]
    assert len(added) == 1
    assert why in added[0]


def _loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh process has loaded after `statement`."""
    script = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


COLLECTOR = """
import pixelake.cli
from pixelake import build
from pixelake.collect import worker
from pixelake.settings import Settings
build.writer(Settings()), build.dialects(Settings())
"""


def test_the_collector_loads_no_analytics() -> None:
    """A collector process has no pyarrow, no duckdb and no web framework, by whatever way."""
    loaded = _loaded_by(COLLECTOR)
    assert "httptools" in loaded
    assert not loaded & {"pyarrow", "duckdb", "deltalake", "fastapi", "uvicorn", "ua_parser"}


def test_the_command_line_loads_only_what_it_needs() -> None:
    """Importing the command line loads no engine: a misspelt flag is answered at once."""
    assert not _loaded_by("import pixelake.cli") & {"pyarrow", "duckdb", "deltalake", "fastapi", "uvicorn"}
