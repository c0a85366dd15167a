"""Events of API Gateway become the hits that a collector makes of the same requests, and get its answers."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake import hit_json
from pixelake.aws import gateway
from pixelake.collect.admission import Admission, Refused
from pixelake.collect.pixel import GIF, PNG, REFUSALS, STAY, Answers, cors
from pixelake.dialects.base import Answer
from pixelake.dialects.native import Native
from pixelake.dialects.text import parse_query
from pixelake.hit import Hit
from pixelake.settings import Settings
from pixelake.stream.base import Batch
from pixelake.stream.memory import MemoryStream
from tests.aws.requests import EPOCH_MS, FORMATS, USUAL, Event, Headers, as_1, as_2, sample
from tests.collect.test_protocol import Collector, answers

Make = Callable[..., Event]
each_format = pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
DIALECT = Native(Settings().aliases)


def hit_of(event: Event, settings: Settings | None = None) -> Hit:
    """The hit of an event that may come in."""
    made = gateway.hit(gateway.request(event), Admission(settings or Settings()))
    assert isinstance(made, Hit)
    return made


def lines(hit: Hit) -> list[bytes]:
    """The header lines of a hit."""
    return hit.headers.split(b"\r\n")[:-1]


# --- AWS's own samples


def test_the_sample_of_format_2() -> None:
    """Method, target, headers, body, time, name: of AWS's guide."""
    made = hit_of(sample("http-2.0"))
    assert made.head == (
        b"POST /my/path?parameter1=value1&parameter1=value2&parameter2=value HTTP/1.1\r\n"
        b"header1: value1\r\nheader2: value1,value2\r\n\r\n"
    )
    assert made.body == b'{"message": "hello world", "username": "tom"}'
    assert (made.received_at, made.hit_id, made.source) == (1_583_348_638_390_000, "apigateway-id", "apigateway")
    assert made.peer == made.client == "192.168.0.1"


def test_the_sample_of_format_1() -> None:
    """The query is written anew, and each value of a header has a line."""
    made = hit_of(sample("http-1.0"))
    assert made.head == (
        b"GET /my/path?parameter1=value1&parameter1=value2&parameter2=value HTTP/1.1\r\n"
        b"header1: value1\r\nheader2: value1\r\nheader2: value2\r\nOrigin: https://aws.amazon.com\r\n\r\n"
    )
    assert made.body == b"Hello from Lambda!"
    assert (made.received_at, made.source) == (1_583_349_317_135_000, "apigateway")
    assert made.hit_id == "apigateway-request-id"


def test_the_sample_of_a_rest_api() -> None:
    """Names of headers as sent, in their order; nobody's proxy is believed, although one is named."""
    made = hit_of(sample("rest-1.0"))
    assert made.target == b"/hello/world?name=me"
    assert lines(made)[0] == b"Accept: */*"
    assert b"CloudFront-Viewer-Country: US" in lines(made)
    assert made.body == b'{\r\n\t"a": 1\r\n}'
    assert made.peer == made.client == "192.168.196.186"
    assert made.hit_id == "apigateway-deef4878-7910-11e6-8f14-25afc3e9ae33"


@pytest.mark.parametrize("chosen", ["of-another-hit", "a b", "x.1", ""])
def test_no_client_names_its_hit(chosen: str) -> None:
    """In format 1.0 `x-amzn-RequestId` of a client is the request's id: that which API Gateway gives itself counts."""
    event = as_1(name=chosen)
    event["requestContext"]["extendedRequestId"] = "ZAbCdEfGhIjKlMn="
    assert hit_of(event).hit_id == "apigateway-ZAbCdEfGhIjKlMn="


def test_the_sample_without_a_query() -> None:
    """No mark behind the path; what is absent is empty."""
    made = hit_of(sample("http-2.0-plain"))
    assert (made.target, made.body, made.client) == (b"/", b"", "1.2.3.4")


# --- the same as the collector's


