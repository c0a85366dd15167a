"""The raw hit of a reject: what is needed to try again, and nothing that the lake would not keep of an event.

Taken out are whole addresses, secrets, and of the page's url and the referrer
what is cut from them on events: a replay sees them as they stand here, so that
it finds neither a click id nor a query name that is not listed. Of anonymous
hits the user is taken out, too. `read` makes a hit of it again.
"""

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from pixelake.address import may_carry, truncated, without_addresses
from pixelake.dialects.base import Edit, Fault
from pixelake.dialects.site import site_name
from pixelake.dialects.text import text
from pixelake.hit import Hit
from pixelake.transform.page import read_page
from pixelake.transform.rules import Rules

_SECRET_HEADER: Final = re.compile("auth|token|secret|cookie|session|api-?key|passw|credential")
_URL_HEADER: Final = re.compile("ur[il]|path|query|referr?er|location")
"""What proxies tell of the request as it was: ``X-Original-URL``, ``X-Rewrite-URL``, ``X-Forwarded-Uri``."""
_CITY_HEADER: Final = re.compile("city|postal|zip|latitude|longitude|metro")
_NO_FORM: Final = re.compile(
    r"[?#@]|%(?:25)*(?:3[fF]|23|40)|(?:\\|%(?:25)*5[cC])u00(?:3[fF]|23|40)|&#|[\w+/-]{64}", re.ASCII
)
"""Where a url has what is cut from it, also encoded; or a text that may be base64 of anything."""

LONGEST_LINE: Final = 2_048
"""Characters of a line that are kept."""
_CUT_OF_LINE: Final = re.compile(
    r"""(?:[?#]|%(?:25)*(?:3[fF]|23|40)|\\u00(?:3[fF]|23|40))[^\s"']*+|[^\s"'@]{1,256}+@|[\w+/-]{64,}+""", re.ASCII
)
"""What is cut from a url, also encoded; the user before a host; a text that may be base64 of anything."""


def raw_json(hit: Hit, rules: Rules, *, anonymous: bool) -> str:
    """The hit as JSON.

    Bytes that are no UTF-8 stand in base64, under ``<name>_base64``. A body that
    cannot be read, and so not be searched, is ``null`` if it is packed, if a
    secret or a url that would be cut may be in it, or if the hit is anonymous;
    else it stays as it arrived.
    So does a query, or it is cut off. ``left_out`` says what of it would be
    needed to try again.
    """
    missing = []
    target, body = rules.dialect(hit.target).edited(hit, _edit(rules, anonymous))
    if target is None:
        path, _, query = hit.target.partition(b"?")
        hidden = anonymous or _may_tell(query, rules)
        target = path if hidden else hit.target
        missing = ["query"] * hidden
    if body is None and not (anonymous or _is_packed(hit) or _may_tell(hit.body, rules)):
        body = hit.body
    if body is None and hit.method == "POST":
        missing.append("body")
    return _as_json(hit, target, _headers(hit.headers, rules, anonymous), body, missing)


def bare_json(hit: Hit) -> str:
    """What is left of a hit that nothing can be made of: neither its query, nor its headers, nor its body."""
    return _as_json(hit, hit.target.partition(b"?")[0], b"", None, ("query", "headers", "body"))


def see_json(again: str) -> str:
    """A reference to the reject that has the raw hit, for a body of ten thousand bad elements is not kept as often."""
    return msgspec.json.encode({"see": again}).decode()


def faults_json(faults: Sequence[Fault]) -> str:
    """All faults as a JSON array of objects."""
    return msgspec.json.encode(faults).decode()


def line_json(line: bytes, received_at: int, source: str, rules: Rules) -> str:
    """A line of a file that nobody could read as what it should be, as JSON: as far as the lake would keep it.

    What may be part of a url goes from its query on, and whatever stands before an ``@``.
    """
    words = rules.secrets.text(text(line[: 4 * LONGEST_LINE]))
    kept = without_addresses(_CUT_OF_LINE.sub("", words))[:LONGEST_LINE]
    return msgspec.json.encode({"received_at": received_at, "source": source, "line": kept}).decode()


class Kept(NamedTuple):
    """What a reject keeps of its hit.

    Attributes:
        hit: as far as it is kept, if it can be tried again; its ``hit_id`` is empty if its stream is ordered.
        see: the reject that has the hit, if this one only names it.
        why: why it cannot be tried again; ``""`` if it can, or if another reject has it.
    """

    hit: Hit | None
    see: str
    why: str


