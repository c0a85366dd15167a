"""Deliveries of Firehose to its HTTP endpoint: what is durable, what is answered, and what is never taken."""

import gzip
import json
import socket
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pixelake import build, hit_json
from pixelake.build.records import records
from pixelake.clock import SECOND, SYSTEM
from pixelake.collect import firehose
from pixelake.collect.firehose import is_delivery
from pixelake.errors import SettingsError, StreamFull, StreamUnavailable
from pixelake.hit import UNREADABLE, Hit
from pixelake.settings import Settings, check, listed
from pixelake.stream.aggregate import pack
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.transform.feed import concat
from pixelake.transform.retry import once
from pixelake.warehouse.base import Outcome
from tests.aws.requests import sample
from tests.collect.test_protocol import Answer, Collector, answers

KEY = "a-key-of-thirty-letters-or-so-1"
ID = "ed4acda5-034f-9f42-bba1-f29aea6d7d8f"
SETTINGS = Settings(firehose_key=KEY, max_body=10_000)
AT = SYSTEM.now() // SECOND * SECOND
LOGGED = b"%d.123\t203.0.113.9\t200\tGET\tcdn.example\t%b\t%b\tFirefox\t-\tFR\n"


def line(hit_id: str = "", query: str = "site=shop", headers: bytes = b"", client: str = "203.0.113.9") -> bytes:
    """A hit as it travels."""
    return hit_json.encode(Hit.of(AT, client, client, "GET", f"/pixel.gif?{query}".encode(), headers, hit_id=hit_id))