@pytest.fixture(scope="module")
def collected() -> Iterator[Callable[[bytes], tuple[Hit, bytes]]]:
    """Sends bytes to a collector; its hit and its answer."""
    stream = MemoryStream()
    reader = stream.reader()
    # the peer is this machine: what it says of the client is believed
    collector = Collector(Settings(trusted_proxies=("loopback",)), stream.writer())

    def ask(request: bytes) -> tuple[Hit, bytes]:
        answer = collector.talk(request, end=True)
        batch = reader.read(10, 5)
        assert isinstance(batch, Batch)
        (hit,) = batch.hits
        return hit, answer

    yield ask
    collector.stop()


REQUESTS: dict[str, tuple[str, str, str, Headers, bytes]] = {
    "an image": ("GET", "/pixel.gif", "site=a&event=view", USUAL, b""),
    "HEAD": ("HEAD", "/pixel.gif", "site=a", USUAL, b""),
    "a PNG": ("GET", "/pixel.png", "a=1&a=2", USUAL, b""),
    "nothing": ("GET", "/204", "a=1", (*USUAL, ("Origin", "https://shop.example")), b""),
    "the root": ("GET", "/", "site=a", USUAL, b""),
    "escapes": ("GET", "/pixel.gif", "title=%C3%A4%20b&x=%26%3D%2B&plus=a%2Bb", USUAL, b""),
    "secrets": ("GET", "/pixel.gif", "api_key=hush&site=a&url=https%3A%2F%2Fa%2F%3Ftoken_auth%3Dhush", USUAL, b""),
    "secret headers": ("GET", "/pixel.gif", "a=1", (*USUAL, ("Cookie", "a=b"), ("Authorization", "Basic eA=="),
                       ("X-Api-Key", "hush"), ("Accept", "*/*")), b""),
    "no headers": ("GET", "/pixel.gif", "a=1", (("Host", "a"),), b""),
    "JSON": ("POST", "/events", "", (*USUAL, ("Content-Type", "application/json")), b'{"site":"a","password":"hush"}'),
    "a form": ("POST", "/events", "site=q", (*USUAL, ("Content-Type", "application/x-www-form-urlencoded")), b"a=1"),
    "bytes": ("POST", "/events", "", (*USUAL, ("Content-Encoding", "gzip")), bytes(range(256))),
}  # fmt: skip


@each_format
@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS.keys())
def test_the_hit_is_the_collectors(
    make: Make, asked: tuple[str, str, str, Headers, bytes], collected: Callable[[bytes], tuple[Hit, bytes]]
) -> None:
    """What is kept of a request, and how it reads, is the same; and so is the answer."""
    method, path, query, headers, body = asked
    length = [("Content-Length", str(len(body)))] if body else []
    told = [*headers, *length, ("X-Forwarded-For", "203.0.113.9")]
    sent = "".join(f"{name}: {value}\r\n" for name, value in told)
    target = f"{path}?{query}" if query else path
    theirs, answer = collected(f"{method} {target} HTTP/1.1\r\n{sent}\r\n".encode() + body)

    ours = hit_of(make(path, query, told, body, method=method))
    assert (ours.method, ours.body, ours.client) == (theirs.method, theirs.body, theirs.client)
    assert [_lower(line) for line in lines(ours)] == [_lower(line) for line in lines(theirs)]
    assert DIALECT.decode(ours) == DIALECT.decode(theirs)
    assert ours.target == theirs.target or (make is as_1 and query)
    assert b"hush" not in hit_json.encode(ours)

    kind = next(route.answer for route in DIALECT.routes if route.path == (path.encode() if path != "/" else b"/pixel"))
    given = gateway.settled(Answers(), gateway.request(make(path, query, told, body, method=method)), kind)
    assert_same(given, answer, method)


