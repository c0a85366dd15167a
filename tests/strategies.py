"""Every Hypothesis strategy of the tests."""

from hypothesis import strategies as st

from pixelake.hit import Hit

PIECES = (
    *(b"site= url= title= referrer= user= userid= event_id= value= currency= sent_at= event= x= utm_source=".split()),
    *(b'& = ? + % ; # %00 %FF %zz %E2%82%AC %25FF \\ \xe9 \xf0\x9f\x98\x80 [ ] { } " , : null 1e9 -0 NaN'.split()),
    *(b"http:// https://example.com/ example.com //[::1]:8080/a //u:p@h/ <script> javascript: \r\n \n \\ud83d".split()),
    b" ",
    b"",
)
"""What inputs are made of that go wrong where random bytes do not."""

HEADERS = (
    b"User-Agent: Mozilla/5.0 (Windows NT 10.0) Chrome/120.0.0.0",
    b"User-Agent: \xff<script>",
    b"user-agent:",
    b"Referer: https://www.example.com/",
    b"Referer: //[",
    b"DNT: 1",
    b"Sec-GPC: 1",
    b"Accept-Language: de-DE,de;q=0.9",
    b"Content-Type: application/json",
    b"Content-Type: application/x-ndjson; charset=utf-16",
    b"Content-Type: multipart/form-data",
    b"Content-Encoding: gzip",
    b"X-Forwarded-For: 203.0.113.9, 2001:db8::1",
    b"no colon",
)

messy = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), max_size=12).map(b"".join)
"""Bytes that nearly mean something."""

addresses = st.one_of(
    st.ip_addresses().map(str), st.sampled_from(["", "::ffff:203.0.113.9", "fe80::1%eth0", "unix:", "1.2.3", "\x00"])
)

hits = st.builds(
    Hit.of,
    received_at=st.integers(0, 4_000_000_000_000_000),
    peer=addresses,
    client=addresses,
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
    target=st.one_of(
        st.builds(bytes.__add__, st.sampled_from([b"/pixel.gif?", b"/?", b"/events?", b"/events"]), messy),
        st.binary(max_size=40),
    ),
    headers=st.one_of(
        st.lists(st.sampled_from(HEADERS), max_size=6).map(lambda lines: b"".join(line + b"\r\n" for line in lines)),
        st.binary(max_size=60),
    ),
    body=st.one_of(st.just(b""), messy),
)
"""Whatever a request may hold."""

NODES = (
    *("203.0.113.9", "203.0.113.9:80", "[2001:db8::1]", "[2001:db8::1]:443", '"[2001:db8::1]:443"', "2001:db8::1"),
    *("10.0.0.7", "unknown", "_hidden", "", "999.1.1.1", "1.2.3.4:99999999", "[::1", "::ffff:10.0.0.7", "\x00"),
    *("for=203.0.113.9", 'for="[2001:db8::1]"', "for=10.0.0.7;proto=http", 'for="', '";for=', 'host="a, for=6.6.6.6"'),
)
"""What forwarding headers are made of, and what is nearly one."""

told = st.lists(st.one_of(st.sampled_from(NODES), st.text('"\\,;= a1.:[]', max_size=6)), max_size=6).map(
    lambda nodes: ", ".join(nodes).encode()
)
"""The value of a forwarding header."""

CUT = "x" * 200
"""Too long for a field of 150 characters."""

elements = st.fixed_dictionaries(
    {},
    optional={
        "site": st.sampled_from(["a", "b", "no site"]),
        "event": st.sampled_from(["pageview", "purchase"]),
        "order": st.sampled_from(["AB123", "none"]),
        "title": st.sampled_from(["short", CUT]),
        "value": st.sampled_from(["1.50", "x"]),
        "user": st.just("ada"),
    },
)
"""Elements of a body that are events by some rules and rejects by others."""

forwarding = st.lists(
    st.tuples(
        st.sampled_from(
            [b"X-Forwarded-For", b"forwarded", b"CloudFront-Viewer-Address", b"CF-Connecting-IP", b"X-Other"]
        ),
        st.one_of(told, st.binary(max_size=30)),
    ),
    max_size=4,
).map(lambda lines: b"".join(b"%b: %b\r\n" % line for line in lines))
"""Header lines of proxies, and of those who play one."""
