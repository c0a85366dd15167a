"""The log of erasures tells nobody who left, and tells enough to erase them again from an older backup."""

import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from pixelake import build
from pixelake.hit import ERASED, Hit
from pixelake.operate import erasures
from pixelake.operate.erase_hits import WHOLE
from pixelake.operate.erasures import Entry, Erased
from pixelake.operate.person import Person
from pixelake.settings import Settings
from pixelake.stream import segment
from pixelake.stream.base import Partition, Position
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.warehouse import objects
from pixelake.warehouse.base import EVENTS
from tests.held import holding
from tests.hits import append, drain
from tests.s3 import Server, reached
from tests.warehouse.outcomes import event, outcome, reject

NAME = "anna@example.com"
KEY = "a key"


def done(person: Person, places: Mapping[tuple[Partition, Position], frozenset[int]] | None = None) -> Entry:
    """The line of an erasure that came to its end."""
    return erasures.done(erasures.with_places(erasures.entry_of(person, "e1", 1_000, KEY), places or {}))


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Events."""
    return pa.Table.from_pylist(list(rows), EVENTS)


def test_the_log_does_not_say_who(tmp_path: Path) -> None:
    """Neither the id nor a hash that can be made without the key is in the file, which is for its owner only."""
    entry = done(Person("user", NAME), {("a", 3): frozenset({0})})
    erasures.append(tmp_path, entry)
    text = (tmp_path / erasures.FILE).read_text()
    assert NAME not in text
    assert erasures.digest(NAME, "another key") not in text
    assert (tmp_path / erasures.FILE).stat().st_mode & 0o77 == 0
    assert erasures.read(tmp_path) == [entry]


def test_lines_survive_a_torn_one(tmp_path: Path) -> None:
    """A line that a power cut has torn is passed over, and the next one is a line of its own."""
    first, second = done(Person("user", NAME)), replace_id(done(Person("user", "other-id")), "e2")
    erasures.append(tmp_path, first)
    with (tmp_path / erasures.FILE).open("ab") as file:
        file.write(b'{"id":"torn","at":12')
    erasures.append(tmp_path, second)
    assert erasures.read(tmp_path) == [first, second]


@pytest.mark.parametrize("server", ["seaweedfs", "moto"])
def test_several_at_once_are_all_kept(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines and functions write to a log in a bucket at the same moment: of each erasure the last line stays."""
    store: Server = request.getfixturevalue(server)
    reached(monkeypatch, store.environment)
    bucket = store.bucket()
    first = Entry("old", 0, "done", "user", "h", 1)
    objects.lake(bucket, f"lake/{erasures.FILE}").create(msgspec.json.encode(first) + b"\n")  # of an older version

    def erase(number: int) -> None:
        where = objects.lake(bucket, "lake")
        begun = Entry(f"e{number}", 10 - number, "begun", "user", "h" * number, number)
        for entry in (begun, erasures.with_places(begun, {("a", number): frozenset({0})})):
            erasures.append(where, entry)
        if number % 2:
            erasures.append(where, erasures.done(erasures.with_places(begun, {("a", number): frozenset({0})})))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(erase, range(1, 7)))
    found = erasures.read(objects.lake(bucket, "lake"))
    assert found[0] == first
    assert [entry.id for entry in found[1:]] == [f"e{number}" for number in range(6, 0, -1)]
    assert [entry.state for entry in found[1:]] == ["begun", "done"] * 3
    assert [entry.places for entry in found[1:]] == [{"a": [(number, number)]} for number in range(6, 0, -1)]
    assert {each.id for each in erasures.unfinished(objects.lake(bucket, "lake"))} == {"e2", "e4", "e6"}


def replace_id(entry: Entry, name: str) -> Entry:
    """The same under another name."""
    return Entry(name, entry.at, entry.state, entry.kind, entry.hash, entry.length, entry.places)


def test_what_was_begun_and_not_done(tmp_path: Path) -> None:
    """An erasure that was cut short is told until it, or another one of the same person, is done."""
    person = Person("user", NAME)
    cut = erasures.entry_of(person, "cut", 1_000, KEY)
    erasures.append(tmp_path, cut)
    assert [each.id for each in erasures.unfinished(tmp_path)] == ["cut"]
    erasures.append(tmp_path, erasures.done(erasures.entry_of(Person("user", "somebody"), "x", 2_000, KEY)))
    assert [each.id for each in erasures.unfinished(tmp_path)] == ["cut"]
    (notice,) = erasures.notices(tmp_path)
    assert (notice.level, "1970-01-01" in notice.text, NAME in notice.text) == ("error", True, False)
    erasures.append(tmp_path, erasures.done(erasures.entry_of(person, "again", 3_000, KEY)))
    assert erasures.unfinished(tmp_path) == []
    assert erasures.notices(tmp_path) == []


@pytest.mark.parametrize(
    ("columns", "there"),
    [
        ({"user_id": NAME}, True),
        ({"user_id": NAME.upper()}, False),
        ({"title": f"mail from {NAME}!"}, True),
        ({"url": "https://shop.example/?u=anna%40example.com&x=1"}, True),
        ({"properties": [("a", ["x", f"<{NAME}>"])]}, True),
        ({"properties": [(NAME, [])]}, True),
        ({"title": "anna@example.org", "properties": None}, False),
        ({"title": ""}, False),
    ],
)
def test_rows_are_found_by_the_hash(columns: dict[str, Any], *, there: bool) -> None:
    """By the whole id, and by parts of text that begin where a word does; with no other text of that length."""
    found = Erased([done(Person("user", NAME))], KEY).rows(table([event("a", 1), event("a", 2, **columns)]))
    assert found.to_pylist() == [False, there]


