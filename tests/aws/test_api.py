"""The function that shows things: the dashboard behind API Gateway, with its log-in, its answers and its stream."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest

from pixelake.aws.api import Api, api
from pixelake.aws.consume import Consume
from pixelake.build import functions, stores
from pixelake.errors import SourceError
from tests.aws.deliveries import line, of_kinesis
from tests.aws.requests import as_1, as_2, sample

HOST = (("Host", "127.0.0.1"), ("User-Agent", "Mozilla/5.0"))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of functions that share a folder, in whose lake is a hit."""
    folder = tmp_path_factory.mktemp("shared")
    places = {name: f"file://{folder}/{name}" for name in ("lake", "registry", "live")}
    environment = {f"PIXELAKE_{name.upper()}": place for name, place in places.items()}
    chosen = functions.settings({**environment, "PIXELAKE_DATA": str(folder / "f")})
    Consume(functions.stages(chosen))(of_kinesis([line(1)]))
    return chosen


@pytest.fixture(scope="module")
def shown(settings: Any) -> Iterator[Api]:
    """The function."""
    made = api(settings)
    yield made
    made.close()


@pytest.fixture
def token(settings: Any) -> str:
    """What lets one in."""
    return str(stores.registry(settings).secret("access_token"))


def body(answer: Any) -> bytes:
    """Of an answer."""
    return b64decode(answer["body"])


@pytest.mark.parametrize("form", [as_1, as_2])
def test_nobody_without_a_token(shown: Api, form: Any) -> None:
    """Neither a page nor the API."""
    assert shown(form("/api/v1/sites", headers=HOST))["statusCode"] == 401
    assert shown(form("/", headers=HOST))["statusCode"] == 401


@pytest.mark.parametrize("form", [as_1, as_2])
def test_a_question(shown: Api, token: str, form: Any) -> None:
    """It is answered as by the dashboard anywhere."""
    answer = shown(form("/api/v1/pages", "site=s.example&period=7d", (*HOST, ("Authorization", f"Bearer {token}"))))
    assert answer["statusCode"] == 200, body(answer)
    assert json.loads(body(answer))["rows"][0]["value"] == "s.example/1"


@pytest.mark.parametrize("form", [as_1, as_2])
def test_a_session(shown: Api, token: str, form: Any) -> None:
    """The first address lets in by a cookie, which is told and taken in each format."""
    first = shown(form("/", f"token={token}", HOST))
    told = first["cookies"] if form is as_2 else first["multiValueHeaders"]["set-cookie"]
    cookie = told[0].partition(";")[0]
    assert shown(form("/", headers=(*HOST, ("Cookie", cookie))))["statusCode"] == 200


def test_the_stream(shown: Api, token: str) -> None:
    """It ends, with what came until then."""
    answer = shown(as_2("/api/v1/live", "after=0", (*HOST, ("Authorization", f"Bearer {token}"))))
    assert answer["headers"]["content-type"].startswith("text/event-stream")
    assert b"event: events" in body(answer)


@pytest.mark.parametrize("name", ["http-2.0", "http-2.0-plain", "http-1.0", "rest-1.0"])
def test_samples_of_aws(shown: Api, name: str) -> None:
    """They ask for nothing of ours, under another host: they are refused, in their format."""
    answer = shown(sample(name))
    assert 400 <= answer["statusCode"] < 500
    assert isinstance(answer["body"], str)
    assert ("multiValueHeaders" in answer) == ("2.0" not in name)


def test_another_event(shown: Api) -> None:
    """It is refused."""
    with pytest.raises(SourceError):
        shown(sample("sqs"))


def test_an_answer_that_is_too_long(shown: Api, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said so, and what to do: Lambda would fail."""
    monkeypatch.setattr("pixelake.aws.api.MOST", 100)
    answer = shown(as_2("/api/v1/sites", headers=(*HOST, ("Authorization", f"Bearer {token}"))))
    assert answer["statusCode"] == 413
    assert "shorter period" in answer["body"]


def test_no_host_of_others(shown: Api, token: str) -> None:
    """A name that was not declared is refused, as everywhere."""
    headers = (("Host", "evil.example"), ("Authorization", f"Bearer {token}"))
    assert shown(as_2("/api/v1/sites", headers=headers))["statusCode"] in {400, 403, 421}
