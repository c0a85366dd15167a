"""The log tells nothing personal, whatever is sent; and a defect tells what and where, not of whom."""

import json
import logging
import secrets
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest

from pixelake.errors import LakeUnavailable
from pixelake.telemetry import told
from tests.running import Running, running

ADDRESS = "198.51.100.77"
PERSON = "q" + secrets.token_hex(9)
"""Stands in every place that a client fills."""


def _ask(url: str, body: bytes | None = None, **headers: str) -> None:
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    with suppress(HTTPError), urlopen(Request(url, body, sent), timeout=10) as answer:
        answer.read()


def _send(url: str, data: bytes) -> None:
    """Bytes as they are, which need not be HTTP."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while client.recv(4_096):
                pass


def _odd_hits(server: Running) -> None:
    who = quote(PERSON)
    headers = {
        "Cookie": f"id={PERSON}",
        "Authorization": f"Bearer {PERSON}",
        "User-Agent": f"Mozilla/5.0 ({PERSON})",
        "Referer": f"https://a.example/{PERSON}?u={PERSON}",
        "Accept-Language": PERSON,
        "X-Forwarded-For": ADDRESS,
        "Forwarded": f"for={ADDRESS}",
        "X-Real-IP": ADDRESS,
        "Sec-CH-UA": PERSON,
    }
    url = server.pixel
    for target in (
        f"/pixel.gif?user={who}&site=a.example",
        f"/pixel.gif?site={who}.example&user={who}&value={who}&currency={who}",
        f"/pixel.gif?site={who}%00%0a&event_id={who}&user=%ff%fe{who}",
        f"/badge.svg?site={who}&label={who}",
        f"/nothing/{who}?user={who}",
        f"/r?to={who}",
        f"/pixel.gif?site=a.example&{who}={'x' * 70_000}",
    ):
        with suppress(OSError):
            _ask(url + target, None, **headers)
    for body in (
        b'{"user": "%b", "value": "much"' % PERSON.encode(),
        b'[{"user": "%b", "properties": {"%b": 1e999}}, 7, "%b"]' % ((PERSON.encode(),) * 3),
        b"\xff\xfe" + PERSON.encode(),
        b'{"site": "a.example", "event_id": {"%b": 1}}' % PERSON.encode(),
    ):
        _ask(f"{url}/events?user={who}", body, **headers | {"Content-Type": f"application/json; x={PERSON}"})
        _ask(f"{url}/events", body, **headers | {"Content-Encoding": "gzip"})
    raw = PERSON.encode()
    for data in (
        b"GET /pixel.gif?user=" + raw + b" HTTP/9.9\r\n\r\n",
        b"G\0T /" + raw + b"\r\n\r\n",
        b"POST /events HTTP/1.1\r\nHost: " + raw + b"\r\nContent-Length: -1\r\n\r\n" + raw,
        b"POST /events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz" + raw + b"\r\n",
        b"\x16\x03\x01" + raw,
    ):
        _send(url, data)


def _odd_questions(server: Running) -> None:
    parts = urlsplit(server.dashboard)
    root = f"{parts.scheme}://{parts.netloc}"
    bearer = {"Authorization": f"Bearer {parts.query.removeprefix('token=')}"}
    for path in (
        f"/?token={PERSON}",
        f"/api/v1/pages?site={PERSON}",
        f"/api/v1/pages?{PERSON}=1",
        f"/api/v1/series?from={PERSON}",
        f"/api/v1/series?site={PERSON}&step={PERSON}",
        f"/api/v1/sites?search={PERSON}",
        f"/{PERSON}",
        f"/static/..%2f{PERSON}",
    ):
        _ask(root + path, None, **bearer)
        _ask(root + path, None, Cookie=f"a={PERSON}", Host=f"{PERSON}.example")
    _send(root, b"GET /?user=" + PERSON.encode() + b" HTTP/1.1\r\nHost: \0\r\n\r\n")
    _send(root, PERSON.encode() + b"\r\n\r\n")


def test_nothing_personal(tmp_path: Path) -> None:
    """Neither what people are called nor where they are is in a log at its most talkative; nor is the token.

    Every line is JSON.
    """
    with running(tmp_path, "--log-level", "debug", "--live-window", "0.1", "--lake-window", "0.2") as server:
        _odd_hits(server)
        _odd_questions(server)
        server.until(lambda: "settled" if _settled(server) else None)
        token = urlsplit(server.dashboard).query.removeprefix("token=")
    log = server.log
    for secret in (PERSON, PERSON[1:], quote(PERSON), ADDRESS, "198.51.100", token):
        assert secret not in log, [line for line in log.splitlines() if secret in line]
    assert [json.loads(line)["event"] for line in log.splitlines()]


def _settled(server: Running) -> bool:
    command = [sys.executable, "-P", "-m", "pixelake", "status", "--json", "--data", str(server.data)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return bool(found["in_stream"] == 0 and found["rejected"] > 5 and found["in_lake"] > 0)


DEFECT = """
import asyncio, logging, sys, threading
from pixelake import telemetry
telemetry.log_to_stderr("info")
telemetry.log_defects()

def fail(who):
    raise ValueError(f"cannot convert {who}")

thread = threading.Thread(target=fail, args=(sys.argv[1],), name="feed-lake")
thread.start()
thread.join()

async def main():
    asyncio.get_running_loop().call_soon(fail, sys.argv[1])
    await asyncio.sleep(0)

asyncio.run(main())
logging.getLogger("library").warning("that is odd\\nvery odd")
fail(sys.argv[1])
"""


def test_a_defect() -> None:
    """An error that nobody catches is a line that tells what it is and where it was, and nothing of its values."""
    result = subprocess.run(
        [sys.executable, "-c", DEFECT, PERSON], capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode == 1
    assert PERSON not in result.stderr
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "a defect",
        "Exception in callback fail(...)",
        "that is odd",
        "a defect",
    ]
    assert lines[0]["thread"] == "feed-lake"
    assert lines[3]["error"].startswith("ValueError at ")
    assert lines[3]["where"][-1].endswith("in fail")


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


TOLD = {
    "our own": (LakeUnavailable("the lake is away"), "the lake is away"),
    "the system's": (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    "one without words": (RuntimeError(), "RuntimeError"),
}


@pytest.mark.parametrize(("error", "text"), TOLD.values(), ids=TOLD)
def test_what_an_error_says(error: Exception, text: str) -> None:
    """What cannot quote a value is told as it is."""
    assert told(_raised(error)) == text


@pytest.mark.parametrize(
    "error", [ValueError(PERSON), KeyError(PERSON), TypeError(PERSON)], ids=lambda error: type(error).__name__
)
def test_what_an_error_does_not_say(error: Exception) -> None:
    """What may quote a value is told by its kind and place."""
    assert told(_raised(error)).startswith(f"{type(error).__name__} at tests/test_logs.py:")


def test_the_handler_of_libraries_is_not_ours_here() -> None:
    """Only roles take over what libraries log: who imports us keeps their own logging."""
    assert not [each for each in logging.getLogger().handlers if type(each).__module__ == "pixelake.telemetry"]
