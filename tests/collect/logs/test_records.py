"""Records of streams: which hits they hold, and under which names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake import hit_json
from pixelake.build.records import records
from pixelake.errors import NewerVersion, SettingsError
from pixelake.hit import UNREADABLE, Hit
from pixelake.settings import Settings
from pixelake.stream.aggregate import pack

AT = 1_770_757_200_000_000
LINE = b"1770757200.123\t203.0.113.9\t200\tGET\tcdn.example\t%b\t%b\tFirefox\t-\tFR"
READ = records(Settings())


def hits(data: bytes) -> list[Hit]:
    """Of a record called `r`."""
    return list(READ.hits(data, AT, "r"))


def sent(hit_id: str = "", source: str = "http") -> bytes:
    """A hit as JSON."""
    return hit_json.encode(Hit.of(AT, "203.0.113.9", "203.0.113.9", "GET", b"/p.gif?a=1", b"", b"", source, hit_id))


def test_names() -> None:
    """A hit's own, CloudFront's of the request, else the record's and the number of the line."""
    data = b"\n".join([sent("a-1"), sent(), LINE % (b"/p.gif?a=1", b"abcdefgh"), b"", LINE % (b"/p.gif?a=1", b"-")])
    assert [hit.hit_id for hit in hits(data)] == ["a-1", "r-2", "cloudfront-abcdefgh", "r-4"]


def test_lines_that_tell_of_no_hit() -> None:
    """They leave nothing behind, and others keep their numbers."""
    data = b"\n".join([LINE % (b"/logo.png", b"-"), LINE % (b"/p.gif?a=1", b"-")])
    assert [hit.hit_id for hit in hits(data)] == ["r-2"]


def test_what_was_packed() -> None:
    """An aggregate is as good as its records in lines."""
    lines = [sent("a-1"), sent(), LINE % (b"/p.gif?a=1", b"abcdefgh")]
    (packed,) = pack(lines)
    assert hits(packed.data) == hits(b"\n".join(lines))


def test_nobody_pretends_to_be_a_log() -> None:
    """A hit that says it is CloudFront's is unreadable: its country would be believed."""
    (found,) = hits(sent("a-1", source="cloudfront"))
    assert (found.source, found.hit_id) == (UNREADABLE, "r-1")


def test_a_newer_hit() -> None:
    """Is for a newer program."""
    with pytest.raises(NewerVersion):
        hits(sent("a-1").replace(b'"v":1', b'"v":2'))


def test_fields_that_are_none() -> None:
    """The setting names fields of a real-time log, and those that a hit needs are among them."""
    for fields in (("timestamp", "c-ip"), ("no-such-field",)):
        with pytest.raises(SettingsError):
            records(Settings(log_fields=fields))


@given(st.binary(max_size=200) | st.lists(st.sampled_from([b"{", b"\t", b"\n", b"\r", b"a", sent("x")])).map(b"".join))
def test_whatever_comes(data: bytes) -> None:
    """Each line that holds something is a hit, once, and has a name; nothing raises."""
    found = hits(data)
    held = [line for line in (each.rstrip(b"\r") for each in data.split(b"\n")) if line.strip()]
    assert len(found) == len(held)
    assert all(hit.hit_id for hit in found)
    assert all(hit.body == line for hit, line in zip(found, held, strict=True) if hit.source == UNREADABLE)