def logged(path: bytes = b"/pixel.gif?site=shop", name: bytes = b"-") -> bytes:
    """A line of a real-time log."""
    return LOGGED % (AT // SECOND, path, name)


def body(*data: bytes, request: str = ID, **more: Any) -> bytes:
    """What Firehose sends."""
    sent = [{"data": b64encode(each).decode()} for each in data]
    return json.dumps({"requestId": request, "timestamp": AT // 1_000, "records": sent} | more).encode()


def request(
    sent: bytes,
    *,
    key: str | None = KEY,
    name: str = ID,
    headers: str = "",
    method: str = "POST",
    path: str = "/firehose",
) -> bytes:
    """A request as Firehose makes it."""
    known = f"X-Amz-Firehose-Access-Key: {key}\r\n" if key is not None else ""
    return (
        f"POST /firehose HTTP/1.1\r\nHost: a\r\nX-Amz-Firehose-Protocol-Version: 1.0\r\n"
        f"X-Amz-Firehose-Request-Id: {name}\r\n"
        "X-Amz-Firehose-Source-Arn: arn:aws:firehose:us-east-1:123456789012:deliverystream/hits\r\n"
        f'X-Amz-Firehose-Common-Attributes: {{"commonAttributes":{{"a":"b"}}}}\r\n{known}{headers}'
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    ).encode() + sent


def ask(collector: Collector, sent: bytes) -> Answer:
    """The answer to a request, however long it takes."""
    with socket.create_connection(("127.0.0.1", collector.port)) as client:
        client.sendall(sent)
        return heard(client)


def heard(client: socket.socket) -> Answer:
    """The next answer, whole."""
    client.settimeout(60)
    received = b""
    while not (b"\r\n\r\n" in received and len(answers(received)[0].body) == _length(received)):
        data = client.recv(65_536)
        assert data, received
        received += data
    return answers(received)[0]


def _length(received: bytes) -> int:
    return int(answers(received)[0].headers["content-length"])


def said(answer: Answer) -> tuple[int, str]:
    """Status and reason; the body is always JSON with the id of the request and the time."""
    told = json.loads(answer.body)
    assert answer.headers["content-type"] == "application/json"
    assert abs(told["timestamp"] - SYSTEM.now() // 1_000) < 60_000
    assert (answer.status == 200) == ("errorMessage" not in told)
    return answer.status, answer.headers.get("x-pixelake", "")


Begin = Callable[..., Collector]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the stream is."""
    return tmp_path / "stream"


@pytest.fixture
def begin(folder: Path) -> Iterator[Begin]:
    """Starts a collector."""
    running: list[Collector] = []

    def begun(settings: Settings = SETTINGS, writer: Any = None) -> Collector:
        running.append(Collector(settings, writer or SqliteWriter(folder), lambda: records(settings)))
        return running[-1]

    yield begun
    for each in running:
        each.stop()


def kept(folder: Path) -> list[Hit]:
    """All hits that are durable."""
    found: list[Hit] = []
    with closing(SqliteReader(folder, "test")) as reader:
        while batch := reader.read(1_000, 0):
            found += batch.hits
    return found


# --- what is taken


def test_a_delivery(begin: Begin, folder: Path) -> None:
    """Each line is a hit, under its own name or one of the request's; the answer has the id of the request."""
    sent = body(line("a-1") + b"\n" + line(), logged(name=b"abcdefgh") + logged(b"/logo.png") + logged())
    answer = ask(begin(), request(sent))
    assert said(answer) == (200, "")
    assert json.loads(answer.body)["requestId"] == ID
    found = kept(folder)
    names = ["a-1", f"firehose-{ID}-0-2", "cloudfront-abcdefgh", f"firehose-{ID}-1-3"]
    assert [hit.hit_id for hit in found] == names
    assert [hit.source for hit in found] == ["http", "http", "cloudfront", "cloudfront"]
    assert {hit.target for hit in found} == {b"/pixel.gif?site=shop"}
    assert found[0].received_at == AT


def test_it_is_answered_once_it_is_durable(begin: Begin) -> None:
    """Not before: whoever hears 200 may forget what he sent."""
    let = threading.Event()
    writer = _Slow(let)
    collector = begin(writer=writer)
    with socket.create_connection(("127.0.0.1", collector.port)) as client:
        client.sendall(request(body(line("a-1"))) + b"GET /pixel.gif?n=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert writer.asked.wait(20)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        let.set()
        client.settimeout(20)
        received = b""
        while received.count(b"HTTP/1.1 200") < 2:
            received += client.recv(65_536)
    assert [answer.headers["content-type"] for answer in answers(received)] == ["application/json", "image/gif"]


class _Slow:
    """A stream that waits until it is let."""

    def __init__(self, let: threading.Event) -> None:
        self.asked, self._let = threading.Event(), let

    async def append(self, hits: Sequence[Hit]) -> None:
        """See `Writer`."""
        import asyncio

        self.asked.set()
        await asyncio.get_running_loop().run_in_executor(None, self._let.wait, 20)

    async def close(self) -> None:
        """See `Writer`."""


def test_packed_bodies_and_aggregates(begin: Begin, folder: Path) -> None:
    """In GZIP, and what a producer has packed into one record."""
    (packed,) = pack([line("a-1"), logged(name=b"abcdefgh")])
    sent = gzip.compress(body(packed.data))
    answer = ask(begin(), request(sent, headers="Content-Encoding: GZIP\r\n"))
    assert said(answer) == (200, "")
    assert [hit.hit_id for hit in kept(folder)] == ["a-1", "cloudfront-abcdefgh"]


@pytest.mark.parametrize("name", ["firehose-endpoint", "firehose-endpoint-sns"])
def test_samples(begin: Begin, folder: Path, name: str) -> None:
    """Requests as AWS publishes them: what is no hit is kept, and will be a reject."""
    sent = sample(name)
    answer = ask(begin(), request(json.dumps(sent).encode(), name=sent["requestId"]))
    assert said(answer) == (200, "")
    found = kept(folder)
    assert [hit.source for hit in found] == [UNREADABLE] * len(sent["records"])
    assert [b64encode(hit.body).decode() for hit in found] == [record["data"] for record in sent["records"]]


def test_a_large_delivery(begin: Begin, folder: Path) -> None:
    """Much larger than other bodies may be; meanwhile others are answered."""
    collector = begin()
    count = 30_000
    sent = body(*[b"\n".join(line(f"a-{at}-{n}") for n in range(100)) for at in range(count // 100)])
    assert len(sent) > 6 << 20
    with socket.create_connection(("127.0.0.1", collector.port)) as client:
        client.sendall(request(sent))
        assert ask(collector, b"GET /pixel.gif?n=1 HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
        assert said(heard(client)) == (200, "")
    assert len({hit.hit_id for hit in kept(folder)} - {""}) == count


def test_an_empty_delivery(begin: Begin, folder: Path) -> None:
    """Of no record, or of nothing in it, nothing is kept."""
    collector = begin()
    for sent in (body(), body(b""), body(b"\n\n"), body(logged(b"/logo.png"))):
        assert said(ask(collector, request(sent))) == (200, "")
    assert kept(folder) == []


# --- what may be kept


def test_no_secret_reaches_the_disk(begin: Begin, folder: Path) -> None:
    """Neither the access key, nor what a line holds of secrets, whether it can be read or not."""
    lines = (
        line("a-1", "site=a&password=hunter2", b"Cookie: sid=hunter2\r\nAuthorization: hunter2\r\n"),
        logged(b"/pixel.gif?site=a&access_token=hunter2"),
        b"no line: /x?site=a&password=hunter2",
    )
    assert said(ask(begin(), request(body(*lines)))) == (200, "")
    assert len(kept(folder)) == 3
    assert "hunter2" not in str(kept(folder))
    assert KEY not in str(kept(folder))


def test_strict_privacy(begin: Begin, folder: Path) -> None:
    """Addresses are cut short before the stream, also in what cannot be read."""
    lines = (line("a-1", headers=b"X-Forwarded-For: 203.0.113.9\r\n"), logged(), b"at 203.0.113.9 something")
    settings = replace(SETTINGS, privacy="strict")
    assert said(ask(begin(settings), request(body(*lines)))) == (200, "")
    assert "203.0.113.9" not in str(kept(folder))
    assert [hit.client for hit in kept(folder)][:2] == ["203.0.113.0", "203.0.113.0"]


# --- what is refused


NAMELESS = body(line(), request="")
REFUSED: dict[str, tuple[bytes, int, str]] = {
    "another key": (request(body(line()), key="another-key-of-some-letters"), 401, "firehose_key"),
    "no key": (request(body(line()), key=None), 401, "firehose_key"),
    "an empty key": (request(body(line()), key=""), 401, "firehose_key"),
    "no body and no key": (b"POST /firehose HTTP/1.1\r\nHost: a\r\n\r\n", 401, "firehose_key"),
    "no body": (request(b""), 400, "firehose_request"),
    "no JSON": (request(b"x" * 20_000), 400, "firehose_request"),
    "no object": (request(b"[]"), 400, "firehose_request"),
    "no records": (request(b'{"requestId":"%b"}' % ID.encode()), 400, "firehose_request"),
    "no base64": (request(body().replace(b"[]", b'[{"data":"%"}]')), 400, "firehose_request"),
    "another id": (request(body(line(), request="other")), 400, "firehose_request"),
    "no id": (request(NAMELESS, name=""), 400, "firehose_request"),
    "an id that is none": (request(body(line(), request="a b"), name="a b"), 400, "firehose_request"),
    "another version": (
        request(body(line())).replace(b"Version: 1.0", b"Version: 2.0"),
        400,
        "firehose_request",
    ),
    "another coding": (request(body(line()), headers="Content-Encoding: br\r\n"), 400, "firehose_request"),
    "a damaged coding": (
        request(b"\x1f\x8b" + b"x" * 50, headers="Content-Encoding: gzip\r\n"),
        400,
        "firehose_request",
    ),
    "a cut coding": (
        request(gzip.compress(body(line()))[:-9], headers="Content-Encoding: gzip\r\n"),
        400,
        "firehose_request",
    ),
    "deeply nested": (request(b'{"requestId":' + b"[" * 100_000), 400, "firehose_request"),
    "too large": (
        request(b"").replace(b"Length: 0", b"Length: %d" % (firehose.MOST + 1)) + b"x",
        413,
        "body_too_large",
    ),
}


@pytest.mark.parametrize(("sent", "status", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(begin: Begin, folder: Path, sent: bytes, status: int, reason: str) -> None:
    """In JSON, as Firehose reads it, with what to do; nothing is kept."""
    answer = ask(begin(), sent)
    assert said(answer) == (status, reason)
    assert kept(folder) == []


def test_a_bomb(begin: Begin, folder: Path) -> None:
    """What unpacks to more than a request may have is refused, and never whole in the memory."""
    packer = zlib.compressobj(wbits=31)
    zeros = b"\0" * (1 << 20)
    sent = b"".join(packer.compress(zeros) for _ in range((firehose.MOST >> 20) + 1)) + packer.flush()
    answer = ask(begin(), request(sent, headers="Content-Encoding: gzip\r\n"))
    assert said(answer) == (413, "body_too_large")
    assert kept(folder) == []


def test_a_stranger_cannot_send_much(begin: Begin) -> None:
    """Who has no key is refused before the body comes."""
    collector = begin()
    head = request(b"", key="another-key-of-some-letters").replace(b"Length: 0", b"Length: 60000000")
    assert said(ask(collector, head)) == (401, "firehose_key")
    with capture_logs() as logs:
        ask(collector, request(body(line()), key="another-key-of-some-letters"))
    assert logs == []


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "HEAD"])
def test_other_methods(begin: Begin, method: str) -> None:
    """There is only POST."""
    data = begin().talk(f"{method} /firehose HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert data.startswith(b"HTTP/1.1 404")


def test_without_a_key_there_is_no_endpoint(begin: Begin) -> None:
    """Nobody can guess an empty key."""
    answer = ask(begin(replace(SETTINGS, firehose_key="")), request(body(line()), key=""))
    assert answer.status == 404


class _Failing:
    """A stream that does not work; or only once so many hits were taken."""

    def __init__(self, error: Exception, folder: Path | None = None, after: int = 0) -> None:
        self._error, self._after = error, after
        self._inner = SqliteWriter(folder) if folder else None

    async def append(self, hits: Sequence[Hit]) -> None:
        """See `Writer`."""
        if self._after <= 0 or self._inner is None:
            raise self._error
        self._after -= len(hits)
        await self._inner.append(hits)

    async def close(self) -> None:
        """See `Writer`."""
        if self._inner:
            await self._inner.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [(StreamUnavailable("away"), "unavailable"), (StreamFull("full"), "stream_full"), (RuntimeError(), "unavailable")],
    ids=["away", "full", "a defect"],
)
def test_what_is_not_durable_is_not_acknowledged(begin: Begin, error: Exception, reason: str) -> None:
    """503, and when to come again; the log names the request."""
    with capture_logs() as logs:
        answer = ask(begin(writer=_Failing(error)), request(body(line())))
    assert said(answer) == (503, reason)
    assert int(answer.headers["retry-after"]) > 0
    assert {entry["request"] for entry in logs} == {ID}


def test_a_newer_hit_waits(begin: Begin, folder: Path) -> None:
    """Nothing of the delivery is lost: Firehose keeps it."""
    newer = json.dumps(json.loads(line()) | {"v": 2}).encode()
    assert said(ask(begin(), request(body(newer)))) == (503, "unavailable")
    assert kept(folder) == []


def test_too_much_at_once(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process holds of deliveries is bounded: others come again."""
    monkeypatch.setattr(firehose, "HELD", 1_000)
    assert said(ask(begin(), request(body(line("a" * 200, "x" * 800))))) == (503, "busy")


# --- once


def judged(settings: Settings, folder: Path) -> list[Outcome]:
    """What becomes of all that is in the stream, judged by a new process."""
    found = []
    judge = build.judge(settings, named=True)
    with closing(SqliteReader(folder, "test")) as reader:
        while batch := reader.read(1_000, 0):
            found.append(concat(list(judge(batch, once))))
    return found


def test_a_request_that_comes_again_adds_nothing(begin: Begin, folder: Path, tmp_path: Path) -> None:
    """Also to another worker, after a restart, and judged by another process: each name counts once."""
    settings = replace(SETTINGS, data=tmp_path)
    sent = request(body(line("a-1"), line(), logged(name=b"abcdefgh"), b"Hello"))
    first = begin()
    for _ in range(2):
        assert said(ask(first, sent)) == (200, "")
    before = judged(settings, folder)
    assert said(ask(begin(writer=SqliteWriter(folder)), sent)) == (200, "")
    outcomes = judged(settings, folder)
    assert [outcome.events["hit_id"].to_pylist() for outcome in before] == [
        ["a-1", f"firehose-{ID}-1-1", "cloudfront-abcdefgh"]
    ]
    assert [outcome.rejects["hit_id"].to_pylist() for outcome in before] == [[f"firehose-{ID}-3-1"]]
    assert before[0].withheld.num_rows == 4
    assert sorted(outcome.events.num_rows for outcome in outcomes) == [0, 3]
    assert sum(outcome.withheld.num_rows for outcome in outcomes) == 8
    assert sum(outcome.rejects.num_rows for outcome in outcomes) == 1


def test_a_delivery_that_was_cut_short(
    begin: Begin, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was durable of it already counts once when all of it comes again."""
    monkeypatch.setattr(firehose, "A_COMMIT", 1)
    sent = request(body(*[line() for _ in range(10)]))
    cut = begin(writer=_Failing(StreamUnavailable("away"), folder, after=4))
    assert said(ask(cut, sent)) == (503, "unavailable")
    assert len(kept(folder)) == 4
    assert said(ask(begin(), sent)) == (200, "")
    outcomes = judged(replace(SETTINGS, data=tmp_path), folder)
    assert sum(outcome.events.num_rows for outcome in outcomes) == 10
    assert sum(outcome.withheld.num_rows for outcome in outcomes) == 4


# --- settings


BAD_SETTINGS = {
    "short": {"firehose_key": "short"},
    "blanks": {"firehose_key": "a key of more than sixteen letters"},
    "a stream elsewhere": {"stream": "kinesis://hits"},
    "forgotten too soon": {"repeat_window": 60.0},
}


@pytest.mark.parametrize("bad", BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_settings_that_are_refused(bad: dict[str, Any]) -> None:
    """With what to do, and without the key."""
    with pytest.raises(SettingsError) as raised:
        check(replace(SETTINGS, **bad))
    assert raised.value.hint
    assert str(bad.get("firehose_key", KEY)) not in str(raised.value)
    check(SETTINGS)


def test_the_key_is_not_shown() -> None:
    """Where settings are listed."""
    shown = {row["name"]: row["value"] for row in listed(SETTINGS)}
    assert shown["firehose_key"] == "***"
    assert {row["name"]: row["value"] for row in listed(Settings())}["firehose_key"] == ""


def test_what_is_a_delivery() -> None:
    """The path alone decides, with a query or without."""
    assert is_delivery(b"POST /firehose HTTP/1.1\r\n")
    assert is_delivery(b"POST /firehose?x HTTP/1.1\r\n")
    assert not is_delivery(b"POST /firehoses HTTP/1.1\r\n")
    assert not is_delivery(b"GET /firehose HTTP/1.1\r\n")