def read(raw: str | None) -> Kept:
    """What a reject keeps of its hit, as `raw_json`, `bare_json` and `see_json` wrote it. Never raises."""
    try:
        fields = msgspec.json.decode(raw or "null", type=dict[str, Any])
        if isinstance(see := fields.get("see"), str):
            return Kept(None, see, "")
        if "line" in fields:
            return Kept(None, "", "it is a line of a file: mend and import that")
        if missing := fields.get("left_out"):
            return Kept(None, "", f"nobody kept its {', '.join(map(str, missing))}")
        return Kept(_hit(fields), "", "")
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return Kept(None, "", "what was kept of it cannot be read")


def _hit(fields: dict[str, Any]) -> Hit:
    """Raises KeyError, TypeError or ValueError if it is none."""
    target, headers, body = (_bytes(fields, name) for name in ("target", "headers", "body"))
    sent = {
        "received_at": fields["received_at"],
        "peer": fields["peer"] or "",
        "client": fields["client"] or "",
        "head": b"%s %s HTTP/1.1\r\n%s\r\n" % (fields["method"].encode(), target, headers),
        "body": body,
        "source": fields["source"],
        "hit_id": fields.get("hit_id", ""),
    }
    return msgspec.convert([sent[name] for name in Hit.__struct_fields__], Hit)


def _bytes(fields: dict[str, Any], name: str) -> bytes:
    if f"{name}_base64" in fields:
        return b64decode(fields[f"{name}_base64"], validate=True)
    sent = fields[name]
    return b"" if sent is None else sent.encode()


def _as_json(hit: Hit, target: bytes, headers: bytes, body: bytes | None, missing: Sequence[str]) -> str:
    fields: dict[str, Any] = {
        "received_at": hit.received_at,
        "source": hit.source,
        "peer": truncated(hit.peer),
        "client": truncated(hit.client),
        "method": hit.method,
    }
    for name, data in (("target", target), ("headers", headers), ("body", body)):
        fields |= _readable(name, data)
    if hit.hit_id:  # else its name is its place
        fields["hit_id"] = hit.hit_id
    if missing:
        fields["left_out"] = missing
    return msgspec.json.encode(fields).decode()


def _readable(name: str, data: bytes | None) -> dict[str, Any]:
    try:
        return {name: data if data is None else data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": data}  # msgspec writes bytes in base64


def _edit(rules: Rules, anonymous: bool) -> Edit:
    search = rules.secrets.search()

    def edit(name: str, value: str) -> str | None:
        if anonymous and name == "user":
            return None
        redacted = search(name, value)
        is_url = name in ("url", "referrer") or (name == "site" and site_name(redacted) is None)
        return read_page(redacted, rules.kept_query).url if is_url else redacted

    return edit


def _may_tell(sent: bytes, rules: Rules) -> bool:
    """Might something be in there that is not to be kept, though nobody can say where?"""
    letters = sent.decode("latin-1")
    return _NO_FORM.search(letters) is not None or rules.secrets.may_hold(letters)


def _is_packed(hit: Hit) -> bool:
    """Is the body compressed, or in a charset with NULs, so that nobody sees what is in it?"""
    return b"\0" in hit.body or (hit.header(b"content-encoding") or b"").lower() not in (b"", b"identity")


def _headers(headers: bytes, rules: Rules, anonymous: bool) -> bytes:
    """The header lines; of those that hold nothing of note each byte stays."""
    return b"\r\n".join(_header(line, rules, anonymous) for line in headers.split(b"\r\n"))


def _header(line: bytes, rules: Rules, anonymous: bool) -> bytes:
    name, colon, value = line.rpartition(b":") if b":" not in line else line.partition(b":")
    known = name.strip().decode("latin-1").lower()
    if _SECRET_HEADER.search(known) or (anonymous and _CITY_HEADER.search(known)):
        return name + colon
    kept = rules.secrets.text(value.decode("latin-1"))
    if _URL_HEADER.search(known):
        kept = f" {read_page(kept.strip(), rules.kept_query).url}"
    if known != "referer" and may_carry(known):
        kept = without_addresses(kept)
    return name + colon + kept.encode("latin-1", "replace")
