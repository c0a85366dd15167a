"""Requests, as API Gateway tells of them in each of its formats."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

EVENTS = Path(__file__).parent / "events"
PIXEL = "/pixel.gif"
EPOCH_MS = 1_770_711_000_123

Event = dict[str, Any]
Headers = Sequence[tuple[str, str]]
"""Names and values, in order; a name may come again."""
USUAL: Headers = (("Host", "pixel.example"), ("User-Agent", "Mozilla/5.0"), ("Referer", "https://shop.example/a?b=c"))


def sample(name: str) -> Event:
    """One of AWS's own."""
    event: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def as_2(
    path: str = PIXEL, query: str = "", headers: Headers = USUAL, body: bytes = b"", *, method: str = "GET",
    peer: str = "203.0.113.9", name: str = "JKJaXmPLvHcESHA=", stage: str = "$default", text: bool = False,
) -> Event:  # fmt: skip
    """Payload format 2.0. The names of headers are in lower case, their values joined; cookies stand apart."""
    joined: dict[str, str] = {}
    for key, value in headers:
        if key.lower() != "cookie":
            joined[key.lower()] = f"{joined[key.lower()]},{value}" if key.lower() in joined else value
    cookies = [value for key, value in headers if key.lower() == "cookie"]
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        **({"cookies": cookies} if cookies else {}),
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": peer, "userAgent": "x"},
            "requestId": name,
            "stage": stage,
            "time": "10/Feb/2026:08:10:00 +0000",
            "timeEpoch": EPOCH_MS,
        },
        **_body(body, text=text),
    }


def as_1(
    path: str = PIXEL, query: str = "", headers: Headers = USUAL, body: bytes = b"", *, method: str = "GET",
    peer: str = "203.0.113.9", name: str = "deef4878-7910-11e6-8f14-25afc3e9ae33", stage: str = "prod",
    text: bool = False,
) -> Event:  # fmt: skip
    """Payload format 1.0. Headers as sent, the query decoded; what is empty is null."""
    many: dict[str, list[str]] = {}
    for key, value in headers:
        many.setdefault(key, []).append(value)
    fields: dict[str, list[str]] = {}
    for field in filter(None, query.split("&")):
        key, _, value = field.partition("=")
        fields.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {key: values[-1] for key, values in many.items()} or None,
        "multiValueHeaders": many or None,
        "queryStringParameters": {key: values[-1] for key, values in fields.items()} or None,
        "multiValueQueryStringParameters": fields or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "identity": {"sourceIp": peer, "userAgent": "x", "user": None},
            "requestId": name,
            "stage": stage,
            "path": f"/{stage}{path}",
            "requestTimeEpoch": EPOCH_MS,
        },
        "body": None,
        "isBase64Encoded": False,
        **_body(body, text=text),
    }


def _body(body: bytes, *, text: bool) -> Event:
    if not body:
        return {}
    return {"body": body.decode() if text else b64encode(body).decode(), "isBase64Encoded": not text}


FORMATS: Mapping[str, Callable[..., Event]] = {"2.0": as_2, "1.0": as_1}
