"""The golden data folders: one of each data version, as the program of that version left it, as text.

``tests/golden/folder/v1.ndjson``: the first line says what the program of then
told of it, each other line is a file: its path, and its bytes (zlib, base64).
They are made once and never again: from then on every later program has to start
on them. After a new data version has been introduced::

    .venv/bin/python -m tests.operate.golden v5

which runs the program that is installed; with ``PYTHONPATH``, another one.
"""

import base64
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any, Final

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "folder"
SETTLED: Final = range(20)
WAITING: Final = range(20, 30)
"""The numbers, which are event ids, of hits that were settled, and of those that were only acknowledged."""
_NOT_KEPT: Final = ("lock", "run", "spill")
QUESTION: Final = "select event_id, hit_id, duplicate, user_id, url from events order by hit_id"


def unpack(file: Path, target: Path) -> dict[str, Any]:
    """Make the folder; returns what was told of it."""
    head, *lines = file.read_text().splitlines()
    for line in lines:
        found = json.loads(line)
        path = target / found["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.decompress(base64.b64decode(found["data"])))
    told: dict[str, Any] = json.loads(head)
    return told


def pack(folder: Path, told: dict[str, Any], file: Path) -> None:
    """Keep the folder as text."""
    lines = [json.dumps(told)]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(_NOT_KEPT) and not name.endswith(".lock"):
            data = base64.b64encode(zlib.compress(path.read_bytes(), 9)).decode()
            lines.append(json.dumps({"path": name, "data": data}))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


def _make(data: Path) -> dict[str, Any]:
    """A folder with hits that are settled, among them a repeat and a reject, and hits that wait."""
    with _running("serve", data) as port:
        for number in (*SETTLED, 3):
            _send(port, f"/pixel.gif?site=s.example&event_id={number}&user=u{number}&url=https://s.example/p{number}")
        _send(port, "/pixel.gif?site=s.example&event_id=bad&value=no-number")
        _send(port, "/badge.svg?site=s.example")
        deadline = time.monotonic() + 30
        while _ask(data, "status")["in_stream"]:
            if time.monotonic() > deadline:
                raise RuntimeError("it does not settle")
            time.sleep(0.2)
    with _running("collect", data) as port:
        for number in WAITING:
            _send(port, f"/pixel.gif?site=s.example&event_id={number}&user=u{number}")
    return {"status": _ask(data, "status"), "events": _ask(data, "sql", QUESTION, "--format", "json")}


class _running:  # noqa: N801 - reads as a word
    def __init__(self, role: str, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        more = ["--workers", "1", "--lake-window", "0.5", "--web", "127.0.0.1:0"] if role == "serve" else []
        more += ["--collect", f"127.0.0.1:{self._port}", "--data", str(data)]
        self._process = subprocess.Popen([sys.executable, "-P", "-m", "pixelake", role, *more])

    def __enter__(self) -> int:
        return self._port

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


def _send(port: int, target: str) -> None:
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                if client.recv(4_096).startswith((b"HTTP/1.1 200", b"HTTP/1.1 404")):  # there was no badge once
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("it does not answer")


def _ask(data: Path, *words: str) -> Any:
    more = ["--json"] if words[0] == "status" else []
    command = [sys.executable, "-P", "-m", "pixelake", *words, *more, "--data", str(data)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


if __name__ == "__main__":
    scratch = Path(tempfile.mkdtemp())
    try:
        said = _make(scratch / "data")
        pack(scratch / "data", said, GOLDEN / f"{sys.argv[1]}.ndjson")
    finally:
        shutil.rmtree(scratch)
