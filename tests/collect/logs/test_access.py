"""Lines of access logs: what others' documentation shows, what servers escape, and what is no line at all."""

from datetime import UTC, datetime

import pytest

from pixelake.collect.logs import access
from pixelake.collect.logs.line import Line
from pixelake.errors import SettingsError
from tests.work import growth

APACHE = (
    b'127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
    b' "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'
)
"""From the documentation of Apache (mod_log_config)."""
AT = int(datetime(2000, 10, 10, 20, 55, 36, tzinfo=UTC).timestamp()) * 1_000_000


def read(line: bytes) -> Line:
    """A line of `combined`."""
    found = access.combined().read(line)
    assert isinstance(found, Line), found
    return found


def test_the_line_of_apaches_documentation() -> None:
    """Each field is what its documentation says."""
    assert read(APACHE) == Line(
        AT,
        "127.0.0.1",
        b"GET",
        b"/apache_pb.gif",
        200,
        b"http://www.example.com/start.html",
        b"Mozilla/4.08 [en] (Win98; I ;Nav)",
        b"",
    )


def test_what_is_behind_is_passed_over() -> None:
    """Nginx's own `main` is combined and one field more."""
    assert read(APACHE + b' "203.0.113.9, 10.0.0.1"') == read(APACHE)


def test_a_user_with_a_blank() -> None:
    """Servers do not escape the blanks of a user's name."""
    assert read(APACHE.replace(b"frank", b"Ada Lovelace")) == read(APACHE)


@pytest.mark.parametrize(
    ("written", "meant"),
    {
        "nginx's quotes": (rb"a\x22b", b'a"b'),
        "Apache's quotes": (rb"a\"b", b'a"b'),
        "a backslash": (rb"a\\x22b", rb"a\x22b"),
        "bytes that are no text": (rb"\xFF\xfe", b"\xff\xfe"),
        "control letters": (rb"a\tb\nc\x00", b"a\tb\nc\0"),
        "a lone backslash before something else": (rb"C:\dir", b"C:dir"),
        "nothing": (b"-", b""),
    }.values(),
)
def test_escapes(written: bytes, meant: bytes) -> None:
    """A field is what the client sent."""
    assert read(APACHE.replace(b"Mozilla/4.08 [en] (Win98; I ;Nav)", written)).agent == meant


@pytest.mark.parametrize(
    ("sent", "method", "target"),
    {
        "HTTP/0.9": (b"GET /", b"GET", b"/"),
        "blanks in it": (b"GET /a b HTTP/1.1", b"GET", b"/a b"),
        "absolute": (b"GET http://a.example/b HTTP/1.1", b"GET", b"http://a.example/b"),
        "TLS to a plain port": (rb"\x16\x03\x01\x02\x00\x01\xFC", b"", b""),
        "nothing": (b"-", b"", b""),
        "only a method": (b"GET", b"", b""),
        "no method": (b"\\r\\n /x", b"", b""),
    }.values(),
)
def test_requests(sent: bytes, method: bytes, target: bytes) -> None:
    """What is no request has neither method nor target, and is a line all the same."""
    found = read(APACHE.replace(b"GET /apache_pb.gif HTTP/1.0", sent))
    assert (found.method, found.target) == (method, target)


@pytest.mark.parametrize(
    "line",
    {
        "nothing": b"",
        "something else": b"Feb 10 21:00:00 host sshd[1]: error",
        "cut off": APACHE[:60],
        "cut in the agent": APACHE[:-1],
        "no such month": APACHE.replace(b"Oct", b"Xxx"),
        "no such day": APACHE.replace(b"10/Oct", b"32/Oct"),
        "no such zone": APACHE.replace(b"-0700", b"-9900"),
        "a status of four digits": APACHE.replace(b" 200 ", b" 2000 "),
        "an address that is none": APACHE.replace(b"127.0.0.1", b"<script>"),
        "a long address": APACHE.replace(b"127.0.0.1", b"1" * 300),
        "NULs of a copied log": bytes(5_000) + APACHE,
        "digits that are not ASCII": APACHE.replace(b"13:55", "1٣:55".encode()),
    }.values(),
)
def test_unreadable(line: bytes) -> None:
    """Why is told as text, and nothing is raised."""
    assert isinstance(access.combined().read(line), str)


