"""What is asked, and what is answered: one type each, whoever asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from pixelake.warehouse.filters import NOTHING, Filter


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to be answered.

    Attributes:
        question: its name.
        start: of the period, with a zone; included.
        end: of it; excluded.
        site: the only one, else all.
        zone: on whose wall clock buckets and labels are; else the site's, or the default zone.
        interval: one of `pixelake.warehouse.zones.INTERVALS`; of a series alone.
        filter: which events.
        people: machines and repeats are left out.
        compare: also the period before.
        limit: rows of a list at most; None: all.
        skip: rows of a list that are passed over before.
        options: what the question alone takes: values, or their texts.
    """

    question: str
    start: datetime
    end: datetime
    site: str | None = None
    zone: str | None = None
    interval: str | None = None
    filter: Filter = NOTHING
    people: bool = True
    compare: bool = False
    limit: int | None = None
    skip: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


class Part(NamedTuple):
    """Where a part of an answer came from.

    Attributes:
        source: ``months`` and ``days`` (roll-ups), ``trail`` (events kept with their visits), ``rows`` (the lake).
        first: the first local day.
        last: the last one.
        files: roll-ups that are read.
    """

    source: str
    first: str
    last: str
    files: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question has for an answer.

    Attributes:
        table: the rows.
        notes: column -> why it has no value.
        parts: where the rows come from.
        version: of the lake.
        more: there are rows behind these.
    """

    table: pa.Table
    notes: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    version: str = ""
    more: bool = False


@dataclass(frozen=True, slots=True)
class Explained:
    """How a question would be answered.

    Attributes:
        parts: where its rows come from.
        sql: the statement.
        values: its parameters.
        version: of the lake.
    """

    parts: Sequence[Part]
    sql: str
    values: Mapping[str, Any]
    version: str
