"""The OpenAPI against the program as people run it: `pixelake web` over a lake with events of two sites."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
LINE = '203.0.113.{} - - [{:02}/Nov/2026:10:00:00 +0000] "GET /p{} HTTP/1.1" 200 43 "-" "Mozilla/5.0 Firefox/128.0"\n'


def _pixelake(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "pixelake", *arguments, "--data", str(folder / "data")]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=folder).stdout.strip()


@contextmanager
def _web(folder: Path) -> Iterator[str]:
    """The address of a running `pixelake web`."""
    command = [sys.executable, "-P", "-m", "pixelake", "web", "--web", "127.0.0.1:0", "--data", str(folder / "data")]
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PIXELAKE_")}
    out = folder / "out"
    with out.open("wb") as to, (folder / "err").open("wb") as err:
        process = subprocess.Popen(command, stdout=to, stderr=err, stdin=subprocess.DEVNULL, cwd=folder, env=clean)
    try:
        end = time.monotonic() + 60
        while not (found := re.search(r"^Dashboard: (http://[^/]+)/", out.read_text(), re.MULTILINE)):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        yield found[1]
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 60 events of two sites."""
    folder = tmp_path_factory.mktemp("contract")
    for site in ("a.example", "b.example"):
        (folder / "log").write_text("".join(LINE.format(n, 1 + n % 20, n % 3) for n in range(30)))
        _pixelake(folder, "import", str(folder / "log"), "--format", "combined", "--site", site, "--all")
    return folder


def test_no_request_breaks_it(lake: Path) -> None:
    """Schemathesis: no 5xx for whatever fits the OpenAPI or nearly does, and answers are as it says."""
    token = _pixelake(lake, "keys", "add", "api", "--name", "fuzz")
    with _web(lake) as address:
        httpx.get(f"{address}/openapi.json", headers={"Authorization": f"Bearer {token}"}, timeout=60)
        fuzz = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"]
        fuzz += ["--header", f"Authorization: Bearer {token}", "--exclude-path", "/api/v1/live", "--checks", CHECKS]
        fuzz += [
            "--phases",
            "examples,fuzzing",
            "--max-time",
            "20",
            "--max-examples",
            "5",
            "--seed",
            "7",
            "--no-shrink",
        ]
        fuzz += ["--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off", "--no-color"]
        found = subprocess.run(fuzz, check=False, capture_output=True, text=True, timeout=120, cwd=lake)
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr[-2000:]
    assert "No issues found" in found.stdout


def test_a_token_of_one_site_sees_no_row_of_another(lake: Path) -> None:
    """Questions, names and SQL tell nothing of the other site, and the rows of both are told apart."""
    token = _pixelake(lake, "keys", "add", "api", "--name", "one", "--site", "a.example")
    with _web(lake) as address:
        bearer = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=address, headers=bearer, timeout=60) as client:
            month = {"from": "2026-11-01", "to": "2026-12-01", "format": "rows"}
            assert client.get("/api/v1/sites", params=month).json() == [{"value": "a.example", "hits": 30}]
            assert client.get("/api/v1/overview", params=month).json()[0]["hits"] == 30
            counted = client.get("/api/v1/sql", params={"q": "select site, count(*) as n from events group by 1"})
            assert counted.json()["rows"] == [{"site": "a.example", "n": 30}]
            for path in ("pages", "newest", "hosts", "series"):
                assert "b.example" not in client.get(f"/api/v1/{path}", params=month).text
            assert "b.example" not in client.get("/api/v1/site-names").text
    _pixelake(lake, "keys", "remove", "one")
    listed = _pixelake(lake, "keys", "list", "--format", "csv").splitlines()
    assert listed[0] == "name,kind,site,created,used,revoked"
    assert all(line.split(",")[-2:] != ["", ""] for line in listed if line.startswith("one,"))
