"""A stream in a queue of Amazon SQS: ``sqs://name``, or ``sqs://`` with the URL of the queue behind it.

A message is one line of `pixelake.hit_json`, or what a reader is told to read. A queue keeps no order and may hand
out a message twice, so hits are merged by ``hit_id``; one from elsewhere that has
none is named by its message. What a reader took and did not commit comes again
to anybody: at once if the reader was closed, else when `VISIBILITY` has passed.
"""

import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

import structlog

from pixelake import hit_json
from pixelake.errors import HitTooLarge, NewerVersion, StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream import aws, messages
from pixelake.stream.aws import Failed, Line, Sender
from pixelake.stream.base import Batch, Extent, Partition, Position
from pixelake.stream.messages import Decode

A_CALL: Final = 10
"""Messages that one call may send, receive or delete."""
BYTES: Final = 1 << 20
"""Bytes of a message, and of all messages of a call."""
CALLS: Final = 16
"""Calls of a process that are under way at once."""
VISIBILITY: Final = 180
"""Seconds that nobody else gets a message that was read. When half of it has passed it begins anew."""
POLL: Final = 4
"""Seconds that a call waits for the first message."""
LAST_POLL: Final = 1.0
"""Seconds that a reader which is closed waits for a call that is under way."""
CLOSING: Final = 8.0
"""Seconds that closing a reader takes at most."""
IN_FLIGHT: Final = 100_000
"""Messages that may be read and not committed: the queue hands out no more than 120,000."""
FETCHED_BYTES: Final = 64 << 20
"""Bytes of messages that are fetched at once."""
NEVER: Final = float("inf")
_LOG = structlog.get_logger()

T = TypeVar("T")


class Queue:
    """A queue by its name or URL. It may be used by several threads; nobody is asked before the first call."""

    def __init__(self, name: str, client: Any = None) -> None:
        """Which queue.

        Args:
            name: its name, or its URL; ``https://`` may be missing.
            client: botocore's; by default one of the environment.

        Raises:
            StreamUnavailable: what the environment says is not enough.
        """
        self.name = name.rstrip("/").rpartition("/")[2]
        self._client = client or aws.client("sqs", wait=POLL, connections=2 * CALLS)
        self._url = "" if "/" not in name else name if "://" in name else f"https://{name}"

    def call(self, operation: str, **arguments: Any) -> Any:
        """The answer. Raises `StreamUnavailable`."""
        if not self._url:
            self._url = aws.call(self._client.get_queue_url, QueueName=self.name)["QueueUrl"]
        return aws.call(getattr(self._client, operation), QueueUrl=self._url, **arguments)

    def send_entries(self, operation: str, entries: Sequence[Mapping[str, Any]]) -> Sequence[Failed]:
        """Call an operation with entries, each of which may fail for itself."""
        named = [{"Id": str(at), **entry} for at, entry in enumerate(entries)]
        failed = self.call(operation, Entries=named).get("Failed", ())
        return [Failed(int(each["Id"]), str(each.get("Code")), again=not each.get("SenderFault")) for each in failed]

    def each(self, operation: str, entries: Sequence[Mapping[str, Any]]) -> Sequence[tuple[Mapping[str, Any], str]]:
        """The same, with what failed sent again. Returns what is refused for good."""
        return aws.deliver(entries, lambda left: self.send_entries(operation, left))


