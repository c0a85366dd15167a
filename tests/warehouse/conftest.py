"""Where the lakes of these tests are."""

from pathlib import Path

import pytest

from pixelake.warehouse.place import Place
from tests.s3 import Server, reached


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lake on a disk."""
    return tmp_path / "lake"


@pytest.fixture(params=["disk", "seaweedfs"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A lake on a disk, and one in a bucket."""
    if request.param == "disk":
        return tmp_path / "lake"
    server: Server = request.getfixturevalue(request.param)
    reached(monkeypatch, server.environment)
    from pixelake.warehouse import objects

    return objects.lake(server.bucket(), "a/lake")
