"""A stream in a queue of SQS, against moto's server, with faults between."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from pixelake import hit_json
from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import HitTooLarge, StreamUnavailable
from pixelake.hit import UNREADABLE, Hit
from pixelake.stream import aws, sqs
from pixelake.stream.sqs import BYTES, Queue, SqsReader, SqsWatcher, SqsWriter
from tests.hits import append, numbers
from tests.s3 import Server, reached
from tests.stream.aws import BEGIN, Faulty, drained, error, hits, new_queue, through, unreachable


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, moto: Server) -> str:
    """A new queue."""
    reached(monkeypatch, moto.environment)
    monkeypatch.setattr(aws, "WAITS", (0.001, 0.002, 0.004))
    return new_queue()


@pytest.fixture
def reader(name: str, request: pytest.FixtureRequest) -> Callable[..., SqsReader]:
    """Makes readers of the queue that are closed in the end."""

    def make(**more: Any) -> SqsReader:
        made = SqsReader(more.pop("queue", None) or Queue(name), **{"poll": 1, **more})
        request.addfinalizer(made.close)
        return made

    return make


def ids_of(batches: Any) -> list[str]:
    """The ids of all hits, sorted."""
    return sorted(each for batch in batches for each in batch.ids)


def send(name: str, *bodies: str) -> None:
    """What others put into the queue."""
    client = aws.client("sqs")
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    for body in bodies:
        client.send_message(QueueUrl=url, MessageBody=body)


def failing(*places: int, fault: bool = False, code: str = "InternalError") -> Callable[..., Any]:
    """The entries at these places fail, and the others are not sent at all by this answer."""

    def fail(Entries: Any, **_: Any) -> Any:  # noqa: N803 - botocore's name
        failed = [{"Id": Entries[at]["Id"], "Code": code, "SenderFault": fault} for at in places]
        return {"Successful": [], "Failed": failed}

    return fail


def test_a_hit_arrives_as_it_was(name: str, reader: Callable[..., SqsReader]) -> None:
    """Whatever bytes a hit has, they come out again, with an id that the writer gave it."""
    sent = [Hit.of(BEGIN, "::1", "192.0.2.1", "POST", b"/events?\xff", b"no colon\r\nX:\x00\r\n", b"\x00\xff", "edge")]
    append(SqsWriter(Queue(name)), sent)
    [batch] = drained(reader(), 1)
    [hit] = batch.hits
    assert hit.hit_id
    assert hit == Hit(BEGIN, "::1", "192.0.2.1", sent[0].head, b"\x00\xff", "edge", hit.hit_id)


def test_ids_are_kept_or_given(name: str, reader: Callable[..., SqsReader]) -> None:
    """A hit that has an id keeps it; two writers never give the same."""
    append(SqsWriter(Queue(name)), [Hit(BEGIN, "", "", b"GET / HTTP/1.1\r\n\r\n", hit_id="mine"), *hits(0, 3)])
    append(SqsWriter(Queue(name)), hits(0, 3))
    found = ids_of(drained(reader(), 7))
    assert len(set(found)) == 7
    assert "mine" in found


def test_calls_are_as_full_as_they_may_be(name: str) -> None:
    """Ten messages a call, and never more bytes than it takes."""
    client = Faulty("sqs")
    append(SqsWriter(Queue(name, client)), hits(0, 25))
    assert client.count("send_message_batch") == 3
    big = [Hit.of(BEGIN, "", "", "POST", b"/events", b"", b"\xff" * 300_000) for _ in range(5)]
    append(SqsWriter(Queue(name, client)), big)
    sizes = [
        sum(len(entry["MessageBody"]) for entry in arguments["Entries"])
        for operation, arguments in client.calls
        if operation == "send_message_batch"
    ]
    assert len(sizes) == 3 + 3
    assert max(sizes) <= BYTES


def test_only_what_failed_is_sent_again(name: str, reader: Callable[..., SqsReader]) -> None:
    """Of a call that was taken in part the rest is sent again, and nothing twice."""
    client = Faulty("sqs")
    queue = Queue(name, client)

    def partly(Entries: Any, **more: Any) -> Any:  # noqa: N803 - botocore's name
        kept = [entry for entry in Entries if entry["Id"] not in {"2", "5"}]
        client._client.send_message_batch(Entries=kept, **more)
        return {"Failed": [{"Id": at, "Code": "InternalError", "SenderFault": False} for at in ("2", "5")]}

    client._faults["send_message_batch"] = [partly, error("RequestThrottled"), error("Whatever", 503)]
    append(SqsWriter(queue), hits(0, 10))
    sent = [len(arguments["Entries"]) for called, arguments in client.calls if called == "send_message_batch"]
    assert sent == [10, 2, 2, 2]
    assert sorted(numbers(drained(reader(), 10))) == list(range(10))


def test_what_is_never_taken_is_an_error(name: str) -> None:
    """After a few times the hit is not promised; others of the same append are."""
    client = Faulty("sqs", send_message_batch=[failing(0)] * 4)
    with pytest.raises(StreamUnavailable, match="1 of 1 were not taken") as caught:
        append(SqsWriter(Queue(name, client)), hits(0, 1))
    assert caught.value.reason == "unavailable"
    assert client.count("send_message_batch") == 4


def test_what_is_refused_is_not_sent_again(name: str, reader: Callable[..., SqsReader]) -> None:
    """A message that the queue will never take, since it takes shorter ones, is too large; the others are there."""
    client = Faulty("sqs")

    def shorter(Entries: Any, **more: Any) -> Any:  # noqa: N803 - botocore's name
        client._client.send_message_batch(Entries=Entries[:1] + Entries[2:], **more)
        return {"Failed": [{"Id": "1", "Code": "InvalidParameterValue", "SenderFault": True}]}

    client._faults["send_message_batch"] = [shorter]
    with pytest.raises(HitTooLarge, match="refuses") as caught:
        append(SqsWriter(Queue(name, client)), hits(0, 3))
    assert "MaximumMessageSize" in caught.value.hint
    assert caught.value.places == {1}
    assert client.count("send_message_batch") == 1
    assert sorted(numbers(drained(reader(), 2))) == [0, 2]


@pytest.mark.parametrize("code", ["AccessDenied", "KMS.DisabledException"])
def test_a_queue_that_is_closed_to_us_finds_no_hit_too_large(name: str, code: str) -> None:
    """Whoever may not write hears that nothing can be kept."""
    client = Faulty("sqs", send_message_batch=[failing(0, fault=True, code=code)])
    with pytest.raises(StreamUnavailable, match="refuses") as caught:
        append(SqsWriter(Queue(name, client)), hits(0, 1))
    assert caught.value.reason == "unavailable"


def test_that_others_are_kept_is_said_only_if_they_are(name: str) -> None:
    """One hit is too large, and of the others some may be lost: that is what is told."""
    faults = [failing(0, fault=True, code="InvalidParameterValue"), unreachable]
    client = Faulty("sqs", send_message_batch=faults)
    large = Hit.of(BEGIN, "", "", "POST", b"/events", b"", b"\xff" * BYTES)
    with pytest.raises(StreamUnavailable) as caught:
        append(SqsWriter(Queue(name, client)), [*hits(0, 20), large])
    assert caught.value.reason == "unavailable"


def test_a_hit_that_is_too_large_is_refused(name: str, reader: Callable[..., SqsReader]) -> None:
    """It says so, and the others of its group are there."""
    large = Hit.of(BEGIN, "", "", "POST", b"/events", b"", b"\xff" * BYTES)
    with pytest.raises(HitTooLarge) as caught:
        append(SqsWriter(Queue(name)), [large, *hits(0, 2), large])
    assert caught.value.reason == "body_too_large"
    assert caught.value.places == {0, 3}
    assert sorted(numbers(drained(reader(), 2))) == [0, 1]


def test_whoever_cannot_be_reached_is_told_quickly(name: str) -> None:
    """Nobody answers: that is said at once, and for a second nobody is asked; then again."""
    client = Faulty("sqs", send_message_batch=[unreachable])
    writer = SqsWriter(Queue(name, client))
    for _ in range(3):
        with pytest.raises(StreamUnavailable) as caught:
            append(writer, hits(0, 1))
        assert "AWS_" in caught.value.hint
    assert client.count("send_message_batch") == 1
    time.sleep(aws.RETRY_AFTER)
    append(writer, hits(0, 1))


@pytest.mark.usefixtures("name")
def test_a_queue_that_is_not_there_says_so() -> None:
    """Neither a writer nor a reader invents one."""
    with pytest.raises(StreamUnavailable, match="exist"):
        append(SqsWriter(Queue("nowhere")), hits(0, 1))
    lost = SqsReader(Queue("nowhere"), poll=1)
    with pytest.raises(StreamUnavailable, match="exist"):
        lost.read(10, 5)
    lost.close()


def raising(fault: Exception) -> Callable[..., Any]:
    """The library fails."""

    def fail(**_: Any) -> Any:
        raise fault

    return fail


FAULTS = [
    RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
    ResponseParserError("Unable to parse response"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=["credentials", "answer"])
def test_what_the_library_raises_is_an_error_of_ours(fault: Exception) -> None:
    """With a hint; it may pass by itself, so that it holds up no start."""
    with pytest.raises(StreamUnavailable, match=r"refreshed|parse") as caught:
        aws.call(raising(fault))
    assert "AWS_" in caught.value.hint
    assert aws.is_away(caught.value)


@pytest.mark.parametrize("fault", [*FAULTS, ZeroDivisionError("whatever")], ids=["credentials", "answer", "any"])
def test_reading_goes_on_behind_any_failure(name: str, reader: Callable[..., SqsReader], fault: Exception) -> None:
    """It is told once, and the next call asks anew."""
    append(SqsWriter(Queue(name)), hits(0, 3))
    one = reader(queue=Queue(name, Faulty("sqs", receive_message=[raising(fault)])))
    with pytest.raises((StreamUnavailable, ZeroDivisionError)):
        one.read(10, 0.5)
    assert sorted(numbers(drained(one, 3))) == [0, 1, 2]


def test_an_error_tells_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither that of the endpoint's URL, nor what was signed."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    for endpoint in ("http://user:secret@127.0.0.1:1", "http://us@er:secret@127.0.0.1:1"):
        reached(monkeypatch, {**keys, "AWS_ENDPOINT_URL": endpoint})
        with pytest.raises(StreamUnavailable, match=r"//127\.0\.0\.1:1") as caught:
            Queue("hits").call("receive_message")
        assert "secret" not in str(caught.value)
    signed = "It does not match.\n\nThe Canonical String for this request should have been\n'POST\nx-token:secret'"
    wrong = {"Error": {"Code": "SignatureDoesNotMatch", "Message": signed}}
    with pytest.raises(StreamUnavailable, match=r"It does not match\.$") as caught:
        aws.call(raising(ClientError(wrong, "ReceiveMessage")))  # type: ignore[arg-type] # as services answer
    assert "secret" not in str(caught.value)


def test_nothing_in_the_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region nothing is asked, and the error names what is missing."""
    reached(monkeypatch, {"AWS_CONFIG_FILE": "/nowhere"})
    with pytest.raises(StreamUnavailable, match="region") as caught:
        Queue("any")
    assert "AWS_REGION" in caught.value.hint