def test_short_ids_and_visitors() -> None:
    """A short id is found as a whole value only; a visitor by its columns."""
    rows = table(
        [
            event("a", 1, user_id="u1"),
            event("a", 2, title="u1"),
            event("a", 3, properties=[("k", ["u1"])]),
            event("a", 4, visitor_before="v" * 32),
            event("a", 5),
        ]
    )
    entries = [done(Person("user", "u1")), done(Person("visitor", "v" * 32))]
    assert Erased(entries, KEY).rows(rows).to_pylist() == [True, False, True, True, False]
    assert Erased(entries, "another key").rows(rows).to_pylist() == [False] * 5
    keyed = [erasures.with_key(entry, KEY) for entry in entries]
    assert Erased(keyed, "another key").rows(rows).to_pylist() == [True, False, True, True, False]


def test_rows_are_found_by_their_places() -> None:
    """What an erasure found in any other way is named by its place, and the others of the same hit are not."""
    places = {
        ("a", 1): frozenset({0}),
        ("a", 2): frozenset({0}),
        ("a", 7): frozenset({2}),
        ("b", 4): frozenset({WHOLE}),
    }
    entry = done(Person("user", NAME), places)
    assert entry.places == {"a": [(1, 2)]}
    assert Erased([entry], KEY).places == places
    rows = table(
        [
            event("a", 1),
            event("a", 3),
            event("a", 7),
            event("a", 7, hit_id="a-7.2"),
            event("b", 1),
            event("b", 4),
        ]
    )
    assert Erased([entry], KEY).rows(rows).to_pylist() == [True, False, False, True, False, True]


def fill(settings: Settings) -> str:
    """A data folder with hits, events of two people, and a reject; its partition."""
    hits = [
        Hit.of(1_770_757_200_000_000 + n, "192.0.2.1", "192.0.2.1", "GET", b"/?user=%s" % user.encode(), b"")
        for n, user in enumerate([NAME, "other", NAME, "other"])
    ]
    append(SqliteWriter(settings.data / "stream"), hits, close=True)
    (partition,) = (path.name for path in segment.partitions(settings.data / "stream"))
    rows = [event(partition, 1, user_id=NAME), event(partition, 2), event(partition, 3, title="by its place alone")]
    raw = json.dumps({"received_at": 1, "method": "GET", "target": f"/?user={NAME}"})
    build.lake(settings).write(outcome(rows, [reject(partition, 4, raw=raw)]))
    reader = SqliteReader(settings.data / "stream", "consume")
    drain(reader)
    reader.commit({partition: 4})
    reader.close()
    return partition


def test_a_restored_folder_forgets_again(tmp_path: Path) -> None:
    """An older copy of everything, and the log beside the backups: what was erased since is erased again, once."""
    settings = Settings(data=tmp_path / "data")
    partition = fill(settings)
    older = replace(settings, data=tmp_path / "older")
    shutil.copytree(settings.data, older.data)
    with_name = build.erase(settings, Person("user", NAME), lambda *_: None)
    assert with_name.is_clean
    entries = [erasures.with_key(entry, "") for entry in erasures.read(settings.data / "registry")]
    key = build.registry(settings).secret(erasures.SECRET)
    entries = [erasures.with_key(entry, key) for entry in entries]
    entries[0].places[partition].append((3, 3))
    assert holding(older.data, NAME)
    for _ in range(2):
        assert build.erase_again(older, entries) == 1
        assert holding(older.data, NAME) == set()
        found = build.lake_reader(older).sums()
        assert (found.holds, found.in_lake, found.rejected, found.removed) == (True, 1, 0, 3)
    hits = [hit for batch in drain(SqliteReader(older.data / "stream", "look")) for hit in batch.hits]
    assert [hit.source == ERASED for hit in hits] == [True, False, True, False]
    assert [entry.id for entry in erasures.read(older.data / "registry")] == [with_name.id]


def test_what_a_killed_erasure_had_found_is_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hits of a visitor do not name them: they go also if the rows that told so went before the kill."""
    settings = Settings(data=tmp_path / "data")
    partition = fill(settings)
    visitor = "v" * 32
    build.lake(settings).write(outcome([event(partition, 5, visitor_id=visitor)]))
    hits = [Hit.of(1, "192.0.2.1", "192.0.2.1", "GET", b"/?n=%d" % n, b"") for n in range(5)]
    append(SqliteWriter(settings.data / "stream"), hits, close=True)
    other = next(path.name for path in segment.partitions(settings.data / "stream") if path.name != partition)
    build.lake(settings).write(outcome([event(other, at, visitor_id=visitor) for at in range(1, 6)]))
    reader = SqliteReader(settings.data / "stream", "consume")
    drain(reader)
    reader.commit({partition: 4, other: 5})
    reader.close()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pixelake.stream.erase.rewrite", killed)
        with pytest.raises(KeyboardInterrupt):
            build.erase(settings, Person("visitor", visitor), lambda *_: None)
    assert build.lake_reader(settings).sums().removed == 6
    proof = build.erase(settings, Person("visitor", visitor), lambda *_: None)
    assert {step.place: step.removed for step in proof.steps}["stream"] == 5
    found = {batch.partition: batch.hits for batch in drain(SqliteReader(settings.data / "stream", "look"))}
    assert {hit.source for hit in found[other]} == {ERASED}
    assert erasures.unfinished(settings.data / "registry") == []