def _lower(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    return name.lower() + colon + value


def assert_same(given: Event, answer: bytes, method: str = "GET") -> None:
    """An answer to API Gateway says what the collector's bytes say, but for what API Gateway writes itself."""
    if method == "HEAD":
        answer = answer.replace(b"Content-Length: 43\r\n", b"")
    (there,) = answers(answer)
    own = {"date", "content-length", "connection"}
    assert given["statusCode"] == there.status
    assert {name.lower(): value for name, value in given["headers"].items()} == {
        name: value for name, value in there.headers.items() if name not in own
    }
    body = b64decode(given["body"], validate=True) if given["isBase64Encoded"] else given["body"].encode()
    assert body == there.body


# --- targets


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_a_raw_query_stays_as_it_is(query: str) -> None:
    """Byte by byte, in format 2.0, whatever a client may have sent; unless it names a secret."""
    target = gateway.request(as_2(query=query)).target
    assert target == (f"/pixel.gif?{query}" if query else "/pixel.gif").encode()


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=8))
def test_a_decoded_query_comes_back(fields: Sequence[tuple[str, str]]) -> None:
    """Format 1.0: every name and value, whatever letters it has; values of a name in their order."""
    event = as_1()
    many: dict[str, list[str]] = {}
    for name, value in fields:
        many.setdefault(name, []).append(value)
    event["multiValueQueryStringParameters"] = many or None
    asked = gateway.request(event)
    assert asked.target.isascii()
    assert asked.target.count(b" ") == 0
    query = asked.target.partition(b"?")[2]
    names = {name: name for name in many}
    assert parse_query(query, names) == many


def test_only_single_values() -> None:
    """Format 1.0 where the members with many values are missing: the others are heard."""
    event = as_1(query="a=1&b=%20", headers=(("Host", "a"),))
    event["multiValueQueryStringParameters"] = event["multiValueHeaders"] = None
    made = hit_of(event)
    assert (made.target, lines(made)) == (b"/pixel.gif?a=1&b=%20", [b"Host: a"])


@each_format
@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/pixel.gif", b"/pixel.gif?a=1"),
        ("/prod/pixel.gif", b"/pixel.gif?a=1"),
        ("/production/pixel.gif", b"/production/pixel.gif?a=1"),
        ("", b"/?a=1"),
        ("/a b\r\nX: y", b"/a%20b%0D%0AX:%20y?a=1"),
        ("/a?b#c", b"/a%3Fb%23c?a=1"),
        ("/\N{SNOWMAN}\ud800", b"/%E2%98%83%3F?a=1"),
    ],
)
def test_paths(make: Make, path: str, target: bytes) -> None:
    """Without the stage, and never more than a path in one line."""
    assert gateway.request(make(path, "a=1", stage="prod")).target == target


@each_format
def test_headers_cannot_add_lines(make: Make) -> None:
    """Line ends and other control letters in a value are spaces; what is no name has no line."""
    headers = (
        ("X-A", "1\r\nX-Evil: 2\x00\tend"),
        ("X B", "3"),
        ("X:C", "4"),
        ("", "5"),
        ("X-D\n", "6"),
        ("X-E", "\ud800"),
    )
    assert [_lower(line) for line in lines(hit_of(make(headers=headers)))] == [b"x-a: 1  X-Evil: 2 \tend", b"x-e: ?"]


# --- who the client is


@each_format
def test_trusted_proxies_are_heard(make: Make) -> None:
    """As the collector hears them: from the end of the list, as far as they are declared."""
    headers = (("X-Forwarded-For", "198.51.100.7, 192.0.2.4, 192.0.2.9"),)
    trusting = Settings(trusted_proxies=("192.0.2.0/24",))
    made = hit_of(make(headers=headers, peer="192.0.2.9"), trusting)
    assert (made.peer, made.client) == ("192.0.2.9", "198.51.100.7")
    assert hit_of(make(headers=headers, peer="192.0.2.9")).client == "192.0.2.9"
    assert hit_of(make(headers=headers, peer="203.0.113.9"), trusting).client == "203.0.113.9"