def test_a_url_names_a_queue(name: str, reader: Callable[..., SqsReader]) -> None:
    """With its scheme, or without; no call looks it up."""
    url = aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    client = Faulty("sqs")
    append(SqsWriter(Queue(url, client)), hits(0, 1))
    assert client.count("get_queue_url") == 0
    assert numbers(drained(reader(queue=Queue(url)), 1)) == [0]
    assert Queue("sqs.eu-west-1.amazonaws.com/1/hits", client)._url == "https://sqs.eu-west-1.amazonaws.com/1/hits"


def test_positions_count_what_was_handed_out(name: str, reader: Callable[..., SqsReader]) -> None:
    """From 1 on, without gaps, in the reader's own partition, whatever the size of the batches."""
    append(SqsWriter(Queue(name)), hits(0, 50))
    batches = drained(reader(), 50, limit=7)
    assert [place for batch in batches for place in batch.positions] == list(range(1, 51))
    assert max(len(batch.hits) for batch in batches) <= 7
    [partition] = {batch.partition for batch in batches}
    assert partition.startswith("sqs-")
    assert sorted(numbers(batches)) == list(range(50))


def test_a_message_that_comes_twice_is_handed_out_once(name: str, reader: Callable[..., SqsReader]) -> None:
    """A reader knows what it has in work; what it deletes then is what came last."""
    append(SqsWriter(Queue(name)), hits(0, 3))
    client = Faulty("sqs", change_message_visibility_batch=[lambda **_: {}] * 99)  # nothing is extended
    one = reader(queue=Queue(name, client), visibility=1)
    first = drained(one, 3)
    assert one.read(10, 3) is None
    assert client.count("receive_message") > 2
    one.commit({one.partition: 3})
    assert len(numbers(first)) == 3
    assert SqsWatcher(Queue(name)).extents() == []


