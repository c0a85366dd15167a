"""A REST API on this machine that puts requests into a queue by itself, as `pixelake.aws.direct` says."""

from base64 import b64decode
from typing import Any, Final

import urllib3

from pixelake.aws import direct
from pixelake.aws.local import rest
from pixelake.aws.local.http import Answer, Asked, Told

_SIGNED: Final = (
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
)
"""It says which service is meant; nobody checks it here."""
SECONDS: Final = 29.0
"""That an integration may take."""
_OWN: Final = {each.kind: each for each in direct.OTHERWISE}


def api(queue: str, path: str) -> Answer:
    """The API, whose one resource is the pixel's path; what comes in is a message of the queue of that URL."""
    template, pool = direct.template(), urllib3.PoolManager(maxsize=32, retries=False, timeout=SECONDS)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": _SIGNED}

    def answer(asked: Asked) -> Told:
        if asked.path != path or asked.method not in direct.METHODS:
            return _own("MISSING_AUTHENTICATION_TOKEN")
        if asked.header("content-type") not in {"", direct.CONTENT_TYPE}:
            return _own("UNSUPPORTED_MEDIA_TYPE")
        body = rest.rendered(template, _as_rest(asked))
        try:
            status = pool.request("POST", queue, body=body, headers=form).status
        except urllib3.exceptions.HTTPError:
            return _own("INTEGRATION_FAILURE")
        told = rest.answer_to(status)
        return Told(told.status, list(told.headers.items()), b64decode(told.body))

    return answer


def _as_rest(asked: Asked) -> rest.Asked:
    return rest.Asked(
        method=asked.method,
        path=f"/prod{asked.path}",
        query=rest.query_of(asked.query),
        headers=rest.headers_of([*asked.headers, ("x-forwarded-for", asked.peer[0])]),
        peer=asked.peer[0],
        milliseconds=int(asked.at * 1_000),
        request_id=asked.name,
        extended_request_id=asked.name,
    )


def _own(kind: str) -> Told:
    told: Any = _OWN[kind]
    return Told(told.status, list(told.headers.items()), told.body.encode())
