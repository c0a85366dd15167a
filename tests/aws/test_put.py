"""Hits in streams and queues of AWS: moto's server, and servers that fail."""

import json
import threading
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from pixelake import hit_json
from pixelake.aws import gateway
from pixelake.aws.ingest import Ingest, ingest
from pixelake.aws.put import opened
from pixelake.collect.admission import Admission
from pixelake.collect.pixel import GIF
from pixelake.errors import SettingsError, StreamUnavailable
from pixelake.hit import Hit
from pixelake.settings import Settings
from tests.aws.requests import FORMATS, as_2
from tests.s3 import KEY, SECRET, Server, reached, served

LINE = b'{"v":1}'


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of all services."""
    with served("moto", tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def aws(moto: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Another program's client of a service; the process reaches the server."""
    reached(monkeypatch, moto.environment)
    return lambda service: Session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=moto.url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )


def expected(event: dict[str, Any]) -> Hit:
    """The hit of an event."""
    made = gateway.hit(gateway.request(event), Admission(Settings()))
    assert isinstance(made, Hit)
    return made


class Place:
    """A stream or queue of its own, as its owner sees it.

    Attributes:
        url: what ``PIXELAKE_STREAM`` is set to.
    """

    def __init__(self, url: str, read: Callable[[], list[bytes]]) -> None:
        self.url, self.read = url, read


def kinesis(aws: Callable[[str], Any], name: str) -> Place:
    """A stream of two shards."""
    client = aws("kinesis")
    client.create_stream(StreamName=name, ShardCount=2)

    def read() -> list[bytes]:
        found = []
        for shard in client.list_shards(StreamName=name)["Shards"]:
            start = client.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )
            found += [each["Data"] for each in client.get_records(ShardIterator=start["ShardIterator"])["Records"]]
        return found

    return Place(f"kinesis://{name}", read)


def firehose(aws: Callable[[str], Any], name: str) -> Place:
    """A delivery stream into a bucket; what is there is read as one text, by its line ends."""
    store = aws("s3")
    store.create_bucket(Bucket=name)
    role = "arn:aws:iam::123456789012:role/any"
    aws("firehose").create_delivery_stream(
        DeliveryStreamName=name, S3DestinationConfiguration={"RoleARN": role, "BucketARN": f"arn:aws:s3:::{name}"}
    )

    def read() -> list[bytes]:
        keys = [each["Key"] for each in store.list_objects_v2(Bucket=name).get("Contents", ())]
        text = b"".join(store.get_object(Bucket=name, Key=key)["Body"].read() for key in keys)
        assert text.endswith(b"\n")
        return text.split(b"\n")[:-1]

    return Place(f"firehose://{name}", read)


def sqs(aws: Callable[[str], Any], name: str) -> Place:
    """A queue, by its name."""
    client = aws("sqs")
    url = client.create_queue(QueueName=name)["QueueUrl"]

    def read() -> list[bytes]:
        found = []
        while got := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [each["Body"].encode() for each in got]
        return found

    return Place(f"sqs://{name}", read)


def sqs_url(aws: Callable[[str], Any], name: str) -> Place:
    """A queue, by its URL."""
    place = sqs(aws, name)
    return Place(f"sqs://{aws('sqs').get_queue_url(QueueName=name)['QueueUrl']}", place.read)


PLACES = {"kinesis": kinesis, "firehose": firehose, "sqs": sqs, "sqs by URL": sqs_url}


@pytest.fixture(params=PLACES.values(), ids=PLACES.keys())
def place(request: pytest.FixtureRequest, aws: Callable[[str], Any]) -> Place:
    """One of each kind, new and empty."""
    made: Place = request.param(aws, f"hits-{uuid.uuid4().hex[:12]}")
    return made


def test_a_hit_is_there_when_it_is_answered(place: Place) -> None:
    """Requests in both formats, with any bytes in them: each is there, once, as the collector would have made it."""
    function = ingest({"PIXELAKE_STREAM": place.url})
    events = [
        make("/events", f"n={number}", body=body, method="POST", name=f"{number}-{name[0]}")
        for name, make in FORMATS.items()
        for number, body in enumerate([b'{"a":"\xe2\x98\x83"}', bytes(range(256)), b"x\r\ny\0"])
    ]
    assert [function(event)["statusCode"] for event in events] == [204] * 6
    hits = sorted((hit_json.decode(line) for line in place.read()), key=lambda hit: hit.hit_id)
    assert hits == sorted(map(expected, events), key=lambda hit: hit.hit_id)


def test_the_same_request_twice_has_one_name(place: Place) -> None:
    """So that it is one in the lake, whoever repeats it."""
    function = ingest({"PIXELAKE_STREAM": place.url})
    for _ in range(2):
        answer = function(as_2(query="a=1"))
        assert (answer["statusCode"], b64decode(answer["body"])) == (200, GIF)
    assert {hit_json.decode(line).hit_id for line in place.read()} == {"apigateway-JKJaXmPLvHcESHA="}


@pytest.mark.parametrize("kind", ["kinesis", "firehose", "sqs"])
def test_what_is_not_there(aws: Callable[[str], Any], kind: str) -> None:
    """It is said with what to look at."""
    assert aws("kinesis")
    with pytest.raises(StreamUnavailable, match=r"(?i)not found|does not exist") as caught:
        opened(f"{kind}://nowhere").put("a", LINE)
    assert "PIXELAKE_STREAM" in caught.value.hint
    assert caught.value.reason == "unavailable"


