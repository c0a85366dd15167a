"""A `Reject` is what is not an event: why not, and everything needed to try again.

Rejects are kept in a table of their own beside the events. Like events they
are columns in bulk; `FIELDS` declares them and `REASONS` lists every reason.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pixelake.event import Field

FIELDS: Final = (
    Field("hit_id", "text", "", "unique name of this row, as it would be among the events"),
    Field("received_at", "timestamp", "µs UTC", "when the collector had the whole request"),
    Field("stage", "text", "", "the stage that refused it: decode, validate, enrich"),
    Field("reason", "text", "", "the code of the first fault"),
    Field("detail", "text", "JSON", "all faults: an array of objects `{reason, field, text}`"),
    Field(
        "raw", "text", "JSON", "the hit, to be tried again; without whole addresses, secrets and what urls are cut of"
    ),
    Field("visitor_id", "text", "", "as on events, so that it can be erased"),
    Field("partition", "text", "", "the stream's partition it came by"),
    Field("position", "int64", "", "its place in that partition"),
    Field("year", "text", "UTC", "partition column"),
    Field("month", "text", "UTC", "partition column"),
    Field("day", "text", "UTC", "partition column"),
    Field("hour", "text", "UTC", "partition column"),
)


class Reason(NamedTuple):
    """Why something is no event, and what to do so that the next one is.

    Attributes:
        text: what is wrong with it.
        remedy: for the operator.
    """

    text: str
    remedy: str


REASONS: Final[Mapping[str, Reason]] = {
    "body_unreadable": Reason(
        "the body is not what its content type says (JSON, NDJSON, form, gzip)",
        "mend what sends it: `detail` says at which byte",
    ),
    "body_too_large": Reason(
        "the body has too many elements or lines, or unpacks to too many bytes", "send it in several requests"
    ),
    "too_many": Reason(
        "names and values beyond the bound of an element, or of a whole body", "send fewer, or in several requests"
    ),
    "element_not_object": Reason("an element of the body is not a JSON object", "send `[{...}, {...}]`"),
    "too_long": Reason("a field is longer than its bound", "cut it where it is sent, or set `max_field` higher"),
    "bad_number": Reason(
        "a field that must be a number is none, or out of range", "send `value` as `12.50`: no unit, no comma"
    ),
    "bad_currency": Reason("a currency that is no code of ISO 4217", "send `EUR`, not `€`"),
    "bad_site": Reason("a site name with characters that no host name or slug has", "correct `site` in the tag"),
    "bad_time": Reason("a time that cannot be read", "send `sent_at` as ISO 8601, or as a number since the epoch"),
    "unknown_site": Reason(
        "sites are closed, and nobody declared this one", "`pixelake sites add` declares it; or set `sites` to open"
    ),
    "schema": Reason(
        "the event does not fit your JSON Schema for its name", "mend the event, or `schemas/<event>.json`"
    ),
    "enricher_failed": Reason(
        "an enricher of yours failed for it, or gave what its column cannot hold",
        "`detail` names the enricher, the error and the line: mend it, restart, and replay",
    ),
    "line_unreadable": Reason(
        "a line of an imported file that does not fit its format",
        "`position` is its number: mend the file, and import it (it is another file then); the reject can be purged",
    ),
    "message_unreadable": Reason(
        "a message of the stream is no hit that this program can read",
        "see what else writes into the queue or stream, and how a hit is written; `raw` shows what came",
    ),
    "poison": Reason("the hit made the transformation itself fail", "a defect: report it, and replay after the update"),
}
"""Reason code -> what it means. Codes are an interface: never renamed."""


def as_markdown() -> str:
    """The page ``docs/rejects.md``."""
    reasons = [f"| `{code}` | {reason.text} | {reason.remedy} |" for code, reason in REASONS.items()]
    columns = [
        f"| `{field.name}` | {field.type} | {field.unit} | {field.meaning.replace('|', '&#124;')} |" for field in FIELDS
    ]
    return _PAGE.format(reasons="\n".join(reasons), columns="\n".join(columns))


_PAGE: Final = """# Rejects

Made from `src/pixelake/reject.py`:
`python -c 'from pixelake import reject; print(reject.as_markdown(), end="")' > docs/rejects.md`.

What was taken and is no event is a reject: nothing is dropped in silence. Rejects are a table beside the events
(`pixelake sql "select reason, count(*) from rejects group by 1"`), and `pixelake status` counts them. A hit may have
many elements; each is an event or a reject of its own. All faults of an element are found at once and stand in
`detail`; `reason` is the first.

| reason | what is wrong | what to do |
|---|---|---|
{reasons}

## Look, mend, replay

- `pixelake rejects list` shows the newest, `pixelake rejects show HIT_ID` one with all its faults and what is
  kept of the hit (`--json`: as an object).
- `pixelake rejects replay` judges them anew by the settings, schemas and the program of today: all, those with one
  `--reason`, of one `--site`, or one `--id`. What is an event now moves from the table of rejects to that of events,
  under its own `hit_id` and time, exactly once, however often it is run, wherever it is cut short, and beside a
  running server. The sums of `pixelake status` hold at every moment. What the server was told by flags (`--sites
  closed`, `--enrichers`), the replay must be told too: what is in `pixelake.toml` or the environment both know.
- `pixelake rejects purge` removes them: those with one `--reason`, those `--older-than` so many days, or `--all`. They
  are counted as removed.

A replay has what the reject kept, which is what the lake would keep of an event:

- addresses are truncated, so the place is as coarse; the visitor is the one of the reject, and none in the minutes
  after midnight (`visitor_before`). Where the reject had no site that could be read, its visitor is one of its own;
- of `url` and `referrer` only the listed query names are there, and no click id;
- secrets are empty, and of anonymous hits there is no user;
- an `event_id` that another hit has claimed meanwhile makes it a repeat;
- a hit whose body or query was not kept, because a secret, or a url that would have to be cut, might be in what cannot
  be read, cannot be replayed; nor one that policy would withhold today. Each is listed with why.

The live store and the counts of badges do not see a replay; the lake, and all that asks it, does.

## Your own rules

`schemas/<event>.json` in the data folder (or in the folder that the setting `schemas` names) is a JSON Schema, of any
draft up to 2020-12, for the events of that name: `schemas/purchase.json` for `purchase`. They are read when the server
starts; a file that is none stops the start. What is validated is one object: native names and properties -> what was
sent, before it is cut.

- A name sent once is a text, sent several times a list of texts. One without a value (`null`, `[]`), and a native name
  whose text is empty, is not there. `event` always is.
- Where `properties` of the schema gives a name a `type` other than string, a text that is written like such a value
  stands for it, since a query has nothing but text: `12.50` is a number, `true` a boolean, `{{"a":1}}` an object;
  `array` makes a list also of a single value. Without a `type` its other keywords tell (`minimum`: a number).
- `value` is a number unless its `type` is string.
- `format` is checked. `$ref` reaches only into the same file: nothing is ever fetched.

```json
{{
  "required": ["value", "currency", "order"],
  "properties": {{
    "value": {{"exclusiveMinimum": 0}},
    "order": {{"pattern": "^[A-Z]{{2}}[0-9]{{6}}$"}},
    "items": {{"type": "integer", "minimum": 1}}
  }}
}}
```

## The columns of `rejects`

| column | type | unit | what it is |
|---|---|---|---|
{columns}
"""
