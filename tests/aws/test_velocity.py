"""The template of the queue, rendered by Apache's Velocity: whatever a client sends, the message says just that."""

import json
import re
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from pixelake.aws import direct
from pixelake.aws.local.rest import Asked, rendered
from pixelake.collect.mapped import Mapped
from pixelake.collect.plain import SECRET_HEADERS
from pixelake.dialects.text import parse_query
from pixelake.settings import Settings
from tests.aws.mapping import by_velocity, hostile

COUNT = 1_000
FORM = re.compile(rb"[A-Za-z0-9%&=._-]+")
MESSAGE = re.compile(r"[!-~]+")
"""Letters that SQS takes, and that nothing on the way may change."""


@pytest.fixture(scope="module")
def asked() -> Sequence[Asked]:
    """Hostile requests."""
    return hostile(COUNT)


@pytest.fixture(scope="module")
def bodies(asked: Sequence[Asked], tmp_path_factory: pytest.TempPathFactory) -> Sequence[bytes]:
    """What Velocity makes of them."""
    found = by_velocity(direct.template(), asked, tmp_path_factory.mktemp("velocity"))
    assert len(found) == COUNT
    return found


def message(body: bytes) -> str:
    """The message of a form, which is a call of SendMessage and nothing else."""
    assert FORM.fullmatch(body)
    fields = parse_qsl(body.decode("ascii"), strict_parsing=True, errors="strict")
    assert [name for name, _ in fields] == ["Action", "Version", "MessageBody"]
    assert [value for _, value in fields[:2]] == ["SendMessage", "2012-11-05"]
    return fields[2][1]


def told(text: str) -> dict[str, Any]:
    """What a message says, read without our code."""
    assert MESSAGE.fullmatch(text)
    sent = json.loads(text, object_pairs_hook=_once)
    assert sent.pop("mapped") == 1
    return {name: _plain(value) for name, value in sent.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names)
    return dict(pairs)


def _plain(value: Any) -> Any:
    return (
        b64decode(value, validate=True).decode()
        if isinstance(value, str)
        else [tuple(map(_plain, each)) for each in value]
    )


def as_java(text: str) -> str:
    """A text as UTF-8 tells it: half a letter is a question mark."""
    return text.encode(errors="replace").decode()


def test_the_message_says_what_was_sent(asked: Sequence[Asked], bodies: Sequence[bytes]) -> None:
    """Each of a thousand hostile requests: a form of three fields, JSON of ASCII, every text as it was; no secrets."""
    for each, body in zip(asked, bodies, strict=True):
        assert told(message(body)) == {
            "id": each.extended_request_id,
            "request": as_java(each.request_id),
            "time": str(each.milliseconds),
            "peer": each.peer,
            "method": each.method,
            "stage": each.stage,
            "path": as_java(each.path),
            "query": [(as_java(name), as_java(value)) for name, value in each.query.items()],
            "headers": [
                (as_java(name), as_java(value))
                for name, value in each.headers.items()
                if name.lower() not in SECRET_HEADERS
            ],
        }


def test_the_message_is_a_hit(asked: Sequence[Asked], bodies: Sequence[bytes]) -> None:
    """Of each: named by API Gateway, from who called, with the query and the headers that may stand in a head."""
    read = Mapped(Settings(secret_parameters=()))
    for each, body in zip(asked, bodies, strict=True):
        hit = read.decode(message(body).encode(), each.milliseconds * 1_000)
        assert (hit.hit_id, hit.source) == (f"apigateway-{each.extended_request_id}", "apigateway")
        assert (hit.peer, hit.received_at) == (each.peer, each.milliseconds * 1_000)
        assert hit.head.startswith(f"{each.method} /".encode())
        assert b"hush" not in hit.head
        query = hit.target.partition(b"?")[2]
        wanted = {as_java(name): [as_java(value)] for name, value in each.query.items()}
        assert parse_query(query, {name: name for name in wanted}) == wanted


def test_the_local_engine_agrees(asked: Sequence[Asked], bodies: Sequence[bytes]) -> None:
    """The engine of the local cloud renders each of them byte by byte the same."""
    assert [rendered(direct.template(), each) for each in asked] == list(bodies)


def test_the_requests_are_hostile(asked: Sequence[Asked], tmp_path: Path) -> None:
    """A template that escapes nothing, as the usual ones, breaks on many of them."""
    naive = (
        "Action=SendMessage&MessageBody={\"agent\":\"$input.params().get('header').get('User-Agent')\","
        '"query":"$input.params().get(\'querystring\')"}'
    )
    broken = 0
    for body in by_velocity(naive, asked, tmp_path):
        try:
            fields = dict(parse_qsl(body.decode(), strict_parsing=True))
            assert json.loads(fields["MessageBody"]).keys() == {"agent", "query"}
        except (ValueError, AssertionError):
            broken += 1
    assert broken > COUNT // 5
