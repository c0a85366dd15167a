"""Texts that nobody means well with: a public list of naughty strings, and vectors of our own."""

import json
import socket
from collections.abc import Iterable, Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import Final
from urllib.parse import quote

NAUGHTY: Final[tuple[str, ...]] = tuple(json.loads((Path(__file__).parent / "data/blns.json").read_text("ascii")))
"""The big list of naughty strings."""

_RUNS: Final = "window.ran=1"
"""What a vector would do if anything ran it: tests look for it."""

MARKUP: Final[Mapping[str, str]] = {
    "script": f"<script>{_RUNS}</script>",
    "broken out of": f"\"'`--></title></textarea></style></script><script>{_RUNS}</script>",
    "img": f"<img src=x onerror={_RUNS}>",
    "img unclosed": f"<img src=/static/none onerror={_RUNS}//",
    "svg": f"<svg/onload={_RUNS}><animate onbegin={_RUNS} attributeName=x dur=1s>",
    "svg script": f"<svg><script href=data:text/javascript,{_RUNS} /></svg>",
    "iframe": f'<iframe srcdoc="<script>parent.{_RUNS}</script>"></iframe>',
    "math": f"<math><mtext></form><form><mglyph><style></math><img src onerror={_RUNS}>",
    "template": f"<template><img src=x onerror={_RUNS}></template>",
    "details": f"<details open ontoggle={_RUNS}>",
    "autofocus": f"<input autofocus onfocus={_RUNS}><video><source onerror={_RUNS}>",
    "meta": "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/out'>",
    "base": "<base href=http://127.0.0.1:9/><link rel=stylesheet href=//127.0.0.1:9/x.css>",
    "style": "<style>*{background:url(http://127.0.0.1:9/leak)}</style>",
    "form": f"<form action=javascript:{_RUNS}><button autofocus>",
    "javascript": f"javascript:{_RUNS}",
    "javascript, hidden": f"\x01java\tscript\n:{_RUNS}",
    "data": f"data:text/html,<script>opener.{_RUNS}</script>",
    "vbscript": "vbscript:msgbox(1)",
    "scheme-relative": "//127.0.0.1:9/out",
    "mustache": "{{constructor.constructor('window.ran=1')()}}${window.ran=1}#{window.ran=1}<%= window.ran=1 %>",
    "htm": "${html`<img src=x onerror=window.ran=1>`}",
    "vnode": '{"type":"img","props":{"src":"x","onerror":"window.ran=1"},"__v":1,"constructor":null}',
    "inner html": '{"dangerouslySetInnerHTML":{"__html":"<img src=x onerror=window.ran=1>"}}',
    "entities": "&lt;img src=x onerror=window.ran=1&gt; &#x3c;script&#x3e;",
    "utf-7": "+ADw-script+AD4-window.ran=1+ADw-/script+AD4-",
    "overlong": "%c0%bcscript%c0%be",
    "wide": "\uff1cscript\uff1ewindow.ran=1\uff1c/script\uff1e",
    "css": "url(http://127.0.0.1:9/leak) expression(window.ran=1) ;}*{color:red}",
    "prototype": "__proto__",
    "to string": "toString",
    "object": "[object Object]",
}
"""By a name of each: what would run, load or draw something where it is taken for more than text."""

UNICODE: Final[Mapping[str, str]] = {
    "right to left, overridden": "photo\u202egpj.exe",
    "isolates left open": "\u2066\u2067\u2068abc",
    "embeddings left open": "\u202a\u202b\u202dabc",
    "arabic": "\u0645\u0631\u062d\u0628\u0627 123 (abc)!",
    "hebrew": "\u05e9\u05dc\u05d5\u05dd/\u05e2\u05d5\u05dc\u05dd?a=1",
    "zalgo": "Z" + "\u0300\u0311\u0323\u0337" * 100 + "a" + "\u0301\u0330\u0489" * 100 + "lgo",
    "a lone mark": "\u0301",
    "marks alone": "\u0301" * 500,
    "thai marks": "\u0e14" + "\u0e49\u0e47" * 200,
    "turkish": "I\u0307\u0130\u0131\u017f\u00df\ufb03",
    "nul": "before\x00behind",
    "controls": "".join(map(chr, [*range(1, 32), *range(127, 160)])),
    "escapes": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://127.0.0.1:9/\x07link\x1b]8;;\x07\x9b1A\x1bP0;0|17/ab\x9c\x1b[?1049h",
    "backspaces": "safe\x08\x08\x08\x08evil\rover",
    "half a pair": "a\ud800b",
    "the other half": "\udfff",
    "not characters": "\ufffe\uffff\U0010ffff",
    "private": "\ue000\U000f0000",
    "separators": "one\u2028two\u2029three\x0bfour\x0cfive\x85six",
    "blank": "\u3164",
    "blanks": " \u00a0\u2003\u3000\u200b\ufeff\u2800 ",
    "tags": "\U000e0041\U000e0042\U000e007f",
    "variations": "a\ufe0f\ufe0e\U000e0100",
    "families": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466\U0001f3ff" * 20,
    "one glyph": "\ufdfd" * 60,
    "tall": "\U00012219" * 40 + "\ua9c5\u0bf5",
    "look-alike": "\u0440\u0430ypal.example",
    "not normal": "A\u030a \u212b \u00c5",
    "no room to break": "x" * 8_000,
    "wide without room to break": "\u6f22" * 2_500,
    "words": "a " * 4_000,
    "many slashes": "/" * 3_000,
    "too long": "y" * 9_000,
}
"""By a name of each: what breaks lines, widths, directions, terminals, encodings."""

