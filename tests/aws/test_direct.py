"""How a REST API without a function is set: its answers, and the way of a request through a queue."""

import re
from base64 import b64decode
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from pixelake.aws import direct, gateway
from pixelake.aws.local.rest import Asked, answer_to, headers_of, query_of, rendered
from pixelake.aws.records import delivery
from pixelake.build.stores import decoder, reader
from pixelake.collect.pixel import GIF, REFUSALS, Answers
from pixelake.dialects.base import Answer
from pixelake.settings import Settings
from pixelake.stream import aws
from pixelake.stream.base import GROUP
from tests.aws.requests import EPOCH_MS, as_2
from tests.s3 import Server, reached
from tests.stream.aws import drained, new_queue

ASKED = Asked(
    "GET", "/prod/pixel.gif", {"site": "a", "a": "1 & 2"}, {"User-Agent": "Mozilla/5.0", "Cookie": "hush"},
    "203.0.113.9", EPOCH_MS, "r", "ZAbC=",
)  # fmt: skip


@pytest.mark.parametrize("status", [200, 400, 403, 404, 429, 500, 503, 301, 201, 2000])
def test_200_only_if_the_queue_has_it(status: int) -> None:
    """Whatever else the queue says: a refusal with its reason, and still the image."""
    answer = answer_to(status)
    assert (answer.status == 200) == (status == 200)
    assert b64decode(answer.body) == GIF
    assert answer.headers["Content-Type"] == "image/gif"
    assert ("X-Pixelake" in answer.headers) == (status != 200)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_answers_are_the_collectors() -> None:
    """The same headers as of the function behind API Gateway."""
    asked = gateway.request(as_2())
    taken, _, unsure = direct.ANSWERS
    assert taken.headers == gateway.settled(Answers(), asked, Answer.IMAGE)["headers"]
    theirs = gateway.settled(Answers(), asked, Answer.IMAGE, "unavailable")
    assert (unsure.status, unsure.headers) == (theirs["statusCode"], theirs["headers"])


def test_one_answer_for_all_else() -> None:
    """Statuses that nobody thought of are no success."""
    assert [each.status for each in direct.ANSWERS if not each.pattern] == [503]
    assert [each.pattern for each in direct.ANSWERS if re.fullmatch(each.pattern, "200") and each.pattern] == ["200"]


def test_what_api_gateway_answers_itself() -> None:
    """Never 200, with a reason that is documented, the status of it, and an image that is text."""
    for own in direct.OTHERWISE:
        reason = own.headers["X-Pixelake"]
        assert REFUSALS[reason].status.startswith(str(own.status))
        assert own.headers["Cache-Control"] == "no-store"
        assert own.body.isascii()
        assert own.body.startswith("<svg ")
    kinds = [own.kind for own in direct.OTHERWISE]
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= set(kinds)
    assert len(set(kinds)) == len(kinds)


def test_only_the_pixels_paths() -> None:
    """There is no path for all others."""
    assert direct.PATHS == ("/pixel.gif", "/pixel", "/p.gif", "/trackingpixel")


def test_a_rest_api_keeps_the_last_value() -> None:
    """Of a name that comes again, in the query and in the head; a name of a header is one in all its spellings."""
    assert query_of("a=1&b=%C3%A4+x&a=2&c&d=%ff") == {"a": "2", "b": "ä x", "c": "", "d": "\ufffd"}
    assert headers_of([("X-A", "1"), ("Host", "h"), ("x-a", "2")]) == {"x-a": "2", "Host": "h"}


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, moto: Server) -> Iterator[str]:
    """A new queue."""
    reached(monkeypatch, moto.environment)
    return new_queue()


def sent(name: str, asked: Asked) -> int:
    """What API Gateway does: the form goes to the queue's own path. Returns its status."""
    url = aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    body = rendered(direct.template(), asked)
    call = Request(
        url,
        body,
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260210/us-east-1/sqs/aws4_request",
        },
    )
    with urlopen(call, timeout=10) as answer:
        return int(answer.status)


def test_through_a_queue(name: str) -> None:
    """The rendered form is a call that SQS takes; the consumer reads the hit of the request."""
    assert answer_to(sent(name, ASKED)).status == 200
    taken = reader(Settings(stream=f"sqs://{name}"), GROUP)
    try:
        [batch] = drained(taken, 1)
    finally:
        taken.close()
    [hit] = batch.hits
    assert (hit.hit_id, hit.target, hit.client) == (
        "apigateway-ZAbC=",
        b"/pixel.gif?site=a&a=1%20%26%202",
        "203.0.113.9",
    )
    assert b"hush" not in hit.head


def test_through_a_function(name: str) -> None:
    """An event source mapping's function reads the same hit."""
    sent(name, ASKED)
    client = aws.client("sqs")
    [message] = client.receive_message(QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"])["Messages"]
    record = {
        "messageId": message["MessageId"],
        "body": message["Body"],
        "attributes": {"SentTimestamp": str(EPOCH_MS)},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{name}",
    }
    [hit] = delivery({"Records": [record]}, decoder(Settings())).hits
    assert (hit.hit_id, hit.source) == ("apigateway-ZAbC=", "apigateway")