@pytest.mark.parametrize("kind", ["kinesis", "sqs"])
def test_the_largest_hit_is_taken(aws: Callable[[str], Any], kind: str) -> None:
    """As many bytes as are promised."""
    made = PLACES[kind](aws, f"hits-{uuid.uuid4().hex[:12]}")
    put = opened(made.url)
    put.put("x" * 128, b"x" * put.most)
    assert [len(line) for line in made.read()] == [put.most]


# --- servers that fail


class Failing(ThreadingHTTPServer):
    """Answers each request with the next of its answers, the last one again and again; None: it says nothing."""

    daemon_threads = True

    def __init__(self, *given: tuple[int, str] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.given, self.asked, self.stopping = list(given), 0, threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Failing

    def do_POST(self) -> None:
        """Any call of any service."""
        self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        answer = server.given[min(server.asked, len(server.given) - 1)]
        server.asked += 1
        if answer is None:
            server.stopping.wait(20)
            self.close_connection = True
            return
        status, code = answer
        told = {"__type": code, "message": "no", "ShardId": "0", "SequenceNumber": "1", "MessageId": "1"}
        told["QueueUrl"] = f"http://127.0.0.1:{server.server_port}/1/hits"
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Failing]]:
    """Makes a server with these answers, which the process reaches."""
    servers: list[Failing] = []

    def make(*answers: tuple[int, str] | None) -> Failing:
        server = Failing(*answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_REGION": "us-east-1"}
        reached(monkeypatch, {**environment, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET})
        return server

    yield make
    for server in servers:
        server.stopping.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (400, "ProvisionedThroughputExceededException", "more shards"),
        (400, "AccessDeniedException", "role"),
        (500, "InternalFailure", "AWS says"),
        (400, "ResourceNotFoundException", "PIXELAKE_STREAM"),
        (400, "Whatever", "AWS says"),
    ],
)
def test_what_aws_refuses(failing: Callable[..., Failing], status: int, code: str, hint: str) -> None:
    """The code, what to do about it, and no more than two attempts."""
    server = failing((status, code))
    with pytest.raises(StreamUnavailable, match=code) as caught:
        opened("kinesis://hits").put("a", LINE)
    assert hint in caught.value.hint
    assert caught.value.reason == "unavailable"
    assert server.asked <= 2


def test_what_passes_by_itself(failing: Callable[..., Failing]) -> None:
    """A second attempt that is taken is good."""
    server = failing((500, "InternalFailure"), (200, ""))
    opened("kinesis://hits").put("a", LINE)
    assert server.asked == 2


def test_silence_is_undecided(failing: Callable[..., Failing]) -> None:
    """The hit may have been kept: 503 `undecided`, with the GIF, within seconds."""
    failing(None)
    function = Ingest(Settings(), opened("firehose://hits"))
    answer = function(as_2(query="a=1"))
    assert (answer["statusCode"], answer["headers"]["X-Pixelake"]) == (503, "undecided")
    assert b64decode(answer["body"]) == GIF


def test_a_queue_is_looked_up_in_the_time_of_one_call(failing: Callable[..., Failing]) -> None:
    """The first time there are two calls, each with one attempt: else Lambda would end the function before."""
    server = failing((200, ""), None)
    put = opened("sqs://hits")
    with pytest.raises(StreamUnavailable) as caught:
        put.put("a", LINE)
    assert caught.value.reason == "undecided"
    assert server.asked == 2
    server.given, server.asked = [(500, "InternalFailure"), (200, "")], 0
    put.put("a", LINE)
    assert server.asked == 2


def test_a_queue_that_nobody_looks_up(failing: Callable[..., Failing]) -> None:
    """One attempt, and the next hit tries again."""
    server = failing((500, "InternalFailure"), (200, ""))
    put = opened("sqs://hits")
    with pytest.raises(StreamUnavailable, match="InternalFailure"):
        put.put("a", LINE)
    assert server.asked == 1
    put.put("a", LINE)
    assert server.asked == 3


@pytest.mark.parametrize("stream", ["sqs://hits", "kinesis://hits", "firehose://hits"])
def test_no_password_is_told(monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    """That of the endpoint's URL is left out of what the log is told."""
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
    reached(monkeypatch, {**keys, "AWS_ENDPOINT_URL": "http://user:hush@127.0.0.1:1"})
    with pytest.raises(StreamUnavailable, match=r"//127\.0\.0\.1:1") as caught:
        opened(stream).put("a", LINE)
    assert "hush" not in str(caught.value)


def test_a_queue_has_no_user() -> None:
    """A password in its URL is refused, and not told."""
    with pytest.raises(SettingsError, match="no user") as caught:
        opened("sqs://https://user:hush@sqs.example/1/hits")
    assert "hush" not in str(caught.value) + caught.value.hint


def test_without_a_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is said at the request, with the variable to set."""
    reached(monkeypatch, {"AWS_CONFIG_FILE": str(tmp_path / "none")})
    with pytest.raises(SettingsError, match="region") as caught:
        opened("kinesis://hits")
    assert "AWS_REGION" in caught.value.hint
