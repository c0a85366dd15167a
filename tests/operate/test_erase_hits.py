"""What is left of a hit: its place and time; or, where others are in its body, all but what is the person's."""

import gzip
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from pixelake.dialects.native import Native
from pixelake.hit import ERASED, ERASURE, PARTLY_ERASED, Hit
from pixelake.operate.erase_hits import WHOLE, HitsOf, Places, places_of
from pixelake.operate.person import Person
from pixelake.settings import Settings
from pixelake.stream.base import Batch
from pixelake.transform.decode import decode
from pixelake.transform.rules import make_rules
from pixelake.warehouse.base import EVENTS
from tests.warehouse.outcomes import event

NAME = "Zq7-secret-person"
OTHERS = [{"event": "other", "user": "somebody"}, {"event": "another"}]


def hit(target: str = "/pixel.gif?event=x", body: bytes = b"", *lines: str) -> Hit:
    """A hit; with a body a POST."""
    headers = "".join(f"{line}\r\n" for line in lines).encode()
    return Hit.of(7, "192.0.2.1", "192.0.2.1", "POST" if body else "GET", target.encode(), headers, body)


def left(sent: Hit, name: str = NAME, places: Places | None = None) -> Hit:
    """What is left of the third hit of a partition."""
    native = Native({})
    (found,) = HitsOf(Person("user", name), lambda _: native, places or {})("p", [3], [sent])
    return found


def judged(found: Hit) -> tuple[list[str], int]:
    """The names of the events that come of a hit when it is judged again, and how many outcomes are withheld."""
    decoded = decode(Batch("p", [found], [3]), make_rules(Settings(), (Native({}),)))
    assert not decoded.rejected
    return list(decoded.columns.values("event")) if decoded.columns.rows else [], len(decoded.withheld)


def bodies() -> Mapping[str, tuple[bytes, tuple[str, ...]]]:
    """A person's element among others', in each form that has several."""
    all_of_them = [OTHERS[0], {"event": "mine", "q": f"a {NAME} b"}, OTHERS[1]]
    array = json.dumps(all_of_them).encode()
    lines = b"\n".join(json.dumps(each).encode() for each in all_of_them)
    return {
        "array": (array, ("Content-Type: application/json",)),
        "gzip": (gzip.compress(array), ("Content-Encoding: gzip",)),
        "lines": (lines, ("Content-Type: application/x-ndjson",)),
        "lines as json": (lines, ("Content-Type: application/json",)),
        "utf-16": (array.decode().encode("utf-16"), ("Content-Type: application/json; charset=utf-16",)),
    }


@pytest.mark.parametrize("form", bodies())
def test_others_in_the_body_stay(form: str) -> None:
    """Only the element that holds the id goes; judged again the others are the same, and that one is withheld."""
    body, headers = bodies()[form]
    found = left(hit("/events", body, *headers))
    assert found.source == f"http{PARTLY_ERASED}"
    assert (found.head, found.received_at) == (hit("/events", body, *headers).head, 7)
    assert judged(found) == (["other", "another"], 1)
    assert left(found) is found


@pytest.mark.parametrize(
    "sent",
    [
        hit(f"/pixel.gif?user={NAME}"),
        hit("/pixel.gif?event=x", b"", f"Referer: https://a.example/{NAME}"),
        hit(f"/events?user={NAME}", json.dumps(OTHERS).encode()),
        hit("/events", json.dumps({"user": NAME}).encode()),
        hit("/events", json.dumps([{"user": NAME}, {"title": NAME}]).encode()),
        hit("/events", f"user={NAME}".encode()),
        hit("/events", f"[{{}}, {NAME}".encode()),
        hit("/events", gzip.compress(NAME.encode()), "Content-Encoding: gzip"),
    ],
)
def test_of_a_hit_that_is_theirs_the_time_is_left(sent: Hit) -> None:
    """Neither head nor body nor address; judged again it is one withheld outcome; erasing it again changes nothing."""
    found = left(sent)
    assert found == Hit(7, "", "", b"", source=ERASED)
    assert judged(found) == ([], 1)
    assert left(found) is found


def test_what_is_not_theirs_is_the_same_object() -> None:
    """Whoever writes segments anew is told so that nothing changes."""
    sent = hit("/events", json.dumps(OTHERS).encode())
    assert left(sent) is sent
    assert left(hit(f"/pixel.gif?user={NAME}"), "another-person") is not None


@pytest.mark.parametrize(
    ("sent", "there"),
    [
        (hit("/pixel.gif?user=u1"), True),
        (hit("/pixel.gif?q=u1"), True),
        (hit("/pixel.gif?q=u12"), False),
        (hit("/pixel.gif?q=x", b"", "User-Agent: u1"), False),
        (hit("/events", b'{"q": ["a", "u1"]}'), True),
        (hit("/events", gzip.compress(b'{"q": "u1"}'), "Content-Encoding: gzip"), True),
    ],
)
def test_a_short_id_is_a_whole_value(sent: Hit, *, there: bool) -> None:
    """An id of a few letters is in many texts that are not its own."""
    assert (left(sent, "u1").source == ERASED) is there


def test_named_places_go() -> None:
    """A hit whose rows were the person's goes, or the elements that those were, though the id is nowhere in it."""
    sent = hit("/events", json.dumps(OTHERS).encode())
    assert left(sent, places={("p", 3): frozenset({WHOLE})}).source == ERASED
    part = left(sent, places={("p", 3): frozenset({1})})
    assert judged(part) == (["other"], 1)
    assert left(part, places={("p", 3): frozenset({1})}) is part
    assert left(sent, places={("p", 3): frozenset({0, 1})}).source == ERASED
    assert left(sent, places={("p", 3): frozenset({7})}).source == ERASED
    assert left(sent, places={("p", 4): frozenset({WHOLE})}) is sent


def test_the_mark_means_nothing_in_other_hits() -> None:
    """Whoever sends the mark has an event like any other."""
    body = msgspec.json.encode([{ERASURE: True, "event": "mine"}, OTHERS[0]])
    assert judged(hit("/events", body)) == (["mine", "other"], 0)


def test_places_of_rows() -> None:
    """A row's name tells which element of its hit it is."""
    rows: list[dict[str, Any]] = [event("a", 1), event("a", 1, hit_id="a-1.12"), event("b", 2)]
    table = pa.Table.from_pylist(rows, EVENTS)
    assert places_of(table, whole=False) == {("a", 1): frozenset({0, 12}), ("b", 2): frozenset({0})}
    assert places_of(table, whole=True) == {("a", 1): frozenset({WHOLE}), ("b", 2): frozenset({WHOLE})}
