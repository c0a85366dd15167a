"""The raw hit of a reject: everything needed to try again, but no whole address."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pixelake.dialects.base import Fault
from pixelake.hit import Hit
from pixelake.transform.address import FORWARDING, truncated, without_addresses


def raw_json(hit: Hit, again: str) -> str:
    """The hit as JSON.

    Bytes that are no UTF-8 stand in base64, under ``<name>_base64``. If the hit
    has another reject already its bytes stand there: ``{"see": "<hit_id>"}``,
    since a body of ten thousand bad elements must not be kept as often.
    """
    if again:
        return msgspec.json.encode({"see": again}).decode()
    fields: dict[str, Any] = {
        "received_at": hit.received_at,
        "source": hit.source,
        "peer": truncated(hit.peer),
        "client": truncated(hit.client),
        "method": hit.method,
    }
    for name, data in (("target", hit.target), ("headers", _headers(hit.headers)), ("body", hit.body)):
        fields |= _readable(name, data)
    return msgspec.json.encode(fields).decode()


def faults_json(faults: Sequence[Fault]) -> str:
    """All faults as a JSON array of objects."""
    return msgspec.json.encode(faults).decode()


def _readable(name: str, data: bytes) -> dict[str, Any]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": data}  # msgspec writes bytes in base64


def _headers(headers: bytes) -> bytes:
    """The header lines with truncated addresses; others stay byte by byte."""
    return b"\r\n".join(_header(line) for line in headers.split(b"\r\n"))


def _header(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    if name.strip().decode("latin-1").lower() not in FORWARDING:
        return line
    return name + colon + without_addresses(value.decode("latin-1")).encode("latin-1")
