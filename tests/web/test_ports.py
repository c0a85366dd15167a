"""A whole server: the pixel's port serves nothing of the dashboard, and a command ends a session that is open."""

import subprocess
import sys
import time

import httpx

from tests.running import running
from tests.web.browser import PASSWORD, Browser

PATHS = (
    "/login",
    "/account",
    "/live",
    "/static/tokens.css",
    "/static/door.js",
    "/api/v1/me",
    "/api/v1/pages",
    "/api/v1/users",
    "/share/x",
    "/share/x/api/v1/pages",
    "/openapi.json",
)


def _pixelake(server, *arguments, **more):
    command = [sys.executable, "-m", "pixelake", *arguments, "--data", str(server.data)]
    subprocess.run(command, check=True, capture_output=True, timeout=60, text=True, **more)


def test_two_ports_and_two_processes(tmp_path):
    """What the dashboard has, the pixel has not, whoever asks; and who is removed by a command is out in a second."""
    with running(tmp_path, "--workers", "1") as server:
        origin, _, token = server.dashboard.partition("/?token=")
        with httpx.Client(base_url=server.pixel, headers={"Authorization": f"Bearer {token}"}) as pixel:
            for path in PATHS:
                answer = pixel.get(path)
                assert answer.status_code == 404, path
                assert "set-cookie" not in answer.headers
                assert pixel.post(path, json={"user": "ann", "password": PASSWORD}).status_code in {404, 405}, path
            swapped = pixel.get("/", params={"token": token})
            assert "set-cookie" not in swapped.headers
            assert swapped.headers["content-type"] == "image/gif"
        _pixelake(server, "users", "add", "ann", input=f"{PASSWORD}\n")
        with Browser(origin) as browser:
            assert browser.login("ann").status_code == 200
            _pixelake(server, "users", "remove", "ann")
            end = time.monotonic() + 1
            while browser.get("/api/v1/me").status_code == 200:
                assert time.monotonic() < end
            assert browser.get("/api/v1/me").status_code == 401
        told = server.log
        assert "login" in told
        assert PASSWORD not in told
        assert token not in told.replace(server.dashboard, "")
