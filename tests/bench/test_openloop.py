"""The open-loop generator: its timetable, what it counts, and the traffic it sends."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httptools
from openloop import percentile
from rig.traffic import WAYS, ways

SCRIPT = Path(__file__).parents[2] / "bench" / "openloop.py"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nX-Pixelake: busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def server(answers: list[bytes | float]) -> Iterator[int]:
    """A port where one connection after the other is served: these answers, then `GOOD`; a number is a pause before."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while connection.recv(65_536):
                    answer = answers.pop(0) if answers else GOOD
                    if isinstance(answer, float):
                        time.sleep(answer)
                        answer = GOOD
                    connection.sendall(answer)
                    if b"close" in answer:
                        break

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def call(port: int, *flags: str) -> dict:
    """The outcome of a run of 50 requests at 100 a second over one connection."""
    command = [sys.executable, str(SCRIPT), "--port", str(port), "--rate", "100", "--seconds", "0.5"]
    result = subprocess.run([*command, "--connections", "1", *flags], capture_output=True, check=True, timeout=60)
    return json.loads(result.stdout)


def test_those_that_had_to_wait_count_from_when_they_were_due() -> None:
    """One answer that takes 0.4 s delays the requests behind it, and that is in their latencies."""
    with server([0.4]) as port:
        outcome = call(port)
    assert outcome["answers"] == {"200": 50}
    assert outcome["max"] >= 400
    assert outcome["p50"] >= 100, "half of the 50 were due in the first 0.3 s of a silence of 0.4 s"
    assert outcome["late_max"] >= 300, "they could not be sent for want of a connection, and it says so"


def test_each_answer_is_counted_under_its_status_and_reason(tmp_path: Path) -> None:
    """A refusal is no 200, the ids of the 200s are written down, and a closed connection is opened anew."""
    answered = tmp_path / "answered"
    with server([GOOD, BUSY, GOOD, BUSY]) as port:
        outcome = call(port, "--answered", str(answered))
    assert outcome["answers"] == {"200": 48, "503 busy": 2}
    assert (outcome["sent"], outcome["broken"]) == (50, 0)
    expected = [f"{outcome['tag']}-{number}" for number in range(50) if number not in {1, 3}]
    assert answered.read_text().split() == expected


def test_a_connection_that_ends_without_an_answer_is_broken() -> None:
    """What gets no whole answer is counted, and the run goes on."""
    with server([b"HTTP/1.1 200 OK\r\nX: close"]) as port:
        outcome = call(port)
    assert (outcome["broken"], outcome["answers"]) == (1, {"200": 49})


def test_the_traffic_is_http_in_thousands_of_ways() -> None:
    """Each request parses, is of a browser's size, and differs from the others also without its event id."""
    requests = ways("127.0.0.1:1")
    seen = set()
    for number in range(WAYS):
        before, after = next(requests)
        targets: list[bytes] = []
        parser = httptools.HttpRequestParser(type("Found", (), {"on_url": lambda _, url, to=targets: to.append(url)})())
        parser.feed_data(before + b"%d" % number + after)
        assert targets
        assert targets[0].endswith(b"&event_id=%d" % number)
        assert 700 < len(before) + len(after) < 1_100
        seen.add(before + after)
    assert len(seen) == WAYS


def test_a_percentile_is_a_value_that_occurred() -> None:
    """Nearest rank, in ms."""
    values = [number / 1e3 for number in range(1, 101)]
    assert [round(percentile(values, share)) for share in (0.5, 0.99, 0.999, 1)] == [50, 99, 100, 100]
    assert percentile([0.007], 0.5) == 7
    assert percentile([], 0.5) == 0
