"""A stream of Amazon Kinesis Data Streams: ``kinesis://name``. Writing.

A record is one line of `pixelake.hit_json`, or with ``?aggregate=on`` many of
them in the format of Amazon's producer library (`pixelake.stream.aggregate`).
"""

from collections.abc import Sequence
from typing import Any, Final

from pixelake.errors import StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream import aws
from pixelake.stream.aggregate import pack
from pixelake.stream.aws import Failed, Line, Sender

A_CALL: Final = 500
"""Records that one call may put."""
BYTES: Final = 5 << 20
"""Bytes of a call; a newer service takes more."""
RECORD: Final = 1 << 20
"""Bytes of a record, with its partition key."""
KEY: Final = 256
"""Bytes of a partition key at most."""
CALLS: Final = 8
"""Calls of a process that are under way at once."""


class KinesisStream:
    """A stream by its name. It may be used by several threads; nobody is asked before the first call."""

    def __init__(self, name: str, client: Any = None) -> None:
        """Which stream.

        Args:
            name: of the stream.
            client: botocore's; by default one of the environment.

        Raises:
            StreamUnavailable: what the environment says is not enough.
        """
        self.name = name.strip("/")
        self._client = client or aws.client("kinesis", connections=2 * CALLS)

    def call(self, operation: str, *, named: bool = True, **arguments: Any) -> Any:
        """The answer. Raises `StreamUnavailable`.

        Args:
            operation: as botocore names it.
            named: whether it wants the name of the stream.
            arguments: of the operation.
        """
        name = {"StreamName": self.name} if named else {}
        return aws.call(getattr(self._client, operation), **name, **arguments)


class KinesisWriter:
    """See `pixelake.stream.base.Writer`. A hit that has no ``hit_id`` gets one: a random name of ours and a number.

    A record is put under the id of its hit, so that hits spread over all shards; an
    aggregate under a random key.
    """

    def __init__(self, stream: KinesisStream, *, aggregate: bool = False) -> None:
        self._stream, self._aggregate = stream, aggregate
        self._sender = Sender(self._send, most=A_CALL, size=BYTES, calls=CALLS, longest=RECORD - 4 * KEY)

    async def append(self, hits: Sequence[Hit]) -> None:
        """Done only once the stream has every hit.

        Raises:
            HitTooLarge: one takes more than a record holds; the others are kept.
            StreamUnavailable: some may not be there.
        """
        await self._sender.append(hits)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._sender.close()

    def _send(self, lines: Sequence[Line]) -> None:
        records = self._packed(lines) if self._aggregate else _plain(lines)
        if refused := aws.deliver(records, self._put):
            raise StreamUnavailable(f"the stream refuses a record: {refused[0][1]}", aws.HINT)

    def _put(self, records: Sequence[dict[str, Any]]) -> Sequence[Failed]:
        answer = self._stream.call("put_records", Records=list(records))
        if not answer.get("FailedRecordCount"):
            return []
        codes = [str(each.get("ErrorCode") or "") for each in answer["Records"]]
        return [Failed(at, code, again=True) for at, code in enumerate(codes) if code]

    @staticmethod
    def _packed(lines: Sequence[Line]) -> Sequence[dict[str, Any]]:
        return [{"Data": each.data, "PartitionKey": each.partition_key} for each in pack(line.data for line in lines)]


def _plain(lines: Sequence[Line]) -> Sequence[dict[str, Any]]:
    return [{"Data": line.data, "PartitionKey": line.hit_id[:KEY]} for line in lines]
