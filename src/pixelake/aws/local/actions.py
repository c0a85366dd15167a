"""Which actions of IAM a request to AWS needs, and on what: what a function may is held against what it does.

As the service authorization reference of AWS says: an action is called as the
operation is, but for S3, where it follows from method and path, and for a
transaction of DynamoDB, which needs the action of each of its parts.
"""

import json
import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from werkzeug.wrappers import Request

_SIGNED: Final = re.compile(r"Credential=(?P<who>[^/]+)/\d+/[^/]+/(?P<service>[^/]+)/")
_KEY: Final = re.compile(r"<Key>([^<]*)</Key>")
_KEYED: Final = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}
_OF_BUCKETS: Final = {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket"}
_PARTS: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_NAMED: Final = ("TableName", "StreamName", "DeliveryStreamName", "QueueUrl")


class Needed(NamedTuple):
    """What somebody must be allowed.

    Attributes:
        who: the access key that the request is signed with.
        action: as policies write it: ``dynamodb:PutItem``.
        on: the name of the table, stream or queue, or how keys begin, up to the first slash.
    """

    who: str
    action: str
    on: str


def needed(request: Request, body: bytes) -> set[Needed]:
    """What a request needs, if it is signed, and to S3 or in JSON: else nothing."""
    signed = _SIGNED.search(request.headers.get("Authorization", ""))
    if signed is None:
        return set()
    who, service = signed["who"], signed["service"]
    operation = request.headers.get("X-Amz-Target", "").partition(".")[2]
    if service == "s3":
        return {Needed(who, f"s3:{action}", on) for action, on in _of_s3(request, body)}
    if not operation:  # no call in JSON: nobody of ours makes it
        return set()
    return {Needed(who, f"{service}:{action}", on) for action, on in _of_json(operation, body)}


def _of_json(operation: str, body: bytes) -> Iterable[tuple[str, str]]:
    asked = json.loads(body or b"{}")
    if operation == "TransactWriteItems":
        parts = [(kind, part) for each in asked["TransactItems"] for kind, part in each.items()]
        return [(_PARTS[kind], part["TableName"]) for kind, part in parts]
    if tables := asked.get("RequestItems"):
        return [(operation, table) for table in tables]
    named = next((asked[name] for name in _NAMED if name in asked), "")
    return [(operation, named.rpartition("/")[2])]


def _of_s3(request: Request, body: bytes) -> Iterable[tuple[str, str]]:
    _, _, key = request.path.removeprefix("/").partition("/")
    asked, method = request.args, request.method
    if not key:
        if "delete" in asked:
            return [("DeleteObject", _beginning(unquote_plus(each))) for each in _KEY.findall(body.decode())]
        return [(_OF_BUCKETS.get(method, f"{method} bucket"), _beginning(asked.get("prefix", "")))]
    if method == "DELETE":
        return [("AbortMultipartUpload" if "uploadId" in asked else "DeleteObject", _beginning(key))]
    copied = request.headers.get("X-Amz-Copy-Source", "").removeprefix("/").partition("/")[2]
    also = [("GetObject", _beginning(unquote_plus(copied)))] if copied else []
    return [(_KEYED.get(method, f"{method} object"), _beginning(key)), *also]


def _beginning(key: str) -> str:
    head, slash, _ = key.partition("/")
    return head + slash