class SqsWriter:
    """See `pixelake.stream.base.Writer`. A hit that has no ``hit_id`` gets one: a random name of ours and a number."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._sender = Sender(self._send, most=A_CALL, size=BYTES, calls=CALLS)

    async def append(self, hits: Sequence[Hit]) -> None:
        """Done only once the queue has every hit.

        Raises:
            HitTooLarge: one takes more than a message holds; the others are kept.
            StreamUnavailable: some may not be there.
        """
        await self._sender.append(hits)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._sender.close()

    def _send(self, lines: Sequence[Line]) -> None:
        refused = aws.deliver(lines, self._call)
        if forbidden := [why for _, why in refused if _FORBIDDEN.search(why)]:
            raise StreamUnavailable(f"the queue refuses a message: {forbidden[0]}", aws.HINT)
        if refused:  # of a line of ASCII nothing else can be wrong
            raise HitTooLarge(
                f"the queue refuses a message: {refused[0][1]}",
                "let it take messages of 1 MiB (MaximumMessageSize)",
                frozenset(line.place for line, _ in refused),
            )

    def _call(self, lines: Sequence[Line]) -> Sequence[Failed]:
        return self._queue.send_entries("send_message_batch", [{"MessageBody": line.data.decode()} for line in lines])


_FORBIDDEN: Final = re.compile("denied|kms", re.IGNORECASE)
"""Codes of a message that is well, in a queue that is not ours to write to."""


@dataclass(slots=True)
class _Message:
    id: str
    handle: str
    sent_at: int
    body: str
    due: float
    """When its time is to be extended (monotonic)."""


class SqsReader:
    """See `pixelake.stream.base.Reader`. Its partition is its own, and positions count what it has handed out.

    A queue has no groups: all readers share what is in it, so there must be one
    kind of them. Going back (`rewind`) gives what was not committed back to the
    queue, and begins a new partition.
    """

    ordered = False

    def __init__(
        self, queue: Queue, *, visibility: float = VISIBILITY, poll: int = POLL, decode: Decode = hit_json.decode
    ) -> None:
        self._queue, self._visibility, self._poll, self._decode = queue, visibility, poll, decode
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(CALLS, thread_name_prefix="receive")
        self._polling: Future[int] | None = None
        self._fetched: deque[_Message] = deque()
        self._held: dict[Position, _Message] = {}
        self._known: dict[str, _Message] = {}
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="visibility", daemon=True)
        self._heart.start()
        self._begin()

    def _begin(self) -> None:
        self.partition: Partition = f"sqs-{secrets.token_hex(6)}"
        self._at: Position = 0

    def read(self, limit: int, wait: float) -> Batch | None:
        """The next hits, at most `limit`, or None after about `wait` seconds."""
        deadline = time.monotonic() + wait
        while True:
            self._fetch(limit, max(0.0, deadline - time.monotonic()))
            batch = self._batch(limit)
            if batch is not None or time.monotonic() >= deadline:
                return batch

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Delete what was read up to that position of our partition.

        Raises:
            StreamUnavailable: some are still there; repeat the call.
        """
        at = positions.get(self.partition, 0)
        with self._lock:
            settled = {place: message for place, message in self._held.items() if place <= at}
        aws.in_threads(self._threads, self._delete, list(_parts(settled.items())))

    def rewind(self, positions: Mapping[Partition, Position]) -> None:
        """If we have read on, give all that is not committed back to the queue: it comes again, in a new partition."""
        if self._at <= positions.get(self.partition, 0):
            return
        with self._lock:
            back = list(self._held.values())
            self._held.clear()
        self._give_back(back)
        self._begin()

    def close(self) -> None:
        """Give what was not committed back to the queue, for others to have it at once. Takes `CLOSING` at most."""
        until = time.monotonic() + CLOSING
        self._closed.set()
        self._heart.join(LAST_POLL)
        if self._polling:
            wait([self._polling], LAST_POLL)
        with self._lock:
            back = [*self._held.values(), *self._fetched]
            self._held.clear()
            self._fetched.clear()
        if late := self._give_back(back, until - time.monotonic()):
            _LOG.warning("messages not given back in time come again later", queue=self._queue.name, calls=late)
        self._threads.shutdown(wait=False)

    def _fetch(self, limit: int, seconds: float) -> None:
        """Have up to `limit` messages, if they come within so many seconds."""
        if self._fetched:
            return
        if len(self._held) >= IN_FLIGHT:
            self._closed.wait(seconds)
            return
        if self._polling is None:
            self._polling = _in_background(partial(self._receive, self._poll))
        if wait([self._polling], seconds).not_done:
            return  # it goes on, and the next call looks again
        polling, self._polling = self._polling, None
        if polling.exception():
            self._closed.wait(seconds)
        if polling.result() == A_CALL:
            self._fetch_more(limit)

    def _fetch_more(self, limit: int) -> None:
        """There may be more: several calls at once, until one of them finds less than it may."""
        while (missing := limit - len(self._fetched)) > 0 and self._has_room():
            calls = range(min(CALLS, -(-missing // A_CALL)))
            found = [self._threads.submit(self._receive, 0) for _ in calls]
            if any(each.exception() or each.result() < A_CALL for each in found):
                return

    def _has_room(self) -> bool:
        return sum(len(message.body) for message in self._fetched) < FETCHED_BYTES

    def _receive(self, wait: int) -> int:
        """Take some messages; returns how many."""
        answer = self._queue.call(
            "receive_message",
            MaxNumberOfMessages=A_CALL,
            WaitTimeSeconds=wait,
            VisibilityTimeout=max(1, round(self._visibility)),
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        due = time.monotonic() + self._visibility / 2
        found = [_message(each, due) for each in answer.get("Messages", ())]
        with self._lock:
            late = found if self._closed.is_set() else []
            for message in found[len(late) :]:
                self._take(message)
        if late:
            self._extend(late, 0)
        return len(found) - len(late)

    def _take(self, message: _Message) -> None:
        """Keep it for `read`. One that we have already is not handed out twice; its newest handle counts."""
        if known := self._known.get(message.id):
            known.handle, known.due = message.handle, message.due
        else:
            self._known[message.id] = message
            self._fetched.append(message)

    def _batch(self, limit: int) -> Batch | None:
        hits: list[Hit] = []
        with self._lock:
            first = self._at + 1
            while self._fetched and len(hits) < limit:
                message = self._fetched.popleft()
                hit = _hit(message, self._decode)
                if hit is None:
                    del self._known[message.id]
                    continue
                message.body = ""
                hits.append(hit)
                self._at += 1
                self._held[self._at] = message
        return Batch(self.partition, hits, range(first, self._at + 1)) if hits else None

    def _delete(self, settled: Sequence[tuple[Position, _Message]]) -> None:
        for _, message in settled:
            message.due = NEVER
        entries = [{"ReceiptHandle": message.handle} for _, message in settled]
        for _, why in self._queue.each("delete_message_batch", entries):
            _LOG.warning("a settled message comes again; it is merged", queue=self._queue.name, error=why)
        with self._lock:
            for place, message in settled:
                self._held.pop(place, None)
                self._known.pop(message.id, None)

    def _beat(self) -> None:
        """Extend, again and again, the time of what is in work."""
        while not self._closed.wait(self._visibility / 8):
            now = time.monotonic()
            with self._lock:
                due = [message for message in (*self._held.values(), *self._fetched) if message.due <= now]
            aws.in_threads(self._threads, partial(self._renew, now), list(_parts(due)))

    def _renew(self, now: float, part: Sequence[_Message]) -> None:
        kept = [message for message in part if message.due <= now]  # others may be settled by now
        if kept and not self._closed.is_set():
            for message in kept:
                message.due = now + self._visibility / 2
            self._extend(kept, round(self._visibility))

    def _give_back(self, messages: Sequence[_Message], seconds: float | None = None) -> int:
        """Returns how many calls were not made within so many seconds."""
        with self._lock:
            for message in messages:
                message.due = NEVER
                self._known.pop(message.id, None)
        return aws.in_threads(self._threads, partial(self._extend, seconds=0), list(_parts(messages)), seconds)

    def _extend(self, messages: Sequence[_Message], seconds: int) -> None:
        """What goes wrong is only told: then they come again, sooner or later than they would."""
        entries = [{"ReceiptHandle": message.handle, "VisibilityTimeout": seconds} for message in messages]
        try:
            refused = [why for _, why in self._queue.each("change_message_visibility_batch", entries)]
        except StreamUnavailable as error:
            refused = [str(error)]
        if refused:
            _LOG.warning("messages in work may come again; they are merged", queue=self._queue.name, error=refused[0])


class SqsWatcher:
    """See `pixelake.stream.base.Watcher`. A queue knows about how many messages it has, and no more."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def extents(self) -> Sequence[Extent]:
        """One row: about as many hits as wait, or were read and not committed."""
        answer = self._queue.call("get_queue_attributes", AttributeNames=list(_COUNTS))
        count = sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)
        return [Extent(f"queue {self._queue.name}", 1, count, 0)] if count else []

    def received_at(self, partition: Partition, position: Position) -> int | None:  # noqa: ARG002 - see the protocol
        """Nobody can say."""
        return None

    def committed(self, group: str) -> Mapping[Partition, Position]:  # noqa: ARG002 - see the protocol
        """What is committed is gone."""
        return {}


_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


def _message(received: Mapping[str, Any], due: float) -> _Message:
    sent_at = int(received.get("Attributes", {}).get("SentTimestamp", 0)) * 1_000
    return _Message(received["MessageId"], received["ReceiptHandle"], sent_at, received["Body"], due)


def _hit(message: _Message, decode: Decode) -> Hit | None:
    """What is in it; None if a newer program must read it, to whom the queue hands it when our time has passed."""
    try:
        return messages.hit(message.body.encode(errors="surrogatepass"), message.sent_at, f"sqs-{message.id}", decode)
    except NewerVersion as error:
        _LOG.warning("a message is left in the queue", message=message.id, error=str(error), hint=error.hint)
        return None


def _in_background(act: Callable[[], T]) -> Future[T]:
    """Do it in a thread that holds up no end of the process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as error:  # noqa: BLE001 - whoever asks is told
            future.set_exception(error)

    threading.Thread(target=run, name="poll", daemon=True).start()
    return future


def _parts(things: Iterable[T]) -> Iterator[list[T]]:
    """As many at a time as one call takes."""
    rest = iter(things)
    while part := list(islice(rest, A_CALL)):
        yield part
