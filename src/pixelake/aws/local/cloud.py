"""The services of AWS in this process: moto behind one address, with faults, and with Firehose by ourselves.

Objects of buckets are written to a folder, too, as ``<folder>/<key>``, and are
there again at the next start; all else is gone with the process.
"""

import io
import json
import re
import threading
import time
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from botocore.session import Session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from moto.sqs.models import Queue
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from pixelake.aws.local.actions import Needed, needed
from pixelake.aws.local.faults import Faults
from pixelake.aws.local.mapping import ACCOUNT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BUCKET: Final = "pixelake"
"""Of all objects."""
REGION: Final = "us-east-1"
_COMMIT: Final = re.compile(r"/events/_delta_log/\d+\.json\Z")
"""What the lake has taken."""
_JSON: Final = "application/x-amz-json-1.1"


class Cloud:
    """The services, at an address of the loopback.

    Attributes:
        deliver: what Firehose gets: the name of a stream, and the data of a record.
        committed: is called when the lake has taken a batch, before its writer knows.
        needed: what those who asked for something must be allowed, so far.
    """

    def __init__(self, folder: Path, faults: Faults) -> None:
        """Nothing listens yet."""
        self._folder, self._faults = folder, faults
        _quicken()
        self._app: WSGIApplication = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_Handler)
        # moto gives two at once one sequence number; it looks at a condition of a write, and lets others write before
        self._turns = {"Kinesis": threading.Lock(), "DynamoDB": threading.Lock()}
        self.deliver: Callable[[str, bytes], object] = lambda _name, _data: None
        self.committed: Callable[[], None] = lambda: None
        self.needed: set[Needed] = set()

    def start(self) -> None:
        """Listen, with the objects of the last time."""
        threading.Thread(target=self._server.serve_forever, name="cloud", daemon=True).start()
        client = self.client("s3")
        client.create_bucket(Bucket=BUCKET)
        for name in _KEPT:
            for path in sorted((self._folder / name).rglob("*")):
                if path.is_file() and not path.name.endswith(_BEGUN):
                    client.put_object(Bucket=BUCKET, Key=str(path.relative_to(self._folder)), Body=path.read_bytes())

    def stop(self) -> None:
        """Listen no longer."""
        self._server.shutdown()

    @property
    def environment(self) -> Mapping[str, str]:
        """How programs reach it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        """A client of a service."""
        given = self.environment
        return Session().create_client(
            service,
            region_name=REGION,
            endpoint_url=given["AWS_ENDPOINT_URL"],
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - of nobody
        )

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Answer a request: see WSGI."""
        request = Request(environ)
        service, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
        service = service.partition("_")[0]
        if request.method == "POST" and request.path.startswith(f"/{ACCOUNT}/"):
            return self._queued(request)(environ, start)
        body = request.get_data()
        environ = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        self.needed |= needed(request, body)
        if code := self._faults.refused(service, operation):
            refusal = {"__type": code, "message": "Rate exceeded"}
            return Response(json.dumps(refusal), 400, mimetype=_JSON)(environ, start)
        if service == "Firehose":
            return self._firehose(operation, request)(environ, start)
        if operation:
            return self._called(service, operation, request)(environ, start)
        answer = Response.from_app(self._app, environ)
        self._mirror(request, answer.status_code)
        return answer(environ, start)

    def _called(self, service: str, operation: str, request: Request) -> Response:
        """The answer of moto to a call in JSON, some of it refused where faults say so."""
        headers: dict[str, str] = {}

        def call(body: bytes) -> tuple[int, bytes]:
            environ = {**request.environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            with self._turns.get(service, nullcontext()):
                answer = Response.from_app(self._app, environ)
            headers.update(answer.headers)
            return answer.status_code, answer.get_data()

        status, text = self._faults.in_part(service, operation, request.get_data(), call)
        headers.pop("Content-Length", None)
        return Response(text, status, headers)

    def _queued(self, request: Request) -> Response:
        """A form for a queue, as a REST API sends it."""
        if code := self._faults.refused("AmazonSQS", "SendMessage"):
            return Response(f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>", 400)
        return Response.from_app(self._app, request.environ)

    def _firehose(self, operation: str, request: Request) -> Response:
        """PutRecord and PutRecordBatch."""

        def call(body: bytes) -> tuple[int, bytes]:
            asked = json.loads(body)
            records = asked["Records"] if operation == "PutRecordBatch" else [asked["Record"]]
            for record in records:
                self.deliver(asked["DeliveryStreamName"], b64decode(record["Data"]))
            told = [{"RecordId": str(uuid.uuid4())} for _ in records]
            answer = {"FailedPutCount": 0, "RequestResponses": told} if operation == "PutRecordBatch" else told[0]
            return 200, json.dumps(answer).encode()

        status, text = self._faults.in_part("Firehose", operation, request.get_data(), call)
        return Response(text, status, mimetype=_JSON)

    def _mirror(self, request: Request, status: int) -> None:
        """Do to the folder what was done to the bucket."""
        bucket, _, key = request.path.removeprefix("/").partition("/")
        if bucket != BUCKET or request.method not in {"PUT", "POST", "DELETE"} or status >= 300:
            return
        if not key:
            if "delete" in request.args:  # several objects at once
                self._sweep()
            return
        self._write(key)
        if _COMMIT.search(request.path) and self._faults.strikes("crash"):
            self.committed()

    def _write(self, key: str) -> None:
        path = self._folder / key
        found = s3_backends[ACCOUNT]["aws"].get_object(BUCKET, key)
        if found is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.with_name(path.name + _BEGUN)
        begun.write_bytes(found.value)
        begun.replace(path)

    def _sweep(self) -> None:
        """Remove the files of objects that are gone."""
        keys = s3_backends[ACCOUNT]["aws"].buckets[BUCKET].keys
        for name in _KEPT:
            for path in (self._folder / name).rglob("*"):
                if path.is_file() and str(path.relative_to(self._folder)) not in keys:
                    path.unlink(missing_ok=True)


_KEPT: Final = ("lake", "landing", "errors", "aws", "logs")
"""Beginnings of keys."""
_BEGUN: Final = ".begun"


HELD: Final = 0.5
"""Seconds at least,"""
OFTEN: Final = 20
"""or so many times as long as it took to count."""


@cache
def _quicken() -> None:
    """Let moto count the messages of a queue now and then: it does some twenty times a call, one by one."""
    count: Any = Queue.attributes.fget  # type: ignore[attr-defined]
    known: WeakKeyDictionary[Queue, tuple[float, dict[str, Any]]] = WeakKeyDictionary()
    counting = threading.Lock()

    def attributes(queue: Queue) -> dict[str, Any]:
        until, held = known.get(queue, (0.0, {}))
        began = time.monotonic()
        # while somebody counts, others make do with what was known
        if began >= until and counting.acquire(blocking=not held):
            try:
                held = count(queue)
                done = time.monotonic()
                known[queue] = done + max(HELD, OFTEN * (done - began)), held
            finally:
                counting.release()
        return dict(held)

    Queue.attributes = property(attributes)  # type: ignore[assignment,method-assign]


class _Handler(MotoRequestHandler):
    """Keeps connections open, and quiet."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: there are thousands."""
