"""The function behind API Gateway: what it is answered, and what is in the stream or queue by then."""

import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from pixelake import hit_json
from pixelake.aws import gateway
from pixelake.aws.ingest import Ingest, handler, ingest
from pixelake.collect.admission import Admission
from pixelake.collect.pixel import GIF
from pixelake.errors import SourceError, StreamError, StreamUnavailable
from pixelake.hit import Hit
from pixelake.settings import Settings
from tests.aws.requests import FORMATS, USUAL, Event, as_1, as_2, sample

REFUSING = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-east-1"}
"""An address where nobody listens."""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "tester-secret"}


class Kept:
    """Where hits go: it keeps them, or refuses them all."""

    most = 100_000

    def __init__(self, error: Exception | None = None) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self._error = error

    def put(self, hit_id: str, line: bytes) -> None:
        """See `pixelake.aws.put.Put`."""
        if self._error:
            raise self._error
        self.lines.append((hit_id, line))


def is_gif(answer: Mapping[str, Any]) -> bool:
    """Is the body the whole GIF?"""
    return bool(answer["isBase64Encoded"]) and b64decode(answer["body"], validate=True) == GIF


def reason(answer: Mapping[str, Any]) -> str:
    """Why it was refused."""
    return str(answer["headers"].get("X-Pixelake", ""))


# --- what becomes a hit


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("GET", "/pixel.gif", "a=1", 200),
        ("GET", "/pixel.gif", "", 200),
        ("HEAD", "/p.gif", "a=1", 200),
        ("GET", "/", "a=1", 200),
        ("GET", "/pixel.png", "", 200),
        ("GET", "/badge.svg", "site=a", 200),
        ("GET", "/204", "", 204),
        ("POST", "/events", "", 204),
    ],
)
def test_a_request_becomes_a_hit(make: Any, method: str, path: str, query: str, status: int) -> None:
    """One, under API Gateway's name for the request, put before it is answered."""
    kept = Kept()
    event = make(path, query, method=method, body=b"{}" if method == "POST" else b"")
    answer = Ingest(Settings(), kept)(event)
    assert (answer["statusCode"], reason(answer)) == (status, "")
    ((name, line),) = kept.lines
    expected = gateway.hit(gateway.request(event), Admission(Settings()))
    assert isinstance(expected, Hit)
    assert hit_json.decode(line) == expected
    assert name == expected.hit_id == "apigateway-" + event["requestContext"]["requestId"]


@pytest.mark.parametrize(
    ("event", "status", "why"),
    [
        (as_2("/favicon.ico"), 404, "no_route"),
        (as_2("/"), 404, "no_route"),
        (as_1("/wp-login.php", method="POST"), 404, "no_route"),
        (as_2("/pixel.gif", method="POST", body=b"x"), 405, "method"),
        (as_1("/events", "a=1"), 405, "method"),
        (as_2("/health"), 200, ""),
        (as_1("/ready"), 200, ""),
        (as_2("/events", method="OPTIONS", headers=(("Origin", "https://a.example"),)), 204, ""),
        (as_2(query="a" * 70_000), 431, "head_too_large"),
        (as_1("/events", method="POST", body=b"x" * 1_048_577), 413, "body_too_large"),
        (as_2("/events", method="POST", body=b"\0" * 90_000), 413, "body_too_large"),
    ],
    ids=["path", "root", "scanner", "POST", "GET", "health", "ready", "OPTIONS", "head", "body", "as a message"],
)
def test_what_becomes_none(event: Event, status: int, why: str) -> None:
    """It is answered as the collector answers it; nothing is put."""
    kept = Kept()
    answer = Ingest(Settings(), kept)(event)
    assert (answer["statusCode"], reason(answer)) == (status, why)
    assert kept.lines == []