def test_json() -> None:
    """Nginx's own names, as text or as numbers; a plain line is read, too."""
    form = access.nginx()
    line = (
        b'{"remote_addr":"2001:db8::1","time_iso8601":"2000-10-10T13:55:36-07:00","status":200,'
        b'"request":"GET /a?b=\\u0022 HTTP/2.0","http_referer":"","http_user_agent":"M\\\\ozilla",'
        b'"host":"shop.example","x":{"y":[null]}}'
    )
    assert form.read(line) == Line(AT, "2001:db8::1", b"GET", b'/a?b="', 200, b"", b"M\\ozilla", b"shop.example")
    assert form.read(APACHE) == read(APACHE)
    parts = b'{"ip":"192.0.2.1","msec":"971211336.250","method":"GET","uri":"/a","args":"b=1","status":"304","ua":"x"}'
    assert form.read(parts) == Line(AT + 250_000, "192.0.2.1", b"GET", b"/a?b=1", 304, b"", b"", b"")


@pytest.mark.parametrize("line", [b"{", b"{}", b'{"status":', b"{" * 5_000, b'{"status":[200]}', b'{"\xff":"\xff"}'])
def test_json_that_is_no_line(line: bytes) -> None:
    """Why is told as text."""
    assert isinstance(access.nginx().read(line), str)


@pytest.mark.parametrize(
    "written",
    {
        "the whole directive": """log_format main escape=default '$remote_addr [$time_local] $host '
            '"$request" $status "$http_user_agent"';""",
        "its name and escapes": """main-2 escape=default '$remote_addr [$time_local] $host "$request" $status'
            ' "$http_user_agent"';""",
        "nginx.conf, in two parts": """'$remote_addr [$time_local] $host '
            '"$request" $status "$http_user_agent"';""",
        "Apache": r"%h %t %v \"%r\" %>s \"%{User-agent}i\"",
        "braces": '${remote_addr} [${time_local}] ${http_host} "${request}" ${status} "${http_user_agent}"',
        "parts of a request": '$remote_addr [$time_local] $host "$request_method $request_uri $server_protocol"'
        ' $status "$http_user_agent"',
    }.values(),
)
def test_formats_of_ones_own(written: str) -> None:
    """A format as the server's configuration has it reads what that server writes."""
    line = b'127.0.0.1 [10/Oct/2000:13:55:36 -0700] www.example.com "GET /a HTTP/1.0" 200 "Mozilla"'
    form = access.custom(written)
    assert form.has_host
    assert form.read(line) == Line(AT, "127.0.0.1", b"GET", b"/a", 200, b"", b"Mozilla", b"www.example.com")
    assert isinstance(form.read(line + b" more"), str)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (
            '$remote_addr "$time_local" "$request" $status',
            b'1.2.3.4 "10/Oct/2000:13:55:36 -0700" "GET /a HTTP/1.0" 200',
        ),
        ("$remote_addr|$time_local|$request|$status", b"1.2.3.4|10/Oct/2000:13:55:36 -0700|GET /a HTTP/1.0|200"),
        ('%h "%t" "%r" %>s', b'1.2.3.4 "[10/Oct/2000:13:55:36 -0700]" "GET /a HTTP/1.0" 200'),
    ],
)
def test_a_time_without_brackets_in_the_format(written: str, line: bytes) -> None:
    """Apache writes some of its own, nginx none."""
    assert access.custom(written).read(line) == Line(AT, "1.2.3.4", b"GET", b"/a", 200, b"", b"", b"")


@pytest.mark.parametrize(
    "written",
    {
        "no fields": "hello",
        "no time": '$remote_addr "$request" $status',
        "no status": '$remote_addr [$time_local] "$request"',
        "no request": "$remote_addr [$time_local] $status",
        "no address": '[$time_local] "$request" $status',
        "nothing in between": '$remote_addr$time_local "$request" $status',
        "long": "$remote_addr " * 1_000,
    }.values(),
)
def test_formats_that_cannot_be(written: str) -> None:
    """They are refused with a hint."""
    with pytest.raises(SettingsError) as refused:
        access.custom(written)
    assert refused.value.hint


@pytest.mark.parametrize("run", ['"', "\\", " [", "] ", '" "', " - ", "[10/Oct/2000:13:55:36 -0700] ", '\\"', "\0"])
def test_hostile_lines_take_no_longer_than_their_length(run: str) -> None:
    """Eight times as long takes about eight times as much."""
    readers = [
        access.combined().read,
        access.custom('"$http_referer" $remote_addr [$time_local] "$request" $status').read,
    ]
    head = b'127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "'
    for reader in readers:
        assert growth(lambda text, reader=reader: reader(head + text.encode()), run) < 24