@each_format
def test_cloudfront_in_front(make: Make) -> None:
    """Its header is believed if the setting says so, and its addresses are declared."""
    headers = (("CloudFront-Viewer-Address", "2001:db8::1:46532"),)
    settings = Settings(trusted_proxies=("192.0.2.0/24",), client_header="cloudfront-viewer-address")
    assert hit_of(make(headers=headers, peer="192.0.2.9"), settings).client == "2001:db8::1"


@each_format
def test_strict_privacy(make: Make) -> None:
    """No whole address is in the hit, in no header either."""
    made = hit_of(make(headers=(("X-Forwarded-For", "203.0.113.9"),)), Settings(privacy="strict"))
    assert (made.peer, made.client) == ("203.0.113.0", "203.0.113.0")
    assert b"203.0.113.9" not in hit_json.encode(made)


@each_format
@pytest.mark.parametrize("peer", ["", "test-invoke-source-ip", "1.2.3.4, 5.6.7.8", "\x00"])
def test_a_peer_that_is_no_address(make: Make, peer: str) -> None:
    """It is nobody's."""
    made = hit_of(make(peer=peer))
    assert (made.peer, made.client) == ("", "")


@each_format
def test_a_rate(make: Make) -> None:
    """An address that sends more than its rate is refused, with the seconds to wait; another one is not."""
    admission = Admission(Settings(address_rate=0.1, address_burst=1))
    asked = gateway.request(make())
    assert isinstance(gateway.hit(asked, admission), Hit)
    refused = gateway.hit(asked, admission)
    assert isinstance(refused, Refused)
    assert refused.reason == "rate_address"
    answer = gateway.settled(Answers(), asked, Answer.IMAGE, *refused)
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (429, str(refused.retry_after))
    assert isinstance(gateway.hit(gateway.request(make(peer="203.0.113.10")), admission), Hit)


# --- bodies


@each_format
@pytest.mark.parametrize("text", [True, False], ids=["text", "base64"])
def test_bodies(make: Make, text: bool) -> None:
    """As text or in base64: the same bytes."""
    body = '{"title":"\N{SNOWMAN}"}'.encode()
    assert hit_of(make("/events", body=body, method="POST", text=text)).body == body


@each_format
def test_the_hit_travels(make: Make) -> None:
    """As a line of JSON, and back."""
    made = hit_of(make("/events", "a=%ff", body=bytes(range(256)), method="POST"))
    assert hit_json.decode(hit_json.encode(made)) == made
    assert made.received_at == EPOCH_MS * 1_000


# --- answers


@pytest.mark.parametrize(("kind", "image"), [(Answer.IMAGE, GIF), (Answer.PNG, PNG), (Answer.BADGE, GIF)])
def test_images_are_in_base64(kind: Answer, image: bytes) -> None:
    """A badge, too, is the GIF: there is nobody here who counts."""
    answer = gateway.settled(Answers(), gateway.request(as_2()), kind)
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"] is True
    assert b64decode(answer["body"], validate=True) == image
    assert answer["headers"]["Cache-Control"] == "no-store"


@pytest.mark.parametrize("reason", REFUSALS)
@pytest.mark.parametrize("kind", [Answer.IMAGE, Answer.EMPTY])
def test_refusals_are_the_collectors(reason: str, kind: Answer) -> None:
    """Status, reason, when to try again; the GIF where an image was asked for, else a line of text."""
    made = Answers()
    asked = gateway.request(as_2(headers=(("Origin", "https://shop.example"),)))
    given = gateway.settled(made, asked, kind, reason)
    image = kind is Answer.IMAGE
    extra = b"" if image else cors(asked.head)
    assert_same(given, made.refusal(reason, STAY, image=image, extra=extra))
    assert given["headers"]["X-Pixelake"] == reason
    assert given["isBase64Encoded"] is image


def test_an_answer_without_a_body() -> None:
    """To HEAD, and 204: nothing, and that is not in base64."""
    for asked, kind in ((as_2(method="HEAD"), Answer.IMAGE), (as_2(), Answer.EMPTY)):
        answer = gateway.settled(Answers(), gateway.request(asked), kind)
        assert (answer["body"], answer["isBase64Encoded"]) == ("", False)
