"""What holds for all tests."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from tests.long import NAMES

if TYPE_CHECKING:
    from tests.s3 import Server

# A time limit for each example fails on busy machines, and on the first example, which loads what is loaded once.
settings.register_profile("pixelake", deadline=None)
settings.load_profile("pixelake")

INSTALLED = str(Path(__file__).parent / "installed")
FIRST = (
    "tests/crash/",
    "tests/test_lakes.py",
    "tests/browser/",
    "tests/properties/",
    "tests/operate/",
    "tests/web/",
    "tests/warehouse/",
    "tests/aws/",
    "tests/test_queues.py",
)
"""Their files take longest: a worker that begins one of them last leaves the others with nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest first, those of a kind apart: several browsers at once only slow each other down."""
    for item in items:
        if item.nodeid in NAMES:
            item.add_marker(pytest.mark.long)
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[bool, int]:
    file = item.nodeid.partition("::")[0]
    return not file.startswith(FIRST), zlib.crc32(file.encode())


@pytest.fixture(scope="session", autouse=True)
def installed() -> Iterator[None]:
    """Processes that tests start begin as those of an installation do: see `tests/installed`.

    Their code is compiled once: for each anew that is a third of what tests of `serve` take.
    """
    before = os.environ.get("PYTHONPATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [INSTALLED, before])))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Whoever says where the log goes, as the handler of a function may, says it for one test."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Server"]:
    """An S3 server that checks signatures and keeps what it holds when it is killed."""
    from tests.s3 import served

    with served("seaweedfs", tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Server"]:
    """An S3 server of another make."""
    from tests.s3 import served

    with served("moto", tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(params=["seaweedfs", "moto"])
def s3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "Server":
    """Each S3 server; this process reaches it."""
    from tests.s3 import reached

    server: Server = request.getfixturevalue(request.param)
    reached(monkeypatch, server.environment)
    return server


@pytest.fixture
def dynamodb(moto: "Server", monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a new, empty table of DynamoDB; this process reaches it."""
    from tests.dynamodb import new_table
    from tests.s3 import reached

    reached(monkeypatch, moto.environment)
    return new_table()
