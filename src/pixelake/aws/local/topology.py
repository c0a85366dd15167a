"""The four designs on this machine: which parts each has, and how they hang together.

::

    stream    HTTP API -> ingest -> Kinesis -> consume -> lake, live
    firehose  HTTP API -> ingest -> Firehose (transform, Parquet) -> S3 -> gather -> lake, live
    edge      CDN -> Kinesis -> aggregate -> Kinesis -> Firehose (transform, Parquet) -> S3 -> gather -> lake, live
    queue     CDN -> REST API -> SQS -> consume -> lake, live

The lake, and all other objects, are in one bucket; the registry, the live store
and the event ids in one table.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from pixelake.aws import terms
from pixelake.aws.local import edge
from pixelake.aws.local import firehose as firehoses
from pixelake.aws.local.cloud import BUCKET, Cloud
from pixelake.aws.local.convert import Conversion
from pixelake.aws.local.direct_api import api
from pixelake.aws.local.faults import Faults
from pixelake.aws.local.firehose import Firehose
from pixelake.aws.local.function import Function
from pixelake.aws.local.http import Answer, Asked, Server, Throttled, Told, in_1, in_2, proxied
from pixelake.aws.local.mapping import ACCOUNT, Mapping_, OfQueue, OfStream, Runner, Terms
from pixelake.event import Field
from pixelake.stream import aws
from pixelake.warehouse.glue import landing_table, register

TOPOLOGIES: Final = ("stream", "firehose", "edge", "queue")
TABLE: Final = "pixelake"
HITS, PACKED, LANDED, DEAD = "hits", "packed", "landed", "dead"
"""Of streams and queues; what fails is in one whose name ends in `-dead`."""
HOUR: Final = 3_600.0
QUIET: Final = 3.0
"""Seconds without anything to do, after which all is settled."""
LONGEST: Final = 120.0
"""Seconds that settling takes at most."""
LOGGED: Final = 5.0
_LOG: Final = structlog.get_logger("local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to run.

    Attributes:
        topology: one of `TOPOLOGIES`.
        data: the folder that the bucket is written to.
        collect: host and port of the pixel.
        faults: what goes wrong.
        payload: how API Gateway calls the function: ``2.0`` or ``1.0``.
        shards: of each stream.
        environment: settings of functions, beside those that say where things are.
        own: columns of the user's own enrichers, which these settings name.
        format: of the files of Firehose: ``parquet`` or ``orc``.
        speed: how many seconds of `pixelake.aws.terms` are one here.
    """

    topology: str
    data: Path
    collect: tuple[str, int]
    faults: Faults
    payload: str = "2.0"
    shards: int = terms.SHARDS
    environment: Mapping[str, str] = field(default_factory=dict)
    own: Sequence[Field] = ()
    format: str = "parquet"
    speed: float = terms.SPEED


_NONE: Final[Mapping[str, str]] = {}