def test_what_is_committed_never_comes_again(name: str, reader: Callable[..., SqsReader]) -> None:
    """Those up to the position are deleted; the others come again to the next reader, with the ids they had."""
    append(SqsWriter(Queue(name)), hits(0, 20))
    first = SqsReader(Queue(name), poll=1)
    batches = drained(first, 20)
    ids = [each for batch in batches for each in batch.ids]
    first.commit({first.partition: 12})
    first.close()
    assert ids_of(drained(reader(), 8)) == sorted(ids[12:])


def test_a_commit_that_fails_can_be_repeated(name: str, reader: Callable[..., SqsReader]) -> None:
    """Deletions that were not taken are tried again, then told; to repeat the commit ends it."""
    append(SqsWriter(Queue(name)), hits(0, 15))
    client = Faulty("sqs")
    first = SqsReader(Queue(name, client), poll=1)
    drained(first, 15)
    client._faults["delete_message_batch"] = [unreachable, through]
    with pytest.raises(StreamUnavailable):
        first.commit({first.partition: 15})
    client._faults["delete_message_batch"] = [failing(0, 3)]
    first.commit({first.partition: 15})
    first.close()
    assert reader().read(100, 2) is None


def test_other_partitions_are_not_committed(name: str, reader: Callable[..., SqsReader]) -> None:
    """Positions of partitions of others say nothing about ours."""
    append(SqsWriter(Queue(name)), hits(0, 3))
    first = SqsReader(Queue(name), poll=1)
    drained(first, 3)
    first.commit({"sqs-000000000000": 3})
    first.close()
    assert len(numbers(drained(reader(), 3))) == 3


