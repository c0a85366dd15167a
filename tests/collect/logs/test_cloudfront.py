"""CloudFront's logs: the samples of its documentation, what its escapes mean, and what no record is."""

import json
import re
from typing import Any

import pytest

from pixelake.collect.logs import cloudfront, cloudfront_fields
from pixelake.collect.logs.cloudfront_fields import DEFAULT, REALTIME, STANDARD
from pixelake.collect.logs.line import Line
from pixelake.collect.logs.visits import Wanted, hit_of, routes_of
from pixelake.dialects.native import Native
from pixelake.errors import SettingsError
from pixelake.hit import Hit
from tests.judging import events

ROUTES = routes_of([Native({})])
SECOND = 1_000_000
MAC = (
    "Mozilla/5.0%20(Macintosh;%20Intel%20Mac%20OS%20X%2010_15_7)%20AppleWebKit/537.36%20(KHTML,%20like%20Gecko)"
    "%20Chrome/108.0.0.0%20Safari/537.36"
)
WITHOUT_SERVER = [name for name in REALTIME[:46] if name != "s-ip"]
"""Of 2022: all fields there were."""
FULL = (
    "1671005351.148\t27.0.3.156\t0.001\t200\t2212\tGET\thttps\td2omsvnrx2yu4i.cloudfront.net"
    "\t/locales/en/common.json?v=v1.2.0\t50\tNRT57-C1\tcGX9Jx7KFX7UwY8KwRFS5FvFrdUJBpSBqMgaHWi3yuHJ7mblrhzT5A=="
    f"\td2omsvnrx2yu4i.cloudfront.net\t0.001\tHTTP/2.0\tIPv4\t{MAC}\t-\t-\tv=v1.2.0\tHit\t-\tTLSv1.3"
    "\tTLS_AES_128_GCM_SHA256\tHit\t-\t-\tapplication/json\t-\t-\t-\t17929\tHit\tJP\tgzip,%20deflate,%20br\t*/*\t*"
    "\thost:d2omsvnrx2yu4i.cloudfront.net%0Apragma:no-cache%0Aaccept-language:ja,en;q=0.9%0Aaccept:*/*%0A"
    "\thost%0Apragma%0Aaccept-language%0Aaccept%0A\t13\tE32QJQ394BWBEI\td2omsvnrx2yu4i.cloudfront.net\t-\t-\t16509"
)
CUSTOM = (
    "1600299221.087\t174.204.64.230\t0.000\t304\t322\tGET\thttps\tpreview.dashcon.io\t/2020/speakers/\t637\tSEA19-C2"
    "\teRwgLa8bR0pQBnbTFt_jIVY77WAfmcRuE980cPpEpGBcxrM6rq97vw==\td3gpvymg9z2unc.cloudfront.net\t0.140\tHTTP/2.0\tIPv4"
    "\tMozilla/5.0%20(iPhone;%20CPU%20iPhone%20OS%2014_0%20like%20Mac%20OS%20X)\thttps://preview.dashcon.io/2020/\t-\t-"
    "\tRefreshHit\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tRefreshHit\t-\t-\t-\t-\t-\t-\t10485\tRefreshHit\tUS"
    "\tgzip,%20deflate,%20br\ttext/html,*/*;q=0.8\t/pattern/*\thost:preview.dashcon.io%0A\thost%0A\t9"
)
CUSTOM_FIELDS = [name for name in REALTIME[:41] if name != "s-ip"]
WITH_SERVER = (
    "1759687234.191\t32.142.164.10\t65.8.177.136\t0.253\t200\t783\tGET\thttps\td3o60fb1dwgq5k.cloudfront.net\t/example"
    "\t201\tSFO53-P9\tHoIW-MaV1Qu7J5kwqnAYBNlsg4iI2MBYb5OXBfykwRAZpAqHmdWtQA=="
)
WITH_SERVER_FIELDS = REALTIME[:13]