def test_what_a_page_may_send() -> None:
    """A preflight names the methods, the origin, and how long that holds."""
    answer = Ingest(Settings(), Kept())(as_2("/events", method="OPTIONS", headers=(("Origin", "https://a.example"),)))
    assert answer["headers"]["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    assert answer["headers"]["Access-Control-Allow-Origin"] == "https://a.example"
    assert answer["headers"]["Access-Control-Max-Age"] == "86400"


def test_a_rate_holds_in_an_instance() -> None:
    """What is beyond it is refused, with the GIF, and not put."""
    kept = Kept()
    function = Ingest(Settings(site_rate=0.1, site_burst=2), kept)
    answers = [function(as_2(query="site=a")) for _ in range(3)]
    assert [answer["statusCode"] for answer in answers] == [200, 200, 429]
    assert reason(answers[2]) == "rate_site"
    assert is_gif(answers[2])
    assert len(kept.lines) == 2


# --- what cannot be put


@pytest.mark.parametrize("error", [StreamUnavailable("full", "make room"), StreamError("odd", "look at it")])
def test_a_hit_that_is_not_put(error: StreamError) -> None:
    """503, with the GIF, and one line in the log which says why and what to do, and nothing of who sent it."""
    with capture_logs() as logs:
        answer = Ingest(Settings(), Kept(error))(as_2(headers=(*USUAL, ("X-Forwarded-For", "203.0.113.9"))))
    assert (answer["statusCode"], reason(answer)) == (503, "unavailable")
    assert answer["headers"]["Retry-After"] == "2"
    assert is_gif(answer)
    (line,) = logs
    assert (line["log_level"], line["reason"], line["hint"]) == ("error", str(error), error.hint)
    assert line["hit_id"] == "apigateway-JKJaXmPLvHcESHA="
    assert "203.0.113.9" not in str(line)


def test_events_that_are_not_put() -> None:
    """Without an image there is a line of text, which a page of any origin may read."""
    event = as_2("/events", method="POST", body=b"{}", headers=(("Origin", "https://a.example"),))
    answer = Ingest(Settings(), Kept(StreamUnavailable("full")))(event)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (503, False)
    assert answer["body"] == "the stream cannot make the hit durable\n"
    assert answer["headers"]["Access-Control-Allow-Origin"] == "https://a.example"


@pytest.mark.parametrize(
    ("environment", "why", "hint"),
    [
        ({}, "PIXELAKE_STREAM is not set", "kinesis://NAME"),
        ({"PIXELAKE_STREAM": "kafka://x"}, "kafka://", "kinesis://NAME"),
        ({"PIXELAKE_STREAM": "sqs://"}, "a name in it", "kinesis://NAME"),
        ({"PIXELAKE_STREAM": "hits"}, "no URL", "kinesis://NAME"),
        ({"PIXELAKE_STREAM": "kinesis://x", "PIXELAKE_MAX_BODY": "much"}, "max_body", "whole number"),
        ({"PIXELAKE_STREAM": "kinesis://x", "PIXELAKE_STREEM": "x"}, "streem", "stream"),
        ({"PIXELAKE_STREAM": "kinesis://x", "PIXELAKE_TRUSTED_PROXIES": "0.0.0.0/0"}, "everybody", "networks"),
    ],
)
def test_wrong_settings_refuse_each_hit(environment: Mapping[str, str], why: str, hint: str) -> None:
    """Also a missing variable: 503 with the GIF, an instance that is not ready, and a line that says what to set."""
    function = ingest(environment)
    with capture_logs() as logs:
        answer = function(as_2(query="a=1"))
    assert (answer["statusCode"], reason(answer)) == (503, "unavailable")
    assert is_gif(answer)
    (line,) = logs
    assert why in line["reason"]
    assert hint in line["hint"]
    assert function(as_2("/ready"))["statusCode"] == 503
    assert function(as_2("/health"))["statusCode"] == 200


def test_settings_are_the_collectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its name in the environment."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    function = ingest({"PIXELAKE_STREAM": "kinesis://x", "PIXELAKE_MAX_BODY": "10"})
    assert reason(function(as_2("/events", method="POST", body=b"x" * 11))) == "body_too_large"


def test_an_event_that_is_none_is_an_error_of_the_caller() -> None:
    """Below the handler it is raised; nothing is put."""
    kept = Kept()
    with pytest.raises(SourceError):
        Ingest(Settings(), kept)(sample("load-balancer"))
    assert kept.lines == []


# --- the handler, in a process of its own, as Lambda runs it

RUN = """
import json, sys
from pixelake.aws.ingest import handler
loaded = {"pyarrow", "duckdb", "deltalake", "boto3", "fastapi", "uvicorn"} & set(sys.modules)
print(json.dumps([*(handler(event, None) for event in json.load(sys.stdin)), sorted(loaded)]))
"""


def run(environment: Mapping[str, str], *events: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """The answers to events, what was loaded that must not be, and the lines of the log."""
    path = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(events), capture_output=True, text=True, check=True,
        env=path | environment, cwd="/", timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout), [json.loads(line) for line in done.stderr.splitlines()]


def test_the_handler_never_raises() -> None:
    """Whatever it is called with, and without a single setting; each time one line of JSON in the log."""
    (hit, *others, loaded), logs = run({}, as_2(), None, {"Records": []}, sample("load-balancer"))
    assert (hit["statusCode"], reason(hit), is_gif(hit)) == (503, "unavailable", True)
    assert [(each["statusCode"], reason(each)) for each in others] == [(400, "bad_request")] * 3
    assert [line["level"] for line in logs] == ["error"] * 4
    assert all(line["hint"] for line in logs)
    assert "PIXELAKE_STREAM" in logs[0]["reason"]
    assert loaded == []


def test_a_fault_of_ours_is_answered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the GIF; the line in the log does not quote what an error of Python may quote."""
    broken = Ingest(Settings(), Kept(ValueError("could not convert 'ann@example.com'")))
    monkeypatch.setattr("pixelake.aws.ingest._instance", lambda: broken)
    with capture_logs() as logs:
        answer = handler(as_2(query="a=1"), None)
    assert (answer["statusCode"], reason(answer), is_gif(answer)) == (503, "unavailable", True)
    (line,) = logs
    assert "ValueError" in line["reason"]
    assert "ann@example.com" not in str(line)


def test_nobody_answers() -> None:
    """Where AWS cannot be reached it is 503 in a few seconds, with the GIF, for each service."""
    for stream in ("kinesis://hits", "firehose://hits", "sqs://hits"):
        (answer, _), logs = run({"PIXELAKE_STREAM": stream, **REFUSING, **CREDENTIALS}, as_1())
        assert (answer["statusCode"], reason(answer), is_gif(answer)) == (503, "unavailable", True)
        (line,) = logs
        assert "Could not connect" in line["reason"]
        assert "VPC" in line["hint"]


def test_it_loads_no_analytics() -> None:
    """Neither to be imported nor to answer: what is not needed is not paid for at a cold start."""
    script = "import sys, pixelake.aws.ingest; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "botocore" in loaded
    assert not loaded & {"pyarrow", "duckdb", "deltalake", "boto3", "fastapi", "uvicorn", "uvloop", "ua_parser"}