def test_what_is_in_work_stays_with_its_reader(name: str, reader: Callable[..., SqsReader]) -> None:
    """Its time is extended for as long as the reader lives, and nobody else gets it; a dead one's comes again."""
    append(SqsWriter(Queue(name)), hits(0, 12))
    first = reader(visibility=2)
    drained(first, 12)
    assert reader().read(100, 5) is None
    first._closed.set()  # as if it had died
    assert len(numbers(drained(reader(), 12))) == 12


def test_going_back_begins_a_new_partition(name: str, reader: Callable[..., SqsReader]) -> None:
    """What was not committed comes again from 1 on under another name, so that no position is given twice."""
    append(SqsWriter(Queue(name)), hits(0, 10))
    one = reader()
    first = drained(one, 10)
    one.commit({one.partition: 4})
    one.rewind({one.partition: 4})
    again = drained(one, 6)
    assert again[0].partition != first[0].partition
    assert [place for batch in again for place in batch.positions] == list(range(1, 7))
    assert ids_of(again) == sorted([each for batch in first for each in batch.ids][4:])


def test_going_back_to_where_it_is_changes_nothing(name: str, reader: Callable[..., SqsReader]) -> None:
    """As a consumer does when it starts."""
    one = reader()
    partition = one.partition
    one.rewind({"sqs-ffffffffffff": 3})
    append(SqsWriter(Queue(name)), hits(0, 1))
    assert drained(one, 1)[0].partition == partition


def test_what_is_no_hit_is_handed_on(name: str, reader: Callable[..., SqsReader]) -> None:
    """A message that nobody can read holds nothing up: it is a hit that says so, with what came and its own name."""
    send(name, "{broken", json.dumps({"v": 1}))
    append(SqsWriter(Queue(name)), hits(0, 1))
    found = {hit.body: hit for batch in drained(reader(), 3) for hit in batch.hits}
    broken = found[b"{broken"]
    assert (broken.source, broken.head) == (UNREADABLE, b"")
    assert broken.hit_id.startswith("sqs-")
    assert abs(broken.received_at / 1e6 - time.time()) < 600
    assert found[b'{"v": 1}'].source == UNREADABLE
    assert found[b""].target == b"/?n=0"


def test_what_is_newer_is_left_in_the_queue(name: str, reader: Callable[..., SqsReader]) -> None:
    """A message of a newer program is neither handed on nor deleted: the newer consumer gets it."""
    newer = '{"v":2,"received_at":7,"peer":null}'
    send(name, newer)
    append(SqsWriter(Queue(name)), hits(0, 1))
    first = reader(visibility=2)
    [batch] = drained(first, 1)
    first.commit({batch.partition: batch.positions[-1]})
    client = aws.client("sqs")
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    first.close()
    [message] = client.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == newer


def test_what_nobody_could_have_received_yet_is_no_hit(name: str, reader: Callable[..., SqsReader]) -> None:
    """The queue's own time of a message says so."""
    ahead = msgspec.structs.replace(hits(0, 1)[0], received_at=SYSTEM.now() + 2 * 86_400 * SECOND)
    send(name, hit_json.encode(ahead).decode(), '{"v":2,"kind":"order"}')
    found = [hit for batch in drained(reader(), 2) for hit in batch.hits]
    assert [hit.source for hit in found] == [UNREADABLE] * 2