class Topology:
    """A running design. Everything is in this process and its children."""

    def __init__(self, wanted: Wanted) -> None:
        """Nothing runs yet."""
        self._wanted = wanted
        self.cloud = Cloud(wanted.data, wanted.faults)
        self._runners: list[Runner] = []
        self._queues: list[OfQueue] = []
        self._flush: Callable[[], None] = lambda: None
        self._waiting: Callable[[], int] = lambda: 0
        self._ends = ExitStack()
        self.pixel = ""

    def start(self) -> None:
        """Start all parts; `pixel` is where it listens then.

        Raises:
            OSError: the address is in use.
        """
        self.cloud.start()
        self._ends.callback(self.cloud.stop)
        make_table(self.cloud)
        landing = f"s3://{BUCKET}/{terms.LANDING}" if self._wanted.topology in {"firehose", "edge"} else ""
        register(
            self.cloud.client("glue"), TABLE, PLACES["PIXELAKE_LAKE"], landing, self._wanted.own, self._wanted.format
        )
        answer = _PARTS[self._wanted.topology](self)
        self._front = Server(*self._wanted.collect, answer)
        self.pixel = self._front.start() + edge.PIXEL
        for runner in self._runners:
            runner.start()

    def close(self) -> None:
        """Take no more hits, settle those that came, and end."""
        self._front.close()
        self.settle()
        for runner in self._runners:
            runner.close()
        self._ends.close()

    def settle(self) -> bool:
        """Wait until all that came is settled; whether it is, in a bounded time."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            self._flush()
            waiting = self._waiting() + sum(queue.left() for queue in self._queues)
            if not waiting and all(runner.idle() > QUIET for runner in self._runners):
                return True
            time.sleep(0.2)
        _LOG.warning("not all is settled", hint="what is left in streams and queues is gone with them")
        return False

    @property
    def environment(self) -> Mapping[str, str]:
        """Of programs that look into it: the dashboard, SQL."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**plain, **self._wanted.environment, **self.cloud.environment, **PLACES}

    def function(self, name: str, *, instances: int = 1, settings: Mapping[str, str] = _NONE) -> Function:
        """A function of that module in `pixelake.aws`, with these settings of its own."""
        environment = {
            **self.environment,
            "AWS_ACCESS_KEY_ID": name,  # who calls: see `Cloud.needed`
            "PIXELAKE_DATA": str(self._wanted.data / "functions" / name),
            **{f"PIXELAKE_{key.upper()}": value for key, value in settings.items()},
        }
        timeout = terms.FUNCTIONS[name].timeout
        found = Function(name, f"pixelake.aws.{name}", environment, instances=instances, timeout=timeout)
        self._ends.callback(found.close)
        return found

    def runs(self, mapping: Mapping_) -> None:
        """Run a mapping from the start on."""
        self._runners.append(Runner(mapping))

    def api(self, ingest: Function) -> Answer:
        """An HTTP API, or a REST API, in front of a function; late hits came an hour ago."""
        event = in_1 if self._wanted.payload == "1.0" else in_2
        answer = proxied(ingest.call, event)

        def late(asked: Asked) -> Told:
            if self._wanted.faults.strikes("late"):
                asked = _earlier(asked)
            return answer(asked)

        return Throttled(late, terms.THROTTLE)

    def consumer(self, **settings: str) -> Function:
        """The function that settles, which dies where faults say so."""
        found = self.function("consume", settings=settings)
        self.cloud.committed = found.crash
        return found

    def of_stream(self, stream: str, call: Callable[[Mapping[str, Any]], Any], of: terms.OfStream) -> None:
        """Make a stream, and let it call a function."""
        self.cloud.client("kinesis").create_stream(StreamName=stream, ShardCount=self._wanted.shards)
        how = Terms(batch_size=of.batch, window=of.window / self._wanted.speed, retries=of.retries, age=of.age)
        put = partial(self.put, "")  # its keys begin with `terms.FAILED`
        repeat = self._wanted.faults.rate("duplicate")
        self.runs(OfStream(self.cloud.client("kinesis"), stream, call, how, failed=put, repeat=repeat))

    def of_queue(self, name: str, call: Callable[[Mapping[str, Any]], Any], of: terms.OfQueue) -> str:
        """Make a queue with one for what fails, and let it call a function; returns its URL."""
        speed = self._wanted.speed
        how = Terms(batch_size=of.batch, window=of.window / speed, visibility=max(1.0, of.visibility / speed))
        client = self.cloud.client("sqs")
        client.create_queue(QueueName=f"{name}-{DEAD}", Attributes={"MessageRetentionPeriod": str(round(of.dead))})
        redrive = {"deadLetterTargetArn": arn("sqs", f"{name}-{DEAD}"), "maxReceiveCount": str(of.receives)}
        attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": str(round(how.visibility))}
        url: str = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        mapping = OfQueue(client, url, call, how, repeat=self._wanted.faults.rate("duplicate"))
        self._queues.append(mapping)
        self.runs(mapping)
        return url

    def delivers(self, **settings: str) -> Firehose:
        """Firehose with its function, and what gathers the files that it writes. Settings are of both functions."""
        transform = self.function("transform", settings=settings)
        stored = landing_table(f"s3://{BUCKET}/{terms.LANDING}", self._wanted.own, kind=self._wanted.format)[
            "StorageDescriptor"
        ]["Columns"]
        columns = [(each["Name"], each["Type"]) for each in stored]
        of, speed = terms.FIREHOSE, self._wanted.speed
        how = firehoses.Terms(
            name=HITS,
            prefix=terms.LANDING + terms.FOLDERS,
            error_prefix=terms.ERRORS + terms.ERROR_TYPE + terms.FOLDERS,
            size=of.size,
            seconds=of.seconds / speed,
            gathered=of.gathered,
            gather=of.gather / speed,
            convert=Conversion(columns=columns, kind=self._wanted.format, lower=False),
        )
        repeat = partial(self._wanted.faults.strikes, "duplicate")
        found = Firehose(how, partial(self.put, ""), transform=transform.call, repeat=repeat)
        self._flush, self._waiting = found.flush, found.waiting
        self.cloud.deliver = lambda _, data: found.put(data)
        gather = self.function("gather", settings=settings)
        self.cloud.committed = gather.crash
        self.of_queue(LANDED, gather.call, terms.LANDED)
        told = [
            {
                "QueueArn": arn("sqs", LANDED),
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}},
            }
            for prefix in (terms.LANDING, terms.ERRORS)
        ]
        self.cloud.client("s3").put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": told}
        )
        found.start()
        self._ends.callback(found.close)
        return found

    def distribution(self) -> Answer:
        """A CDN that serves the pixel, with logs to a stream and to the bucket."""
        client = self.cloud.client("kinesis")

        def realtime(record: bytes) -> None:
            aws.call(client.put_record, StreamName=HITS, Data=record, PartitionKey=secrets.token_hex(8))

        found = edge.Edge(realtime)
        logs = _Repeated(LOGGED, lambda: found.flush(partial(self.put, terms.LOGS)))
        self._ends.callback(logs.close)
        return found

    def put(self, prefix: str, key: str, data: bytes) -> None:
        """Put an object into the bucket."""
        self.cloud.client("s3").put_object(Bucket=BUCKET, Key=prefix + key, Body=data)


