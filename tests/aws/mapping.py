"""Requests to a REST API that mean no good, and what Apache's Velocity makes of them."""

import random
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from pixelake.aws import direct
from pixelake.aws.local.rest import Asked, query_of
from pixelake.collect.plain import SECRET_HEADERS
from tests.aws.requests import EPOCH_MS
from tests.hostile import MARKUP, NAUGHTY, UNICODE

_JARS = [Path("/usr/share/java") / f"{name}.jar" for name in ("velocity", "commons-collections3", "commons-lang")]
_RENDER = Path(__file__).parent / "velocity/Render.java"
MISSING = "no Velocity: apt-get install velocity default-jdk-headless"
"""Why a test is skipped; `.ci/run` looks for its beginning."""

CODE = (
    *(
        "$",
        "#",
        "##",
        "$!",
        "${",
        "}",
        "#{",
        "$$",
        "\\$",
        "\\#",
        "#*",
        "*#",
        "#[[",
        "]]#",
        "$util",
        "$context.requestId",
    ),
    "$util.urlEncode('x')",
    "$input.params()",
    "#set($secret = '')",
    '#set($comma = \',"peer":"1.2.3.4"\')',
    "#end#end#stop",
    "#if(true)x#end",
    "#foreach($a in [1..9999])$a#end",
    "#parse('/etc/passwd') #include('/etc/passwd')",
    "#evaluate('$x') #define($x)y#end $x",
    "#macro(m)a#end #m()",
    "$util.getClass().forName('java.lang.Runtime').getRuntime().exec('id')",
    "$input.class.classLoader",
)
FORMS = (
    *("&", "=", "+", "%", "%22", "%2522", "%0A", "%00", "&Action=DeleteMessage", "&QueueUrl=http://127.0.0.1/x", ";"),
    "&MessageBody=mine&Action=PurgeQueue",
    '"],["x","y"]],"peer":"1.2.3.4","x":[["',
    '"',
    "'",
    "\\",
    '\\"',
    "\\u0022",
    "\n",
    "\r\n",
    "\r\n\r\nGET / HTTP/1.1",
    "\x00",
    "\x1f\x7f",
    "\ufffe\uffff",
    "{a=1, b=2}",
)
LETTERS = ("\ud800", "\udc00x", "x\udbff", "\udfff\ud800", "\U0001f600", "\U0010ffff", "\u2028\u2029", "é", "\u202e")
NAMES = ("get", "keySet", "class", "size", "empty", "querystring", "header", "", " ", "__proto__", "null", "cookie2x")
_ALL: Sequence[str] = (*CODE, *FORMS, *LETTERS, *NAMES, *NAUGHTY, *MARKUP.values(), *UNICODE.values())
_SECRETS = [spelt for name in SECRET_HEADERS for spelt in (name, name.upper(), name.title())]


def hostile(count: int, seed: int = 7) -> Sequence[Asked]:
    """So many requests, the same each time: each text we have stands in some of them, as a name and as a value."""
    source = random.Random(seed)
    texts = list(_ALL)
    source.shuffle(texts)
    rest = iter(texts * (1 + 8 * count // len(texts)))
    return [_one(source, rest, number) for number in range(count)]


def _one(source: random.Random, rest: Iterator[str], number: int) -> Asked:
    query = {next(rest): _value(source, next(rest)) for _ in range(source.randrange(3))}
    if source.random() < 0.1:  # a name that comes again
        query |= query_of(f"again=1&again={quote(next(rest), errors='replace')}&AGAIN")
    headers = {next(rest) or "X": _value(source, next(rest)) for _ in range(source.randrange(3))}
    headers |= {source.choice(_SECRETS): "hush"} | {"User-Agent": next(rest)}
    if source.random() < 0.1:
        headers |= {"user-agent": next(rest)}
    return Asked(
        method=source.choice(direct.METHODS),
        path=source.choice(("/prod/pixel.gif", "/pixel.gif", f"/prod/{next(rest)}")),
        query=query,
        headers=dict(source.sample(list(headers.items()), len(headers))),
        peer=source.choice(("203.0.113.9", "2001:db8::9")),
        milliseconds=EPOCH_MS + number,
        request_id=next(rest),
        extended_request_id=f"ZAbC{number}dEfG=",
    )


def _value(source: random.Random, text: str) -> str:
    """Now and then as long as a request may be, or several texts at once."""
    if source.random() < 0.02:
        return (text or "x") * (8_000 // max(1, len(text)))
    return text + source.choice(_ALL) if source.random() < 0.3 else text


def by_velocity(template: str, asked: Sequence[Asked], folder: Path) -> Sequence[bytes]:
    """What Apache's Velocity renders for each; skips the test if it is not installed."""
    java = shutil.which("java")
    if java is None or not all(jar.exists() for jar in _JARS):
        pytest.skip(MISSING)
    file = folder / "template.vtl"
    file.write_text(template, "utf-8")
    path = ":".join(map(str, _JARS))
    command = [java, "-XX:TieredStopAtLevel=1", "-cp", path, str(_RENDER), str(file)]
    lines = "".join(map(_lines, asked))
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=120, check=False)
    if "compiler" in done.stderr and done.returncode:
        pytest.skip(f"{MISSING}: {done.stderr.strip()[:200]}")
    assert not done.returncode, done.stderr
    return [b64decode(line) for line in done.stdout.split("\n")[:-1]]


def _lines(asked: Asked) -> str:
    context = {
        "extendedRequestId": asked.extended_request_id,
        "requestId": asked.request_id,
        "requestTimeEpoch": str(asked.milliseconds),
        "httpMethod": asked.method,
        "stage": asked.stage,
        "path": asked.path,
    }
    given = {"context": context, "identity": {"sourceIp": asked.peer}, "query": asked.query, "header": asked.headers}
    return "".join(f"{kind} {_packed(items)}" for kind, each in given.items() for items in each.items()) + "\n"


def _packed(item: tuple[str, str]) -> str:
    name, value = (b64encode(text.encode("utf-16-be", "surrogatepass")).decode() for text in item)
    return f"{name} {value}\n"
