"""The server, as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

PROGRAM = """
import socket, sys
sys.path.insert(0, sys.argv[2])
from tests.web.house import CountedQuestions, MemoryLake, MemoryLive, MemoryRegistry, sources
from pixelake.web.api import create
from pixelake.web.server import run
parts = CountedQuestions(), MemoryLake(), MemoryLive(), MemoryRegistry()
run(create(sources(*parts)), [socket.socket(fileno=int(sys.argv[1]))])
print("drained")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(number):
    """On SIGTERM or Ctrl-C the server ends open feeds and returns within 2 s, with exit status 0."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        fd = listening.fileno()
        os.set_inheritable(fd, True)
        command = [sys.executable, "-c", PROGRAM, str(fd), str(Path(__file__).parents[2])]
        with subprocess.Popen(command, pass_fds=[fd], stdout=subprocess.PIPE, text=True) as process:
            bearer = {"Authorization": "Bearer the-token-of-these-tests"}
            with httpx.stream("GET", address + "/api/v1/live", headers=bearer, timeout=20) as feed:
                next(feed.iter_raw())
                began = time.monotonic()
                process.send_signal(number)
                output, _ = process.communicate(timeout=10)
                seconds = time.monotonic() - began
    assert (process.returncode, output) == (0, "drained\n")
    assert seconds < 2