class _Repeated:
    """Does something each so many seconds, and once more at the end."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self._seconds, self._act, self._stop = seconds, act, threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The last time."""
        self._stop.set()
        self._thread.join()
        self._act()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._act()


def make_table(cloud: Cloud) -> None:
    """The table of the registry, the live store and the event ids."""
    client = cloud.client("dynamodb")
    keys = tuple(zip(terms.KEYS, ("HASH", "RANGE"), strict=True))
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    client.update_time_to_live(TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": terms.TTL})


def arn(service: str, name: str) -> str:
    """The full name of something on this machine."""
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"


def _earlier(asked: Asked) -> Asked:
    return replace(asked, at=asked.at - HOUR)


def _stream(made: Topology) -> Answer:
    made.of_stream(HITS, made.consumer().call, terms.CONSUME)
    return made.api(made.function("ingest", instances=2, settings={"stream": f"kinesis://{HITS}"}))


def _firehose(made: Topology) -> Answer:
    made.delivers()
    return made.api(made.function("ingest", instances=2, settings={"stream": f"firehose://{HITS}"}))


def _edge(made: Topology) -> Answer:
    firehose = made.delivers(log_fields=",".join(edge.FIELDS))
    aggregate = made.function("aggregate", settings={"stream": f"kinesis://{PACKED}"})
    made.of_stream(PACKED, firehose.consume, terms.AGGREGATE)
    made.of_stream(HITS, aggregate.call, terms.AGGREGATE)
    return made.distribution()


def _queue(made: Topology) -> Answer:
    # what CloudFront tells of the viewer is believed: nobody else can ask the API
    consume = made.consumer(client_header="cloudfront-viewer-address", trusted_proxies="loopback")
    behind = Throttled(api(made.of_queue(HITS, consume.call, terms.HITS), edge.PIXEL), terms.THROTTLE)
    return edge.with_headers(behind)


_PARTS: Final[Mapping[str, Callable[[Topology], Answer]]] = {
    "stream": _stream,
    "firehose": _firehose,
    "edge": _edge,
    "queue": _queue,
}
PLACES: Final = {
    "PIXELAKE_LAKE": f"s3://{BUCKET}/lake",
    "PIXELAKE_REGISTRY": f"dynamodb://{TABLE}",
    "PIXELAKE_LIVE": f"dynamodb://{TABLE}",
}
"""Where the lake and what is shared are."""
