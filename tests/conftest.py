"""What holds for all tests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.s3 import Server

# A time limit for each example fails on busy machines, and on the first example, which loads what is loaded once.
settings.register_profile("pixelake", deadline=None)
settings.load_profile("pixelake")


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
