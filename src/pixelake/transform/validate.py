"""The values of an element as typed columns, with everything that is wrong with them at once."""

import re
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pixelake.clock import SECOND
from pixelake.dialects.base import Fault
from pixelake.dialects.site import site_name
from pixelake.transform.currencies import CURRENCIES

COLUMNS: Final = {
    "site": "site",
    "event": "event",
    "url": "url",
    "title": "title",
    "referrer": "referrer",
    "user": "user_id",
    "event_id": "event_id",
    "impression_id": "impression_id",
    "value": "value",
    "currency": "currency",
    "consent": "consent",
    "screen": "screen",
    "timezone": "timezone",
    "sent_at": "sent_at",
    "utm_source": "utm_source",
    "utm_medium": "utm_medium",
    "utm_campaign": "utm_campaign",
    "utm_term": "utm_term",
    "utm_content": "utm_content",
}
"""Name in a dialect's element -> the column it fills. Every other name is a property."""

AT: Final = {column: at for at, column in enumerate(COLUMNS.values())}
"""Column -> its place in a row of `validate`."""

Row = list[Any]
Properties = dict[str, Sequence[str]]

_PLACES: Final = {name: AT[column] for name, column in COLUMNS.items()}
_VALUE: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)
_EPOCH: Final = re.compile(r"\d{9,16}", re.ASCII)
_SMALLEST: Final = Decimal("0.000001")
_LIMIT: Final = Decimal(10) ** 12
_YEARS: Final = range(1970, 10_000)


def validate(
    values: Mapping[str, Sequence[str]], max_field: int, *, all_short: bool = False
) -> tuple[Row, Properties, list[Fault]]:
    """A row of native columns (by `AT`), the properties, and every fault.

    Empty texts are as good as none. Of a repeated name the first value fills
    the column, and all of them are a property too.

    Args:
        values: name -> its values.
        max_field: characters that a name or a value may have.
        all_short: none has more. Looking at each takes 3 µs.
    """
    row: Row = [None] * len(AT)
    properties: Properties = {}
    faults: list[Fault] = []
    for name, texts in values.items():
        at = _PLACES.get(name)
        if at is None or len(texts) != 1:
            properties[name] = texts
        if at is not None and texts:
            row[at] = texts[0] or None
        if all_short:
            continue
        if len(name) > max_field or max(map(len, texts), default=0) > max_field:
            faults += [too_long(name, value, max_field) for value in (name, *texts) if len(value) > max_field]
    for column, check in CHECKS:
        if row[AT[column]] is not None:
            row[AT[column]], fault = check(row[AT[column]])
            if fault:
                faults.append(fault)
    return row, properties, faults


def too_long(name: str, value: str, max_field: int) -> Fault:
    """The fault of a field longer than `max_field`."""
    return Fault("too_long", name[:80], f"{len(value)} characters; at most {max_field}")


def unknown_site(site: str, known: Container[str] | None) -> Fault | None:
    """The fault of a site that nobody declared, where sites are closed.

    Args:
        site: as it will stand in the lake.
        known: the names that are declared; None if sites are open.
    """
    if known is None or site in known:
        return None
    return Fault("unknown_site", "site", f"{site[:80]!r} is not declared, and sites are closed")


def _site(value: str) -> tuple[str | None, Fault | None]:
    site = site_name(value)
    if site:
        return site, None
    told = re.split("[?#]", value, maxsplit=1)[0]  # somebody's whole url: what its query says is nobody's business
    return None, Fault("bad_site", "site", f"{told.rpartition('@')[2][:80]!r} is neither a host name nor a slug")


def _value(value: str) -> tuple[Decimal | None, Fault | None]:
    """A decimal(18,6), exactly as sent: nothing is rounded."""
    fault = Fault("bad_number", "value", f"{value[:40]!r} is no decimal with 12 digits before and 6 after the point")
    sent = value.strip()
    if not _VALUE.fullmatch(sent):
        return None, fault
    try:
        number = Decimal(sent)
        exact = number.quantize(_SMALLEST)
    except InvalidOperation:  # more digits than the context has
        return None, fault
    # -0 is 0, also for an enricher that looks at it
    return (exact + 0, None) if exact == number and abs(exact) < _LIMIT else (None, fault)


def _currency(value: str) -> tuple[str | None, Fault | None]:
    """A code of ISO 4217, in capitals."""
    code = value[:40].strip().upper()
    if code in CURRENCIES:
        return code, None
    return None, Fault("bad_currency", "currency", f"{value[:40]!r} is no currency code of ISO 4217")


def _sent_at(value: str) -> tuple[int | None, Fault | None]:
    """A moment in µs UTC: ISO 8601 (UTC if it names no zone), or s, ms or µs since the epoch."""
    sent = value.strip()
    try:
        if _EPOCH.fullmatch(sent):
            micros = int(sent) * (SECOND if len(sent) < 12 else 1_000 if len(sent) < 15 else 1)
            return micros, None
        moment = datetime.fromisoformat(sent)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None, _bad_time(value)
    if moment.year not in _YEARS:
        return None, _bad_time(value)
    return int(moment.timestamp()) * SECOND + moment.microsecond, None


def _bad_time(value: str) -> Fault:
    return Fault("bad_time", "sent_at", f"{value[:40]!r} is neither ISO 8601 nor a number of seconds, ms or µs")


CHECKS: Final = (("site", _site), ("value", _value), ("currency", _currency), ("sent_at", _sent_at))
"""Column -> what makes a typed value of its text, or says what is wrong with it."""
