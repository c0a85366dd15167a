"""A `Reject` is what is not an event: why not, and everything needed to try again.

Rejects are kept in a table of their own beside the events. Like events they
are columns in bulk; `FIELDS` declares them and `REASONS` lists every reason.
"""

from typing import Final

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

REASONS: Final = {
    "body_unreadable": "the body is not what its content type says (JSON, NDJSON, form, gzip)",
    "body_too_large": "the body unpacks to more than the bound",
    "too_many": "names and values beyond the bound of an element, or of a whole body",
    "element_not_object": "an element of the body is not a JSON object",
    "too_long": "a field is longer than its bound",
    "bad_number": "a field that must be a number is none, or out of range",
    "bad_currency": "a currency that is not three letters",
    "bad_site": "a site name with characters that no host name or slug has",
    "bad_time": "a time that cannot be read",
    "poison": "the hit made the transformation itself fail",
}
"""Reason code -> what it means. Codes are an interface: never renamed."""