HEADER = (
    "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer)"
    " cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes"
    " time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
INDEX = (
    "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\t-"
    "\tMozilla/5.0%20(Windows%20NT%2010.0;%20Win64;%20x64)%20AppleWebKit/537.36%20(KHTML,%20like%20Gecko)"
    "%20Chrome/78.0.3904.108%20Safari/537.36\t-\t-\tHit\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ=="
    "\td111111abcdef8.cloudfront.net\thttps\t23\t0.001\t-\tTLSv1.2\tECDHE-RSA-AES128-GCM-SHA256\tHit\tHTTP/2.0\t-\t-"
    "\t11040\t0.001\tHit\ttext/html\t78\t-\t-"
)
POSTED = (
    "2025-10-05\t01:06:21\tSFO53-P9\t611\t32.142.164.10\tPOST\td3o60fb1dwgq5k.cloudfront.net\t/data\t200\t-"
    "\tcurl/8.7.1\ttest=123\t-\tMiss\tGjocI0R8eOYh2liL2D6EUlwv1hsI8BY1YIzjpdzw-ZUnqbiF8E2WVQ=="
    "\td3o60fb1dwgq5k.cloudfront.net\thttps\t104\t0.133\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tMiss\tHTTP/2.0\t-\t-"
    "\t54726\t0.133\tMiss\tapplication/json\t121\t-\t-"
)
FAILED = (
    "2019-12-13\t22:37:02\tSEA19-C2\t900\t192.0.2.200\tGET\td111111abcdef8.cloudfront.net\t/\t502\t-\tcurl/7.55.1\t-\t-"
    "\tError\tkBkDzGnceVtWHqSCqBUqtA_cEs2T3tFUBbnBNkB9El_uVRhHgcZfcw==\twww.example.com\thttp\t387\t0.103\t-\t-\t-"
    "\tError\tHTTP/1.1\t-\t-\t12644\t0.103\tOriginDnsError\ttext/html\t507\t-\t-"
)
JSON = (
    '{"date":"2026-04-04","time":"12:57:53","x-edge-location":"SFO53-P7","sc-bytes":"1068","c-ip":"8.29.198.27",'
    '"cs-method":"GET","cs(Host)":"d3bkd4xdlxgkfz.cloudfront.net","cs-uri-stem":"/feed.xml","sc-status":"304",'
    '"cs(Referer)":"-","cs(User-Agent)":"Feedly/1.0","cs-uri-query":"-","cs(Cookie)":"-","x-edge-result-type":"Hit",'
    '"x-edge-request-id":"VqkomJQiWUvU0bQu33T0","x-host-header":"post-tenebras-lire.net","cs-protocol":"https",'
    '"c-port":"19103","time-to-first-byte":"0.001","x-edge-detailed-result-type":"Hit","sc-content-type":"-",'
    '"sc-content-len":"-","sc-range-start":"-","sc-range-end":"-","c-country":"US"}'
)
FEW = (
    '{"date":"2026-10-05","time":"10:00:00","cs-method":"GET","cs-uri-stem":"/chi-sono/","cs-uri-query":"-",'
    '"cs(User-Agent)":"Mozilla/5.0%20(iPhone)%20Safari/604.1","sc-status":"200","sc-bytes":"4987","time-taken":"0.722"}'
)


def read(form: cloudfront.Format, line: str | bytes) -> Line:
    """A line that can be read."""
    found = form.read(line.encode() if isinstance(line, str) else line)
    assert isinstance(found, Line), found
    return found


def standard(*lines: str) -> list[Line | str | None]:
    """The lines of a standard log."""
    begin = cloudfront.standard().begin
    assert begin
    reader = begin()
    return [reader(line.encode()) for line in lines]


def small(**values: str) -> bytes:
    """A record of the fields of a hit, all well but for these."""
    told = {
        "timestamp": "1793491200.250",
        "c_ip": "203.0.113.9",
        "sc_status": "200",
        "cs_method": "GET",
        "cs_host": "px.example",
        "cs_uri_stem": "/pixel.gif?site=shop.example&event=buy&value=3",
        "x_edge_request_id": "cGX9Jx7KFX7UwY8KwRFS5FvFrdUJBpSBqMgaHWi3yuHJ7mblrhzT5A==",
        "cs_user_agent": MAC,
        "cs_referer": "https://shop.example/a",
        "c_country": "DE",
    } | values
    return "\t".join(told[name.replace("-", "_")] for name in DEFAULT).encode()


def event(found: Line, **wanted: Any) -> dict[str, Any]:
    """The event of a line."""
    hit = hit_of(found, found.name or "p-1", Wanted("", ROUTES, **wanted))
    assert isinstance(hit, Hit), hit
    (told,) = events(hit)
    return dict(told)


def test_the_fields_there_are() -> None:
    """69 of real-time logs and what functions log, none twice; 33 of standard ones, by the names of the latter."""
    assert len(REALTIME) == len({*REALTIME}) == 69 + 2
    assert len(STANDARD) == len({*STANDARD}) == 33
    assert {*DEFAULT} < {*REALTIME}
    names = HEADER.removeprefix("#Fields: ").split()
    assert tuple(map(cloudfront.plain_name, names)) == STANDARD


def test_all_fields_of_a_real_time_record() -> None:
    """Path with query, moment with milliseconds, the host that the viewer named, country, and what the head tells."""
    found = read(cloudfront.realtime(WITHOUT_SERVER), FULL)
    assert found.at == 1_671_005_351_148_000
    assert (found.address, found.method, found.status) == ("27.0.3.156", b"GET", 200)
    assert found.target == b"/locales/en/common.json?v=v1.2.0"
    assert found.agent.startswith(b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit")
    assert (found.referrer, found.host) == (b"", b"d2omsvnrx2yu4i.cloudfront.net")
    assert found.name == "cloudfront-cGX9Jx7KFX7UwY8KwRFS5FvFrdUJBpSBqMgaHWi3yuHJ7mblrhzT5A=="
    assert found.headers == b"CloudFront-Viewer-Country: JP\r\naccept-language: ja,en;q=0.9\r\n"
    told = event(found, everything=True)
    assert (told["source"], told["country"], told["language"]) == ("cloudfront", "JP", "ja")


def test_a_host_of_ones_own() -> None:
    """In real-time records `cs-host` is whom the viewer named, and `x-host-header` the distribution."""
    found = read(cloudfront.realtime(CUSTOM_FIELDS), CUSTOM)
    assert (found.host, found.status, found.target) == (b"preview.dashcon.io", 304, b"/2020/speakers/")
    told = event(found)
    assert (told["event"], told["url"]) == ("pageview", "https://preview.dashcon.io/2020/speakers/")
    assert (told["referrer"], told["country"]) == ("https://preview.dashcon.io/2020/", "US")
    assert told["hit_id"] == "cloudfront-eRwgLa8bR0pQBnbTFt_jIVY77WAfmcRuE980cPpEpGBcxrM6rq97vw=="


def test_a_record_with_the_address_of_the_server() -> None:
    """Since 2025 `s-ip` stands behind `c-ip`."""
    found = read(cloudfront.realtime(WITH_SERVER_FIELDS), WITH_SERVER)
    assert (found.address, found.target, found.agent) == ("32.142.164.10", b"/example", b"")


def test_fields_are_sorted_as_cloudfront_does() -> None:
    """In whatever order they were chosen."""
    form = cloudfront.realtime([*reversed(DEFAULT), " CS-URI-Query "])
    line = small(cs_referer="https://shop.example/a\tb=1")  # cs-uri-query stands behind the referer
    assert read(form, line).referrer == b"https://shop.example/a"
    assert read(form, line).target == b"/pixel.gif?site=shop.example&event=buy&value=3"


def test_a_pixel() -> None:
    """Its query is what was sent; the place is CloudFront's word, whatever the settings say."""
    told = event(read(cloudfront.realtime(), small()))
    assert (told["site"], told["event"], str(told["value"])) == ("shop.example", "buy", "3.000000")
    assert (told["country"], told["browser"], told["path"]) == ("DE", "Chrome", "/a")
    assert (told["region"], told["city"]) == (None, None)
    assert event(read(cloudfront.realtime(), small(c_country="-")))["country"] is None


def test_the_query_has_a_field_of_its_own() -> None:
    """In standard logs it is not part of the path; in either log it is raw, as the viewer encoded it."""
    form = cloudfront.realtime([*DEFAULT, "cs-uri-query"])
    apart = small(cs_uri_stem="/pixel.gif", cs_referer="-\tsite=a&x=%2541%20b")
    assert read(form, apart).target == b"/pixel.gif?site=a&x=%2541%20b"


@pytest.mark.parametrize(
    ("sent", "said"),
    {
        "nothing": ("-", b""),
        "a blank": ("a%20b", b"a b"),
        "an escape of the viewer's": ("https://a.example/%2541", b"https://a.example/%41"),
        "small letters": ("%e4%BA", b"\xe4\xba"),
        "a hyphen in it": ("a-b", b"a-b"),
    }.values(),
)
def test_one_level_of_escapes(sent: str, said: bytes) -> None:
    """The log's own is taken from user agent, referer and host; what the viewer encoded stays."""
    found = read(cloudfront.realtime(), small(cs_user_agent=sent, cs_referer=sent, cs_host=sent))
    assert (found.agent, found.referrer, found.host) == (said, said, said)


def test_line_ends_in_fields_end_no_header() -> None:
    """What a viewer put into its user agent or referer makes no header line, such as a country."""
    hostile = "x%0D%0ACloudFront-Viewer-Country:%20FR%0D%0A"
    told = event(read(cloudfront.realtime(), small(cs_user_agent=hostile, cs_referer=hostile, c_country="-")))
    assert told["country"] is None


def test_headers_that_are_kept() -> None:
    """Objections and languages count; no cookie is kept, and no country that the viewer claims."""
    form = cloudfront.realtime([*DEFAULT, "cs-headers"])
    sent = "Cookie:a=b%0ACloudFront-Viewer-Country:FR%0ASec-GPC:1%0AAccept-Language:de%0A"
    found = read(form, small(c_country=f"DE\t{sent}"))
    assert found.headers == b"CloudFront-Viewer-Country: DE\r\nSec-GPC: 1\r\nAccept-Language: de\r\n"
    told = event(found)
    assert (told["language"], told["visitor_id"], told["country"]) == ("de", None, "DE")


@pytest.mark.parametrize("cut", ["DNT:1%0AAccept-Language:d", "DNT:1%0AAccept-Language:de%", "DNT:1%0ASec-GPC:1%0"])
def test_headers_that_were_cut(cut: str) -> None:
    """At 800 bytes the log cuts them, also within an escape: the last one is left out."""
    form = cloudfront.realtime([*DEFAULT, "cs-headers"])
    assert read(form, small(c_country=f"-\t{cut}")).headers == b"DNT: 1\r\n"


@pytest.mark.parametrize(
    ("values", "why"),
    {
        "a cut escape in the user agent": ({"cs_user_agent": "Mozilla/5.0%2"}, "cut off"),
        "a cut escape in the referer": ({"cs_referer": "https://a.example/%"}, "cut off"),
        "no escape in the host": ({"cs_host": "%zz"}, "cut off"),
        "a moment that is none": ({"timestamp": "yesterday"}, "field 1 is no timestamp"),
        "a moment without digits": ({"timestamp": "-"}, "field 1 is no timestamp"),
        "the address is a time": ({"c_ip": "0.001"}, "field 2 is no c-ip"),
        "the status is a size": ({"sc_status": "2212"}, "field 3 is no sc-status"),
        "the method is a scheme": ({"cs_method": "https"}, "field 4 is no cs-method"),
        "the path is a host": ({"cs_uri_stem": "px.example"}, "field 6 is no cs-uri-stem"),
        "the id is an edge": ({"x_edge_request_id": "NRT57-C1/x"}, "field 7 is no x-edge-request-id"),
        "the country is a result": ({"c_country": "Hit"}, "field 10 is no c-country"),
        "a field too many": ({"c_country": "DE\t-"}, "11 fields instead of 10"),
    }.values(),
)
def test_no_record(values: dict[str, str], why: str) -> None:
    """What was cut, shifted or damaged is told with its place, and never read as something else."""
    assert why in str(cloudfront.realtime().read(small(**values)))


def test_a_shifted_order() -> None:
    """A record of other fields than those that were named is none."""
    others = cloudfront.realtime([name for name in WITHOUT_SERVER if name != "time-to-first-byte"] + ["s-ip"])
    assert others.read(FULL.encode()) == "its field 3 is no s-ip"
    assert cloudfront.realtime().read(FULL.encode()) == "it has 45 fields instead of 10"
    assert cloudfront.realtime().read(b"") == "it has 1 fields instead of 10"
    assert cloudfront.realtime().read(small()[:-3]) == "it has 9 fields instead of 10"


def test_no_answer_was_sent() -> None:
    """000 is the status of a viewer who went away: it is no view."""
    found = read(cloudfront.realtime(), small(sc_status="000"))
    assert (found.status, hit_of(found, "p-1", Wanted("", ROUTES))) == (0, None)


@pytest.mark.parametrize("values", [{"cs_method": "OPTIONS"}, {"cs_method": "POST"}, {"sc_status": "403"}])
def test_left_out(values: dict[str, str]) -> None:
    """By the rules of all logs: other methods, and answers that are no success."""
    assert hit_of(read(cloudfront.realtime(), small(**values)), "p-1", Wanted("", ROUTES)) is None


def test_a_head_of_a_pixel() -> None:
    """It is kept as what it is, as the pixel itself does."""
    assert event(read(cloudfront.realtime(), small(cs_method="HEAD")))["method"] == "HEAD"


def test_an_address_of_version_6() -> None:
    """It is the client."""
    assert read(cloudfront.realtime(), small(c_ip="2001:db8::7")).address == "2001:db8::7"


def test_a_standard_log() -> None:
    """Its own fields say how it is read; `x-host-header` is whom the viewer named."""
    version, fields, index, posted, failed = standard("#Version: 1.0", HEADER, INDEX, POSTED, FAILED)
    assert (version, fields) == (None, None)
    assert isinstance(index, Line)
    assert isinstance(posted, Line)
    assert isinstance(failed, Line)
    assert index.at == 1_575_493_351 * SECOND
    assert (index.target, index.host, index.headers) == (b"/index.html", b"d111111abcdef8.cloudfront.net", b"")
    assert index.name == "cloudfront-SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ=="
    assert event(index)["url"] == "https://d111111abcdef8.cloudfront.net/index.html"
    assert (posted.method, posted.target, posted.agent) == (b"POST", b"/data?test=123", b"curl/8.7.1")
    assert (failed.host, failed.status) == (b"www.example.com", 502)


def test_fields_come_again() -> None:
    """A file may be several, one behind the other, with other fields; each line is read by those before it."""
    few = "2026-10-05\t10:00:00\t192.0.2.1\t200\t/a\tGET"
    told = standard(
        INDEX, "#Fields: date time c-ip sc-status cs-uri-stem cs-method", few, "#Version: 1.0", HEADER, INDEX
    )
    assert [isinstance(line, Line) for line in told] == [True, False, True, False, False, True]
    assert standard(HEADER, few) == [None, "it has 6 fields instead of 33"]


def test_fields_that_tell_too_little() -> None:
    """They are a fault, and so are all lines behind them."""
    assert standard("#Fields: date time cs-method", "2026-10-05\t10:00:00\tGET") == ["its fields lack c-ip"] * 2
    many = "#Fields: date time c-ip sc-status cs-method cs-uri-stem " + "x " * 200
    assert standard(many) == ["it has more than 128 fields"]


@pytest.mark.parametrize(
    ("fields", "moment", "at"),
    {
        "seconds": ("timestamp", "1741797405", 1_741_797_405 * SECOND),
        "milliseconds": ("timestamp(ms)", "1741797405123", 1_741_797_405_123_000),
        "both": ("timestamp timestamp(ms)", "1741797405\t1741797405123", 1_741_797_405_123_000),
        "day and time": ("date time", "2025-03-12\t16:36:45", 1_741_797_405 * SECOND),
        "time and day": ("time date", "16:36:45\t2025-03-12", 1_741_797_405 * SECOND),
    }.values(),
)
def test_moments(fields: str, moment: str, at: int) -> None:
    """The finest of those that there are."""
    header = f"#Fields: {fields} c-ip sc-status cs-method cs-uri-stem"
    found = standard(header, f"{moment}\t192.0.2.1\t200\tGET\t/a")[1]
    assert isinstance(found, Line)
    assert found.at == at


def test_a_day_that_is_none() -> None:
    """It has the look of one only."""
    assert standard(HEADER, INDEX.replace("2019-12-04", "2019-02-30"))[1] == "its date is none"


def test_standard_logs_of_version_2() -> None:
    """JSON lines have texts only, and may lack fields; a country is there if it was chosen."""
    (found,) = standard(JSON)
    assert isinstance(found, Line)
    assert (found.host, found.target, found.status) == (b"post-tenebras-lire.net", b"/feed.xml", 304)
    assert found.headers == b"CloudFront-Viewer-Country: US\r\n"
    assert found.name == "cloudfront-VqkomJQiWUvU0bQu33T0"
    assert standard(FEW) == ["its fields lack c-ip"]
    (whole,) = standard(json.dumps(json.loads(FEW) | {"c_ip": "192.0.2.7", "x_host_header": "a.example"}))
    assert isinstance(whole, Line)
    assert event(whole)["url"] == "https://a.example/chi-sono/"
    assert whole.agent == b"Mozilla/5.0 (iPhone) Safari/604.1"


@pytest.mark.parametrize(
    ("changed", "why"),
    {
        "a list": ({"c-ip": ["192.0.2.1"]}, "no text"),
        "a tab": ({"cs-uri-stem": "/a\t200"}, "a tab"),
        "nothing": ({"sc-status": None}, "is no sc-status"),
        "empty": ({"cs-method": ""}, ""),
    }.values(),
)
def test_members_that_are_no_texts(changed: dict[str, Any], why: str) -> None:
    """They shift nothing."""
    (found,) = standard(json.dumps(json.loads(JSON) | changed))
    assert isinstance(found, str) if why else found is not None
    assert why in str(found)


def test_members_in_any_order() -> None:
    """They are read by their names; whoever writes each line in another order makes us compile nothing."""
    members = list(json.loads(JSON).items())
    [expected] = standard(JSON)
    turned = [json.dumps(dict(members[at:] + members[:at])) for at in range(len(members))]
    before = cloudfront_fields.reader.cache_info().misses
    assert standard(*turned) == [expected] * len(members)
    fewer = [json.dumps({name: value for name, value in members if name != left}) for left, _ in members]
    assert sum(isinstance(found, Line) for found in standard(*fewer)) > len(members) / 2
    assert cloudfront_fields.reader.cache_info().misses - before <= 2


def test_a_member_that_comes_twice() -> None:
    """Spelt in two ways it is one field: the first counts."""
    (found,) = standard(json.dumps({"c_ip": "192.0.2.7"} | json.loads(JSON)))
    assert isinstance(found, Line)
    assert found.address == "192.0.2.7"


def test_no_json() -> None:
    """Half an object, or one that is too deep."""
    assert standard('{"date":', '{"a":' * 5_000) == ["it is no JSON object"] * 2


def test_plain_lines() -> None:
    """Of version 2 they have no header: the fields are named, or are those of version 1."""
    fields = ["date", "time", "c-ip", "cs-method", "cs-uri-stem", "sc-status", "cs(User-Agent)"]
    begin = cloudfront.standard(fields).begin
    assert begin
    found = begin()(b"2026-10-05\t10:00:00\t192.0.2.1\tGET\t/a\t200\tcurl/8%20x")
    assert isinstance(found, Line)
    assert (found.agent, found.host, found.name) == (b"curl/8 x", b"", "")


@pytest.mark.parametrize(
    ("fields", "why"),
    {
        "no such field": ([*DEFAULT, "user-agent"], "no field 'user-agent'"),
        "no status": ([name for name in DEFAULT if name != "sc-status"], "without the field sc-status"),
        "no moment": ([name for name in DEFAULT if name != "timestamp"], "without the field timestamp"),
    }.values(),
)
def test_fields_that_cannot_be(fields: list[str], why: str) -> None:
    """They are refused before a line is read."""
    with pytest.raises(SettingsError, match=re.escape(why)):
        cloudfront.realtime(fields)


def test_no_host() -> None:
    """Without `cs-host` nobody knows whose pages they are: the distribution's name is no site."""
    assert not cloudfront.realtime([name for name in WITHOUT_SERVER if name != "cs-host"]).has_host
    assert cloudfront.realtime().has_host
