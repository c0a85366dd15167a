"""Streams of AWS by their address.

``sqs://queue``, ``sqs://queue?visibility=30`` (seconds that nobody else gets a
message that was read), ``kinesis://stream`` or ``kinesis://stream?aggregate=on``.
"""

import re
from pathlib import Path

from pixelake import hit_json
from pixelake.errors import SettingsError, StreamError, StreamUnavailable
from pixelake.stream import aws
from pixelake.stream.base import GROUP, Reader, Watcher, Writer
from pixelake.stream.kinesis import KinesisStream, KinesisWriter
from pixelake.stream.kinesis_reader import KinesisReader, KinesisWatcher
from pixelake.stream.messages import Decode
from pixelake.stream.sqs import VISIBILITY, Queue, SqsReader, SqsWatcher, SqsWriter

LEAST, MOST = 10, 43_200
"""Seconds that a message may be held: SQS allows no more."""
SWITCH = {"": False, "aggregate=off": False, "aggregate=on": True}


def writer(scheme: str, name: str) -> Writer:
    """Where the collector puts hits.

    Raises:
        SettingsError: the address says more than it may.
        StreamUnavailable: the environment does not say how AWS is reached.
    """
    if scheme == "sqs":
        return SqsWriter(_queue(name))
    stream, _, options = name.partition("?")
    return KinesisWriter(_stream(stream, options), aggregate=SWITCH[options])


def reader(scheme: str, name: str, folder: Path, group: str, decode: Decode = hit_json.decode) -> Reader:
    """Where the consumer takes hits from. Raises as `writer` does.

    Args:
        scheme: ``sqs`` or ``kinesis``.
        name: what stands behind it.
        folder: where it is kept how far a stream was read.
        group: of the readers.
        decode: reads a message.

    Raises:
        StreamError: a queue has one group of readers.
    """
    if scheme == "kinesis":
        return KinesisReader(_stream(*name.partition("?")[::2]), folder, group, decode)
    if group != GROUP:
        raise StreamError("a queue has no second group of readers", "restart the consumer: what waits comes again")
    return SqsReader(_queue(name), visibility=_visibility(name), decode=decode)


def watcher(scheme: str, name: str, folder: Path) -> Watcher:
    """What `status` asks. Raises as `writer` does."""
    if scheme == "sqs":
        return SqsWatcher(_queue(name))
    return KinesisWatcher(_stream(*name.partition("?")[::2]), folder)


def check(scheme: str, name: str) -> None:
    """Refuse what is not there, or does not let us in. Who does not answer just now may do so later.

    Raises:
        SettingsError: the address says more than it may.
        StreamUnavailable: there is no such queue or stream, or it is not ours.
    """
    try:
        if scheme == "sqs":
            SqsWatcher(_queue(name)).extents()
        else:
            _stream(*name.partition("?")[::2]).call("list_shards", MaxResults=1)
    except StreamUnavailable as error:
        if not aws.is_away(error):
            raise


def _queue(address: str) -> Queue:
    name = address.partition("?")[0]
    if "@" in name:  # what stands before it is not told: it may be a password
        raise SettingsError("stream: the URL of a queue has no user", "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
    if name.rstrip("/").endswith(".fifo"):
        raise SettingsError(f"{name} is a FIFO queue", "make a standard one: hits need no order, and are merged")
    _visibility(address)
    return Queue(name)


def _visibility(address: str) -> int:
    """Seconds that nobody else gets a message that was read."""
    options = address.partition("?")[2]
    if not options:
        return VISIBILITY
    found = re.fullmatch(r"visibility=(\d{1,5})", options)
    if not found or not LEAST <= int(found[1]) <= MOST:
        raise SettingsError(f"stream: nobody knows {options}", f"write sqs://name?visibility={LEAST} to {MOST}")
    return int(found[1])


def _stream(name: str, options: str) -> KinesisStream:
    if options not in SWITCH:
        raise SettingsError(f"stream: nobody knows {options}", "write kinesis://name, or kinesis://name?aggregate=on")
    return KinesisStream(name)
