"""Reading a stream of Amazon Kinesis: each shard by one reader of a group at a time, as far as one machine goes.

The lock of a shard is a file of this machine's (``<data>/stream/kinesis/``): consumers
of one group on several machines would each read all of it. Shards that came out of
others by resharding are read when those are through.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from pixelake import hit_json
from pixelake.clock import SECOND
from pixelake.disk import Flock
from pixelake.errors import NewerVersion, StreamError, StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream import aws, kinesis_places, messages
from pixelake.stream.aggregate import unpack
from pixelake.stream.aws import Busy
from pixelake.stream.base import Batch, Extent, Partition, Position
from pixelake.stream.kinesis import KinesisStream
from pixelake.stream.kinesis_places import Place, Places
from pixelake.stream.messages import Decode

PACE: Final = 0.25
"""Seconds from one look into a shard to the next: it lets itself be read five times a second, by all its readers."""
RESCAN: Final = 10.0
"""Seconds between looks for new shards."""
HOLD_BACK: Final = 5.0
"""Seconds that a shard is left alone which cannot be read; the others go on."""
SLOWEST: Final = 8.0
"""Most seconds that are waited for a shard that is too busy; a little at first, then twice as long each time."""
A_CALL: Final = 10_000
"""Records of a call at most."""
POLL: Final = 0.05
_LOG = structlog.get_logger()


@dataclass(slots=True)
class _Item:
    """A hit as it came: which of its record it is, from 1 on, and of how many."""

    data: bytes
    arrived_at: int
    sequence: str
    number: int
    count: int


@dataclass(slots=True)
class _Cursor:
    """Reads a shard. `at` is the position of the last hit that was handed out."""

    shard: str
    lock: Flock
    partition: Partition
    at: Position
    place: Place | None
    """Where reading begins; None: with the oldest record."""
    skip: int
    """Hits that are still to be passed over, from that place on."""
    after: str = ""
    """The last record that was fetched."""
    iterator: str | None = None
    ended: bool = False
    items: deque[_Item] = field(default_factory=deque)
    notes: deque[Place] = field(default_factory=deque)
    """The ends of records that were handed out and not committed."""
    next_at: float = 0.0
    pause: float = PACE
    held_until: float = 0.0
    is_told: bool = False
    """Whether its last position is known to others."""


class KinesisReader:
    """See `pixelake.stream.base.Reader`.

    Positions of a shard grow and are found again, but a writer that did not hear
    an answer writes a hit twice: so hits are merged by their ids.
    """

    ordered = False

    def __init__(self, stream: KinesisStream, folder: Path, group: str, decode: Decode = hit_json.decode) -> None:
        self._stream, self._group, self._decode = stream, group, decode
        self._places = Places(folder, stream.name)
        self._locks = folder / "kinesis"
        self._locks.mkdir(parents=True, exist_ok=True)
        self._cursors: dict[str, _Cursor] = {}
        self._scan_at = 0.0
        self._last = ""

    def read(self, limit: int, wait: float) -> Batch | None:
        """The next hits of some shard, or None after `wait` seconds."""
        deadline = time.monotonic() + wait
        while True:
            self._scan()
            for cursor in self._in_turn():
                self._last = cursor.shard
                batch = self._take(cursor, limit)
                if batch is not None:
                    return batch
            rest = deadline - time.monotonic()
            if rest <= 0:
                return None
            time.sleep(min(POLL, rest))

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Never return hits up to these positions to this group again."""
        cursors = {cursor.partition: cursor for cursor in self._cursors.values()}
        for partition, position in positions.items():
            if cursor := cursors.get(partition):
                self._note(cursor, position)
            self._places.commit(self._group, partition, position)
            if cursor and cursor.ended:
                self._scan_at = 0.0  # what came out of it may be due

    def rewind(self, positions: Mapping[Partition, Position]) -> None:
        """Go on right behind the given positions; partitions not named begin with the oldest hit that is held.

        Shards that another reader of the group has stay where he is.
        """
        self._let_go()
        for name, shard in self._places.shards().items():
            lock = self._lock(name)
            if lock.acquire():
                self._places.commit(self._group, shard.partition, positions.get(shard.partition, 0))
                lock.release()

    def close(self) -> None:
        """Let the shards go."""
        self._let_go()
        self._places.close()

    def _let_go(self) -> None:
        for cursor in self._cursors.values():
            cursor.lock.release()
        self._cursors.clear()
        self._scan_at = 0.0

    def _in_turn(self) -> list[_Cursor]:
        now = time.monotonic()
        cursors = [cursor for _, cursor in sorted(self._cursors.items()) if now >= cursor.held_until]
        return [each for each in cursors if each.shard > self._last] + [
            each for each in cursors if each.shard <= self._last
        ]

    def _scan(self) -> None:
        """Let go of what is through, and take what shards are free, and due."""
        if time.monotonic() < self._scan_at:
            return
        self._scan_at = time.monotonic() + (
            HOLD_BACK if self._cursors else 0.0
        )  # if it fails, shards that we have go on
        shards = dict(self._listed())
        for name in [name for name in self._cursors if self._is_through(name)]:
            self._cursors.pop(name).lock.release()
        for name, parents in shards.items():
            due = all(self._is_through(parent) for parent in parents if parent in shards)
            if name not in self._cursors and due and not self._is_through(name):
                lock = self._lock(name)
                if lock.acquire():
                    self._cursors[name] = self._cursor(name, lock)
        self._scan_at = time.monotonic() + RESCAN

    def _lock(self, shard: str) -> Flock:
        return Flock(self._locks / f"{self._stream.name}-{shard}-{self._group}.lock")

    def _listed(self) -> Iterator[tuple[str, Sequence[str]]]:
        """The shards and those they came out of."""
        answer = self._stream.call("list_shards")
        while True:
            for each in answer["Shards"]:
                parents = (each.get("ParentShardId"), each.get("AdjacentParentShardId"))
                yield each["ShardId"], [parent for parent in parents if parent]
            if not (token := answer.get("NextToken")):
                return
            answer = self._stream.call("list_shards", named=False, NextToken=token)

    def _is_through(self, shard: str) -> bool:
        known = self._places.shard(shard)
        return known.last is not None and self._places.committed(self._group, known.partition) >= known.last

    def _cursor(self, shard: str, lock: Flock) -> _Cursor:
        partition = self._places.shard(shard).partition
        at = self._places.committed(self._group, partition)
        place = self._places.before(partition, at)
        if place is None and at:
            return self._anew(shard, lock, "the place where it was is not known")
        return _Cursor(shard, lock, partition, at, place, place.taken + at - place.position if place else 0)

    def _anew(self, shard: str, lock: Flock, why: str) -> _Cursor:
        """Read a shard from its oldest record on, as another partition."""
        partition = self._places.begin(shard).partition
        _LOG.warning("a shard is read from its oldest hit on; what is known is merged", shard=shard, why=why)
        return _Cursor(shard, lock, partition, 0, None, 0)

    def _take(self, cursor: _Cursor, limit: int) -> Batch | None:
        if not cursor.items:
            self._fetch(cursor, limit)
            cursor = self._cursors[cursor.shard]
        hits: list[Hit] = []
        first = cursor.at + 1
        while cursor.items and len(hits) < limit:
            try:
                hits.append(_hit(cursor.shard, cursor.items[0], self._decode))
            except NewerVersion as error:
                if hits:
                    break
                cursor.held_until = time.monotonic() + HOLD_BACK
                raise StreamError(f"{cursor.shard}: {error}", error.hint) from error
            item = cursor.items.popleft()
            cursor.at += 1
            if item.number == item.count:
                cursor.notes.append(Place(cursor.at, item.sequence, item.count))
        self._end(cursor)
        return Batch(cursor.partition, hits, range(first, cursor.at + 1)) if hits else None

    def _end(self, cursor: _Cursor) -> None:
        """If it was the last hit of a closed shard, remember that."""
        if cursor.ended and not (cursor.items or cursor.is_told):
            self._places.end(cursor.shard, cursor.at)
            cursor.is_told = True
            self._scan_at = 0.0  # it may be through: then others are due

    def _note(self, cursor: _Cursor, position: Position) -> None:
        place = None
        while cursor.notes and cursor.notes[0].position <= position:
            place = cursor.notes.popleft()
        if place:
            self._places.note(cursor.partition, place)

    def _fetch(self, cursor: _Cursor, limit: int) -> None:
        """Ask for more, if it is time.

        Raises:
            StreamUnavailable: the shard cannot be read just now.
        """
        if cursor.ended or time.monotonic() < cursor.next_at:
            return
        try:
            answer = self._records(cursor, min(A_CALL, max(1, limit)))
        except Busy:
            cursor.pause = min(SLOWEST, 2 * cursor.pause)
            cursor.next_at = time.monotonic() + cursor.pause
            return
        except StreamUnavailable as error:
            self._recover(cursor, error)
            return
        cursor.next_at, cursor.pause = time.monotonic() + PACE, PACE
        if not self._is_where_it_was(cursor, answer["Records"]):
            self._cursors[cursor.shard] = self._anew(cursor.shard, cursor.lock, "its record is held no longer")
            return
        self._keep(cursor, answer["Records"])
        cursor.iterator = answer.get("NextShardIterator")
        cursor.ended = cursor.iterator is None

    def _recover(self, cursor: _Cursor, error: StreamUnavailable) -> None:
        """An iterator that is too old is made anew; a place that is no place of the stream's any more is given up."""
        cursor.iterator = None
        code = aws.code(error.__cause__)
        if code == "ExpiredIteratorException":
            return
        if code == "InvalidArgumentException" and cursor.place and not cursor.after:
            self._cursors[cursor.shard] = self._anew(cursor.shard, cursor.lock, str(error))
            return
        cursor.next_at = time.monotonic() + HOLD_BACK
        raise error

    def _records(self, cursor: _Cursor, limit: int) -> Any:
        if cursor.iterator is None:
            cursor.iterator = self._stream.call("get_shard_iterator", ShardId=cursor.shard, **_where(cursor))[
                "ShardIterator"
            ]
        return self._stream.call("get_records", named=False, ShardIterator=cursor.iterator, Limit=limit)

    def _is_where_it_was(self, cursor: _Cursor, records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the first records that are read begin with the one that we know the position of."""
        if cursor.after or not records:
            return True
        if cursor.place is None:
            cursor.place = Place(0, records[0]["SequenceNumber"], 0)
            self._places.note(cursor.partition, cursor.place)
            return True
        return bool(records[0]["SequenceNumber"] == cursor.place.sequence)

    @staticmethod
    def _keep(cursor: _Cursor, records: Sequence[Mapping[str, Any]]) -> None:
        for record in records:
            arrived: Any = record.get("ApproximateArrivalTimestamp")
            at = int(arrived.timestamp() * SECOND) if isinstance(arrived, datetime) else 0
            found = unpack(record["Data"], record["PartitionKey"])
            sequence = record["SequenceNumber"]
            items = [_Item(each.data, at, sequence, number, len(found)) for number, each in enumerate(found, 1)]
            skipped = min(cursor.skip, len(items))
            cursor.skip -= skipped
            cursor.items.extend(items[skipped:])
            cursor.after = sequence


class KinesisWatcher:
    """See `pixelake.stream.base.Watcher`. A stream does not say how many hits it holds, only how far it was read."""

    def __init__(self, stream: KinesisStream, folder: Path) -> None:
        self._stream, self._folder = stream, folder

    def extents(self) -> Sequence[Extent]:
        """None: nobody can say what waits, and what was read the lake counts."""
        return []

    def received_at(self, partition: Partition, position: Position) -> int | None:  # noqa: ARG002 - see the protocol
        """Nobody can say."""
        return None

    def committed(self, group: str) -> Mapping[Partition, Position]:
        """How far a group of readers has committed."""
        return kinesis_places.look(self._folder, group)


def _where(cursor: _Cursor) -> Mapping[str, Any]:
    if cursor.after:
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": cursor.after}
    if cursor.place:
        return {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": cursor.place.sequence}
    return {"ShardIteratorType": "TRIM_HORIZON"}


def _hit(shard: str, item: _Item, decode: Decode) -> Hit:
    """What is in it. Raises `NewerVersion`."""
    return messages.hit(item.data, item.arrived_at, f"{shard}-{item.sequence}-{item.number}", decode)