FORMULAS: Final[Mapping[str, str]] = {
    "equals": '=HYPERLINK("http://127.0.0.1:9/leak?"&A1,"click")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "tab": "\t=1+1",
    "carriage return": "\r=1+1",
    "line feed": "\n=1+1",
    "quoted": '";=1+1;"',
    "wide equals": "\uff1d1+1",
    "dde": '=cmd|"/C calc"!A1',
}
"""By a name of each: what a spreadsheet would compute."""

VECTORS: Final[Mapping[str, str]] = {**MARKUP, **UNICODE, **FORMULAS}
"""All of our own."""

PERSON: Final = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

TEXTS: Final = (*VECTORS.values(), *NAUGHTY)
"""All of them; what is newest is sent last."""


def quoted(text: str) -> str:
    """In a query: percent-encoded, half a surrogate pair as the bytes that it would be."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def as_view(text: str, site: str) -> bytes:
    """A person's view of a page that is called so, from a page that is called so."""
    name = quoted(text)
    fields = {"site": site, "title": name, "user": name, "referrer": f"https://{name[:2_000]}.example/{name}"}
    address = f"https://{site}/{name}?utm_source={name}&utm_medium={name}&utm_campaign={name}&utm_term={name}&b={name}"
    return _request(f"GET /pixel.gif?{_query(fields)}&url={quoted(address)}", {"User-Agent": PERSON})


def as_event(text: str, site: str) -> bytes:
    """An event that is called so, with properties that are, and raw in both headers that browsers send."""
    name = quoted(text)
    fields = {"site": site, "event": name, name or "empty": name, "plan": name, "currency": "EUR", "value": "1"}
    return _request(f"GET /pixel.gif?{_query(fields)}", {"User-Agent": in_line(text), "Referer": in_line(text)})


def in_json(text: str, site: str) -> bytes:
    """The same in a body, with escapes for what UTF-8 cannot say."""
    fields = dict.fromkeys(("event", "title", "user", "url", "referrer", "consent"), text)
    body = json.dumps(fields | {"site": site, text: [text, {text: text}], "utm_campaign": text}).encode("ascii")
    return _request("POST /events", {"Content-Type": b"application/json", "Content-Length": b"%d" % len(body)}) + body


def as_site(text: str) -> bytes:
    """A hit of a site that is called so."""
    return _request(f"GET /pixel.gif?site={quoted(text)}", {})


def in_head(text: str) -> bytes:
    """The text, raw, as it comes, where a header's value should be."""
    return _request("GET /pixel.gif?site=raw.example", {"User-Agent": text.encode("utf-8", "surrogatepass")})


def in_line(text: str) -> bytes:
    """Without what no header may hold."""
    return text.encode("utf-8", "surrogatepass").translate(None, bytes({*range(32), 127} - {9}))


def _query(fields: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in fields.items())


def _request(line: str, headers: Mapping[str, bytes]) -> bytes:
    lines = (f"{name}: ".encode() + value for name, value in headers.items())
    return b"\r\n".join([f"{line} HTTP/1.1".encode(), b"Host: pixel.example", *lines, b"", b""])


def send(port: int, requests: Iterable[bytes]) -> list[tuple[int, str]]:
    """Each by itself; the status of each answer, and the reason in its header."""
    answers = []
    client = socket.create_connection(("127.0.0.1", port), 20)
    for request in requests:
        client.sendall(request)
        answer = HTTPResponse(client)
        answer.begin()
        answer.read()
        answers.append((answer.status, answer.headers.get("X-Pixelake", "")))
        if answer.will_close:
            client.close()
            client = socket.create_connection(("127.0.0.1", port), 20)
    client.close()
    return answers
