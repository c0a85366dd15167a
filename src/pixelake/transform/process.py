"""`process` judges decoded hits: pure and deterministic, column by column."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from pixelake.dialects.base import Fault
from pixelake.event import PARTITION_COLUMNS
from pixelake.stream.base import Batch
from pixelake.transform.columns import Columns
from pixelake.transform.decode import Decoded, Rejected, refusals
from pixelake.transform.enrich.early import is_early
from pixelake.transform.enrich.own import PROPERTY, Own, enrich_own
from pixelake.transform.enrich.place import place
from pixelake.transform.enrich.table import enrich
from pixelake.transform.enrich.visitor import visitor
from pixelake.transform.facts import QUARTER, Facts, Salts, put_quarters
from pixelake.transform.raw import bare_json, faults_json, raw_json
from pixelake.transform.rules import Rules
from pixelake.transform.tables import HOUR, hour_texts, table
from pixelake.warehouse.base import REJECTS, WITHHELD, Outcome

_NO_SALTS: Final = Salts(None, None)


def process(decoded: Decoded, facts: Facts) -> Outcome:
    """What became of the hits. The same hits and facts always give the same outcome."""
    batch = decoded.batch
    events, failed = _events(decoded, facts)
    rejected = [*decoded.rejected, *(refusals(decoded, failed) if failed else ())]
    return Outcome(
        events=events,
        rejects=_rejects([_reject(each, batch.partition, facts) for each in rejected]),
        withheld=table(
            WITHHELD,
            {"partition": [batch.partition] * len(decoded.withheld), "position": decoded.withheld},
            len(decoded.withheld),
        ),
        first={batch.partition: batch.positions[0]},
        positions={batch.partition: batch.positions[-1]},
    )


def poisoned(batch: Batch, error: str, rules: Rules) -> Outcome:
    """The outcome of a single hit that made the transformation fail. Kept of it is what is kept of an anonymous one.

    Args:
        batch: the hit.
        error: the name of the error's type; what it says may hold anything.
        rules: as for all hits.
    """
    hit, position = batch.hits[0], batch.positions[0]
    fault = Fault("poison", "", error)
    try:
        raw = raw_json(hit, rules, anonymous=True)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - whatever failed for this hit may fail here again
        raw = bare_json(hit)
    rejected = Rejected(batch.ids[0], position, hit, "", None, True, (fault,), raw)
    at = {batch.partition: position}
    row = _reject(rejected, batch.partition, Facts({}, {}))
    return Outcome(table(rules.schema, {}, 0), _rejects([row]), table(WITHHELD, {}, 0), at, at)


def _events(decoded: Decoded, facts: Facts) -> tuple[pa.Table, Mapping[int, Sequence[Fault]]]:
    """The events, and the rows that an enricher of the user's failed for."""
    rules, columns = decoded.rules, decoded.columns
    rows = columns.rows
    if not rows:
        return table(rules.schema, {}, 0), {}
    _put_hours(columns)
    _put_salts(columns, facts)
    if columns.is_empty("properties"):
        columns.put_constant("early", value=False)
    else:
        columns.put("early", is_early(columns.values("received_at"), columns.values("properties")))
    for enricher in rules.enrichers:
        enrich(columns, enricher)
    if facts.owners:
        columns.put("duplicate", [facts.owners.get(name, name) != name for name in columns.values("hit_id")])
    else:
        columns.put_constant("duplicate", value=False)
    columns.put("occurred_at", columns.column("received_at").values)
    columns.put_constant("partition", decoded.batch.partition)
    columns.put_constant("signed", value=False)
    failed = _put_own(columns, rules.own, rows)
    events = columns.table(rules.schema)
    if failed:
        events = events.filter(pa.array([at not in failed for at in range(rows)]))
    return (events if decoded.in_order else events.sort_by("position")), failed


def _put_own(columns: Columns, owns: Sequence[Own], rows: int) -> Mapping[int, Sequence[Fault]]:
    """The columns of the user's enrichers, and the rows that one failed for."""
    failed: dict[int, list[Fault]] = {}
    for own in owns:
        names = {"properties" if name.startswith(PROPERTY) else name for name in own.inputs}
        known = {name: columns.values(name) for name in names & columns.names}
        outputs, faults = enrich_own(known, rows, own)
        for name, values in outputs.items():
            columns.put(name, values)
        for at, why in faults.items():
            failed.setdefault(at, []).append(Fault("enricher_failed", "", why))
    return failed


def _put_hours(columns: Columns) -> None:
    """The partition columns."""
    columns.put_floor("hours", "received_at", HOUR)
    coded, hours = columns.distinct(("hours",))
    columns.put_coded(coded, PARTITION_COLUMNS, [hour_texts(hour) for (hour,) in hours])


def _put_salts(columns: Columns, facts: Facts) -> None:
    put_quarters(columns)
    coded, moments = columns.distinct(("site", "quarter", "anonymous"))
    salts = [
        _NO_SALTS if anonymous else facts.salts.get((site, quarter), _NO_SALTS) for site, quarter, anonymous in moments
    ]
    columns.put_coded(coded, ("salt", "salt_before"), salts)


def _reject(rejected: Rejected, partition: str, facts: Facts) -> tuple[Any, ...]:
    """A row of `REJECTS`."""
    hit = rejected.hit
    salts = _NO_SALTS
    if not rejected.anonymous:
        salts = facts.salts.get((rejected.site, hit.received_at // QUARTER), _NO_SALTS)
    network = place(hit.client)[1]
    return (
        rejected.hit_id,
        hit.received_at,
        _STAGES.get(rejected.faults[0].reason, "validate"),
        rejected.faults[0].reason,
        faults_json(rejected.faults),
        rejected.raw,
        visitor(network, rejected.user_agent, rejected.site, salts.today),
        partition,
        rejected.position,
        *hour_texts(hit.received_at // HOUR),
    )


def _rejects(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = dict(zip(REJECTS.names, zip(*rows, strict=True), strict=True)) if rows else {}
    return table(REJECTS, columns, len(rows))


_STAGES: Final = dict.fromkeys(("body_unreadable", "body_too_large", "element_not_object"), "decode") | {
    "enricher_failed": "enrich"
}
"""Reason -> stage; of all others it is validation."""