def test_a_message_of_others_is_named_by_its_message(name: str, reader: Callable[..., SqsReader]) -> None:
    """A hit that comes without an id has the same one each time it comes."""
    packed = json.loads(hit_json.encode(hits(0, 1)[0]))
    del packed["hit_id"]
    send(name, json.dumps(packed))
    one = reader()
    first = drained(one, 1)
    one.rewind({})
    again = drained(one, 1)
    assert ids_of(first) == ids_of(again)
    assert ids_of(first)[0].startswith("sqs-")
    assert first[0].partition != again[0].partition


def test_an_empty_queue_is_no_error(reader: Callable[..., SqsReader]) -> None:
    """There is nothing, and that is said in about the time that was given."""
    one, began = reader(poll=4), time.monotonic()
    assert one.read(10, 0.2) is None
    assert time.monotonic() - began < 3


def test_a_watcher_tells_about_how_many_wait(name: str, reader: Callable[..., SqsReader]) -> None:
    """What waits and what is in work counts, what is committed does not."""
    watcher = SqsWatcher(Queue(name))
    assert watcher.extents() == []
    append(SqsWriter(Queue(name)), hits(0, 12))
    one = reader()
    drained(one, 12)
    append(SqsWriter(Queue(name)), hits(0, 5))
    [extent] = watcher.extents()
    assert (extent.partition, extent.first, extent.last) == (f"queue {name}", 1, 17)
    one.commit({one.partition: 12})
    assert watcher.extents()[0].last == 5
    assert watcher.received_at(extent.partition, 1) is None
    assert watcher.committed("consume") == {}


def test_closing_waits_for_no_message(name: str, reader: Callable[..., SqsReader]) -> None:
    """A call that is under way is not waited for; what it finds then is given back at once."""
    asked, answered = threading.Event(), threading.Event()

    def late(**_: Any) -> None:
        asked.set()
        answered.wait(30)

    first = SqsReader(Queue(name, Faulty("sqs", receive_message=[late])), poll=1)
    assert first.read(10, 0) is None
    assert asked.wait(10)
    began = time.monotonic()
    first.close()
    assert time.monotonic() - began < 2.5 * sqs.LAST_POLL
    append(SqsWriter(Queue(name)), hits(0, 3))
    answered.set()
    assert sorted(numbers(drained(reader(), 3))) == [0, 1, 2]


def test_closing_gives_back_many_at_once(name: str, reader: Callable[..., SqsReader]) -> None:
    """Twenty calls of a quarter of a second take no five seconds."""
    append(SqsWriter(Queue(name)), hits(0, 200))

    def slow(**_: Any) -> None:
        time.sleep(0.25)

    first = SqsReader(Queue(name, Faulty("sqs", change_message_visibility_batch=[slow] * 20)), poll=1)
    assert len(numbers(drained(first, 200))) == 200
    began = time.monotonic()
    first.close()
    assert time.monotonic() - began < 3
    assert len(numbers(drained(reader(), 200))) == 200


def test_closing_ends(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if nobody answers any more."""
    monkeypatch.setattr(sqs, "CLOSING", 1.0)
    append(SqsWriter(Queue(name)), hits(0, 20))
    end = threading.Event()
    silence = [lambda **_: end.wait(30) and {}] * 2
    first = SqsReader(Queue(name, Faulty("sqs", change_message_visibility_batch=silence)), poll=1)
    drained(first, 20)
    began = time.monotonic()
    first.close()
    assert 0.5 < time.monotonic() - began < 3
    end.set()


def test_closing_a_writer_finishes_what_is_under_way(name: str) -> None:
    """An append that was begun before the end is kept."""
    slow = threading.Event()

    def late(**_: Any) -> None:
        slow.wait(5)

    async def run() -> None:
        writer = SqsWriter(Queue(name, Faulty("sqs", send_message_batch=[late])))
        appended = asyncio.ensure_future(writer.append(hits(0, 1)))
        await asyncio.sleep(0.1)
        closing = asyncio.ensure_future(writer.close())
        await asyncio.sleep(0.1)
        assert not closing.done()
        slow.set()
        await asyncio.gather(appended, closing)

    asyncio.run(run())
    assert SqsWatcher(Queue(name)).extents()[0].last == 1
