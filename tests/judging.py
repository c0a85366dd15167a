"""Hits to judge, and what is needed to judge them without a registry."""

from collections.abc import Mapping, Sequence
from typing import Any

from pixelake.dialects.native import Native
from pixelake.hit import Hit
from pixelake.settings import Settings
from pixelake.stream.base import Batch
from pixelake.transform.decode import Decoded, decode
from pixelake.transform.facts import QUARTER, Facts, Salts
from pixelake.transform.process import process
from pixelake.transform.rules import Rules, make_rules
from pixelake.warehouse.base import Outcome

AT = 1_770_757_200_000_000
"""2026-02-10 21:00 UTC."""
SALT = bytes(range(32))
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)


def rules(**settings: Any) -> Rules:
    """The rules of the default settings but for these."""
    made = Settings(**settings)
    return make_rules(made, [Native(made.aliases)])


def hit(
    target: str = "/pixel.gif",
    headers: Mapping[str, str] | None = None,
    *,
    at: int = AT,
    client: str = "203.0.113.9",
    method: str = "GET",
    body: bytes = b"",
) -> Hit:
    """A hit as browsers send it."""
    sent = {"User-Agent": CHROME, "Referer": "https://www.example.com/from"} | dict(headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return Hit.of(at, client, client, method, target.encode(), lines.encode(), body)


def batch(*hits: Hit, start: int = 1) -> Batch:
    """Hits of the partition `p`."""
    return Batch("p", hits, range(start, start + len(hits)))


def salted(decoded: Decoded) -> Facts:
    """Facts as if all days had the same salt, and every event were the first of its id."""
    moments = [*zip(*map(decoded.columns.values, ("site", "received_at")), strict=True)]
    moments += [(rejected.site, rejected.hit.received_at) for rejected in decoded.rejected]
    return Facts({(site, at // QUARTER): Salts(SALT, None) for site, at in moments}, {})


def judge(*hits: Hit, **settings: Any) -> Outcome:
    """What becomes of hits."""
    decoded = decode(batch(*hits), rules(**settings))
    return process(decoded, salted(decoded))


def events(*hits: Hit, **settings: Any) -> Sequence[Mapping[str, Any]]:
    """The events of hits, none of which is a reject."""
    outcome = judge(*hits, **settings)
    assert outcome.rejects.to_pylist() == []
    return outcome.events.to_pylist()


def rejects(*hits: Hit, **settings: Any) -> Sequence[Mapping[str, Any]]:
    """The rejects of hits, none of which is an event."""
    outcome = judge(*hits, **settings)
    assert outcome.events.num_rows == 0
    return outcome.rejects.to_pylist()
