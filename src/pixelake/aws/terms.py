"""What the designs are set to: one place for the stacks, and for what runs on this machine. Seconds and bytes.

On this machine time goes faster (`SPEED`): else one would wait a minute for a
buffer to be full.
"""

from dataclasses import dataclass
from typing import Final

LANDING, ERRORS, FAILED, LOGS, LAKE = "landing/", "errors/", "aws/lambda/", "logs/", "lake/"
"""Beginnings of keys in the bucket: what Firehose lands, what it could not, what a mapping gave up, logs, the lake."""
LOGS_OF_AWS: Final = "AWSLogs/"
"""How keys of standard logs begin that CloudFront itself puts there."""
FOLDERS: Final = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
"""Of an object of Firehose, behind its prefix. ``yyyy`` is the calendar's year; ``YYYY`` that of its week."""
ERROR_TYPE: Final = "!{firehose:error-output-type}/"
SPEED: Final = 20.0
"""How many seconds here are one on this machine."""
KEYS: Final = ("pk", "sk")
TTL: Final = "ttl"
"""Attributes of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfStream:
    """A mapping from a stream of Kinesis.

    Attributes:
        batch: records of a call at most.
        window: that the first record waits for others.
        retries: of a batch that fails, each time in halves if it can be.
        age: from when on a record is given up.
    """

    batch: int
    window: float
    retries: int
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OfQueue:
    """A queue of SQS, the one for its dead letters, and the mapping from it.

    Attributes:
        batch: messages of a call at most.
        window: that the first message waits for others.
        visibility: that a message belongs to who received it: six times the timeout of the function.
        receives: after so many a message is dead.
        retention: of the queue.
        dead: retention of the other.
        at_once: calls at once, at most.
    """

    batch: int
    window: float
    visibility: float
    receives: int
    retention: float
    dead: float
    at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffers:
    """What a stream of Firehose waits for: of the function that transforms, and of an object.

    Attributes:
        size: bytes of an object before it is converted; 64 MiB at least where it is.
        seconds: that the first record of an object waits for others.
        gathered: bytes of a call of the function; its answer may be six times as long, and 6 MiB.
        gather: seconds that the first record of a call waits for others.
    """

    size: int
    seconds: float
    gathered: int
    gather: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """Of an API: requests a second, and how many at once beyond that."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function.

    Attributes:
        memory: MiB.
        timeout: of a call.
    """

    memory: int
    timeout: float


CONSUME: Final = OfStream(batch=10_000, window=5.0, retries=6, age=21_600.0)
"""A call is a commit of the lake: a hundred records each would be ten commits a second at a thousand hits."""
AGGREGATE: Final = OfStream(batch=10_000, window=5.0, retries=6, age=21_600.0)
HITS: Final = OfQueue(
    batch=1_000, window=5.0, visibility=360.0, receives=3, retention=4 * 86_400.0, dead=14 * 86_400.0, at_once=4
)
LANDED: Final = OfQueue(
    batch=10, window=0.0, visibility=720.0, receives=3, retention=4 * 86_400.0, dead=14 * 86_400.0, at_once=4
)
FIREHOSE: Final = Buffers(size=64 << 20, seconds=60.0, gathered=1 << 20, gather=20.0)
SHARDS: Final = 2
RETENTION_HOURS: Final = 24
"""Of a stream."""
A_SHARD: Final = 1_000
"""Records that a shard takes in a second."""


def throttle(shards: int) -> Throttle:
    """Of an API in front of so many shards: what they take, and no more."""
    return Throttle(rate=A_SHARD * shards, burst=A_SHARD * shards)


THROTTLE: Final = throttle(SHARDS)
FUNCTIONS: Final = {
    "ingest": Function(memory=256, timeout=5.0),
    "consume": Function(memory=1_024, timeout=60.0),
    "transform": Function(memory=512, timeout=120.0),
    "gather": Function(memory=1_536, timeout=120.0),
    "aggregate": Function(memory=256, timeout=60.0),
    "api": Function(memory=1_536, timeout=29.0),
    "keep": Function(memory=1_536, timeout=600.0),
}
SYSTEM_LOGS: Final = "WARN"
"""From which level on Lambda itself writes to the log of a function: of a call that succeeds, nothing."""
LIVE_WINDOW: Final = 10.0
"""Of machines that settle their hits themselves: seconds between two writes of the live store."""
KEEP_EVERY: Final = 300
"""Seconds between two calls of `keep`."""
