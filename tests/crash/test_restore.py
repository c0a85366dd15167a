"""Folders that are wiped, or put back from a copy: nothing new is taken for old, and nothing old for new."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.campaign import Server, settle


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is not running yet."""
    made = Server(tmp_path / "data", tmp_path / "log")
    yield made
    made.kill_all()


def send(server: Server, start: int, count: int) -> None:
    """Hits with these numbers as event ids, each answered 200."""
    deadline = time.monotonic() + 30
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", server.port))
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with client:
        client.settimeout(10)
        for number in range(start, start + count):
            client.sendall(f"GET /pixel.gif?site=s.example&event_id={number} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert client.recv(4_096).startswith(b"HTTP/1.1 200 ")


def in_lake(server: Server) -> list[int]:
    """The numbers of all events in the lake, once everything is settled; no `hit_id` may be there twice."""
    settle(server)
    rows = json.loads(server.ask("sql", "select event_id, hit_id from events", "--format", "json"))
    assert len({row["hit_id"] for row in rows}) == len(rows)
    status = server.status()
    assert status["accepted"] == status["in_stream"] + status["settled"]
    assert status["outcomes"] == status["in_lake"] + status["rejected"] + status["withheld"] + status["removed"]
    return sorted(int(row["event_id"]) for row in rows)


def test_a_wiped_stream(server: Server) -> None:
    """New hits are all in the lake, although the lake remembers higher positions."""
    server.start()
    send(server, 0, 50)
    assert in_lake(server) == list(range(50))
    server.stop()
    shutil.rmtree(server.data / "stream")
    server.start()
    send(server, 50, 20)
    assert in_lake(server) == list(range(70))
    assert server.status()["accepted"] == 70


def test_a_restored_stream(server: Server, tmp_path: Path) -> None:
    """What the copy still holds is in the lake once, and new hits are not taken for those that came after the copy."""
    server.start()
    send(server, 0, 30)
    settle(server)
    shutil.copytree(server.data / "stream", tmp_path / "copy")
    send(server, 30, 30)
    assert in_lake(server) == list(range(60))
    server.stop()
    shutil.rmtree(server.data / "stream")
    shutil.copytree(tmp_path / "copy", server.data / "stream")
    server.start()
    send(server, 60, 40)
    assert in_lake(server) == list(range(100))


def test_a_restored_lake(server: Server, tmp_path: Path) -> None:
    """An older lake gets from the stream what it lacks, once."""
    server.start()
    send(server, 0, 30)
    settle(server)
    server.stop()
    shutil.copytree(server.data / "lake", tmp_path / "copy")
    server.start()
    send(server, 30, 30)
    settle(server)
    server.stop()
    shutil.rmtree(server.data / "lake")
    shutil.copytree(tmp_path / "copy", server.data / "lake")
    server.start()
    send(server, 60, 5)
    assert in_lake(server) == list(range(65))


def test_a_wiped_lake_and_live_store(server: Server) -> None:
    """All that the stream holds comes again, once."""
    server.start()
    send(server, 0, 30)
    settle(server)
    server.stop()
    shutil.rmtree(server.data / "lake")
    shutil.rmtree(server.data / "live")
    server.start()
    send(server, 30, 5)
    assert in_lake(server) == list(range(35))
