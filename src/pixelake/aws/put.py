"""Where the function of API Gateway puts its hits: a stream of Kinesis, a stream of Firehose, or a queue of SQS.

Region, credentials and endpoint are told by ``AWS_*`` of the environment, as to
any program.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from pixelake.errors import SettingsError, StreamUnavailable
from pixelake.stream.aws import one_line

_HINT: Final = "set PIXELAKE_STREAM to kinesis://NAME, firehose://NAME, or sqs://NAME-OR-URL"
CONNECT_SECONDS: Final = 0.3
READ_SECONDS: Final = 0.6
ATTEMPTS: Final = 2
"""The second one for a connection that was closed while the function was frozen. Both, with a second at most between
them, end before the 3 s that Lambda gives a function by default: beyond them nobody would answer with an image."""
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "KMSAccessDeniedException"})
_MISSING: Final = frozenset(
    {
        "ResourceNotFoundException",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    }
)
_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "KMSThrottlingException",
        "LimitExceededException",
        "RequestThrottled",
        "ServiceUnavailableException",
        "Throttling",
        "ThrottlingException",
    }
)


class Undecided(StreamUnavailable):
    """No answer came in time: the hit may have been kept."""

    reason = "undecided"


class Put(Protocol):
    """Makes hits durable, one at a time.

    Attributes:
        most: bytes of a hit.
    """

    most: int

    def put(self, hit_id: str, line: bytes) -> None:
        """Return only once the hit is durable. It may then be there twice, under the same name.

        Args:
            hit_id: its name.
            line: the hit, see `pixelake.hit_json`.

        Raises:
            StreamUnavailable: it is not known to be durable; ``reason`` is what the client is told.
        """
        ...


class Kinesis:
    """A stream of Kinesis Data Streams. Hits are spread over its shards by their names."""

    most = (1 << 20) - 256  # the key counts too

    def __init__(self, name: str) -> None:
        self._put = partial(_client("kinesis").put_record, StreamName=name)

    def put(self, hit_id: str, line: bytes) -> None:
        """See `Put`."""
        _call(self._put, Data=line, PartitionKey=hit_id)


class Firehose:
    """A stream of Firehose, each hit with a line end behind it: Firehose adds none."""

    most = 1_000 * 1_024 - 1

    def __init__(self, name: str) -> None:
        self._put = partial(_client("firehose").put_record, DeliveryStreamName=name)

    def put(self, hit_id: str, line: bytes) -> None:  # noqa: ARG002 - the name is in the line
        """See `Put`."""
        _call(self._put, Record={"Data": line + b"\n"})


class Sqs:
    """A queue of SQS: by its URL, or by its name in the account and region that we are in."""

    most = 1 << 20

    def __init__(self, queue: str) -> None:
        if "@" in queue:  # what stands before it is not told: it may be a password
            raise SettingsError("PIXELAKE_STREAM: the URL of a queue has no user", "let the function have a role")
        session = Session()
        self._client = _client("sqs", session)
        self._name = "" if "/" in queue else queue
        self._url = "" if self._name else queue if "://" in queue else f"https://{queue}"
        self._first = _client("sqs", session, attempts=1) if self._name else self._client

    def put(self, hit_id: str, line: bytes) -> None:  # noqa: ARG002 - the name is in the line
        """See `Put`. The first time it makes two calls, in as much time: with one attempt each."""
        client = self._client
        if not self._url:
            client = self._first
            self._url = _call(client.get_queue_url, QueueName=self._name)["QueueUrl"]
        _call(client.send_message, QueueUrl=self._url, MessageBody=line.decode("ascii"))


_KINDS: Final[Mapping[str, Callable[[str], Put]]] = {"kinesis": Kinesis, "firehose": Firehose, "sqs": Sqs}


def opened(url: str) -> Put:
    """Where a URL points to. Asks nobody.

    Raises:
        SettingsError: it names nothing that hits can be put to, or AWS's region is not told.
    """
    kind, separator, name = url.partition("://")
    if not url:
        raise SettingsError("PIXELAKE_STREAM is not set: hits have no place to go", _HINT)
    if not separator or not name:
        raise SettingsError("PIXELAKE_STREAM is no URL with a name in it", _HINT)
    if kind not in _KINDS:  # the URL may hold a password: only its scheme is told
        raise SettingsError(f"PIXELAKE_STREAM: hits cannot be put to {kind}:// URLs", _HINT)
    try:
        return _KINDS[kind](name)
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
        raise SettingsError(
            f"AWS cannot be asked: {one_line(error)}", "set AWS_REGION, as Lambda does by itself"
        ) from error


def _client(service: str, session: Session | None = None, attempts: int = ATTEMPTS) -> Any:
    return (session or Session()).create_client(
        service,
        region_name=os.environ.get("AWS_REGION"),  # botocore itself reads only AWS_DEFAULT_REGION
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": attempts},
            tcp_keepalive=True,
        ),
    )


def _call(method: Callable[..., Any], **arguments: Any) -> Any:
    """Ask AWS, a few times if need be.

    Raises:
        StreamUnavailable: it did not do it, or did not say so.
    """
    try:
        return method(**arguments)
    except ClientError as error:
        raise StreamUnavailable(one_line(error), _advice(error.response.get("Error", {}).get("Code", ""))) from error
    except (ReadTimeoutError, ConnectionClosedError, ResponseParserError) as error:
        raise Undecided(one_line(error), "nothing: it passes by itself; clients may send again") from error
    except (BotoCoreError, RuntimeError) as error:  # RuntimeError: fresh credentials that are too old
        raise StreamUnavailable(
            one_line(error),
            "see that the function has credentials and a way to the service: a role, an endpoint in its VPC",
        ) from error


def _advice(code: str) -> str:
    if code in _MISSING:
        return "see that PIXELAKE_STREAM names what exists in this account and region"
    if code in _DENIED:
        return "let the role of the function do kinesis:PutRecord, firehose:PutRecord or sqs:SendMessage on it"
    if code in _THROTTLED:
        return "give the stream more shards, or let it scale by itself (on-demand)"
    return "see what AWS says of the service; clients may send again"
