"""A person leaves everything, beside a running server: no byte stays, the sums hold, the others stay as they are."""

import gzip
import json
import random
import socket
import string
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from deltalake.transaction import AddAction

from pixelake import build
from pixelake.aws import terms
from pixelake.build.erasing import BESIDE
from pixelake.build.transfer import gate
from pixelake.cli import run
from pixelake.clock import SYSTEM
from pixelake.disk import Flock
from pixelake.operate import erase_lake, folder
from pixelake.operate.erase_proof import Proof
from pixelake.operate.erase_scan import scan
from pixelake.operate.person import Person
from pixelake.settings import Settings
from pixelake.warehouse import compact as compaction
from pixelake.warehouse import durable, objects
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.compact import Job
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.lake import Lake
from tests.crash.campaign import Server, settle
from tests.crash.test_restore import send
from tests.held import holding, ways
from tests.s3 import Server as Bucket
from tests.s3 import reached
from tests.warehouse.outcomes import event, outcome, reject

SITE = "shop.example"


ODD = string.ascii_letters + string.digits + '._~+/@"'
"""Some of them are written otherwise in a URL and in JSON."""
PLAIN = string.ascii_lowercase + string.digits
"""May be part of a site's name."""


def random_id(letters: str = ODD) -> str:
    """Twenty characters."""
    return "".join(random.choices(letters, k=20))


def request(target: str, *lines: str, body: bytes = b"") -> bytes:
    """A request; a POST if it has a body."""
    length = [f"Content-Length: {len(body)}"] if body else []
    head = [f"{'POST' if body else 'GET'} {target} HTTP/1.1", "Host: a", *lines, *length]
    return "\r\n".join([*head, "", ""]).encode() + body


def of_person(name: str) -> dict[str, bytes]:
    """Every way in which a person may be told of, each under the name that its event has."""
    coded, twice = quote(name, safe=""), quote(quote(name, safe=""), safe="")
    letters = "".join(filter(str.isalnum, name))
    one = json.dumps({"site": SITE, "event": "in-gzip", "user": name}).encode()
    bulk = [
        {"site": SITE, "event": "other-1", "user": "somebody-else"},
        {"site": SITE, "event": "in-bulk", "user": name},
        {"site": SITE, "event": "other-2", "deep": {"a": ["somebody-else"]}},
        {"site": SITE, "event": "in-bulk-property", "deep": {"a": [f"x{name}y"]}},
    ]
    lines = "\n".join(json.dumps(each) for each in bulk).replace("other-", "line-").encode()
    reject = json.dumps({"site": SITE, "value": "many", "user": name}).encode()
    as_json = "Content-Type: application/json"
    wide = one.decode().encode("utf-16")
    return {
        "as user": request(f"/pixel.gif?site={SITE}&event=as-user&user={coded}"),
        "in a property": request(f"/pixel.gif?site={SITE}&event=in-property&q=a&q={coded}"),
        "in a url": request(f"/pixel.gif?site={SITE}&event=in-url&url=https%3A%2F%2Fw.example%2F{twice}"),
        "in a referrer": request(f"/pixel.gif?site={SITE}&event=in-referrer", f"Referer: https://w.example/{coded}/x"),
        "in a title": request(f"/pixel.gif?site={SITE}&event=in-title&title={quote(f'About {name}.')}"),
        "in an agent": request(f"/pixel.gif?site={SITE}&event=in-agent", f"User-Agent: app/{name}"),
        "in a reject": request("/events", as_json, body=reject),
        "in gzip": request("/events", as_json, "Content-Encoding: gzip", body=gzip.compress(one)),
        "in an array": request("/events", as_json, body=json.dumps(bulk).encode()),
        "in gzipped lines": request("/events", "Content-Encoding: gzip", body=gzip.compress(lines)),
        "in UTF-16": request("/events", f"{as_json}; charset=utf-16", body=wide),
        "as a site": request(f"/pixel.gif?site={letters}x.example&event=as-site&user={coded}"),
    }


def talk(server: Server, data: bytes) -> None:
    """Send a request, which is taken."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(10)
        client.sendall(data)
        status = client.recv(4_096)[9:12]
        assert status in {b"200", b"204"}, (data, status)


def rows(server: Server, query: str) -> list[dict[str, Any]]:
    """The answer to a query."""
    return list(json.loads(server.ask("sql", query, "--format", "json")))


def erase(server: Server, *arguments: str) -> dict[str, Any]:
    """Erase; what the proof says."""
    return dict(json.loads(server.ask("erase", *arguments, "--json", "--files-format", "json.gz")))


def started(folder: Path) -> Iterator[Server]:
    """A running server with plain files."""
    made = Server(folder / "data", folder / "log", more=("--files-format", "json.gz", "--files-window", "0.5"))
    made.start()
    send(made, 0, 10)
    yield made
    made.kill_all()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    yield from started(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that several tests share."""
    yield from started(tmp_path_factory.mktemp("shared"))


def hold(server: Server) -> dict[str, float]:
    """The sums, which hold."""
    found = server.status()
    assert found["accepted"] == found["in_stream"] + found["settled"]
    assert found["outcomes"] == found["in_lake"] + found["rejected"] + found["withheld"] + found["removed"]
    return found


@pytest.mark.parametrize("letters", [ODD, PLAIN], ids=["odd", "plain"])
def test_nothing_of_a_person_stays(shared: Server, letters: str) -> None:
    """A random id, wherever it may be: gone from every file, while all others stay as they were, byte by byte."""
    name, other = random_id(letters), random_id(letters)
    for each in (name, other):
        for data in of_person(each).values():
            talk(shared, data)
    settle(shared)
    before = hold(shared)
    assert len(holding(shared.data, name)) > 4
    everybody = rows(shared, "select * from events order by hit_id")
    mine = {row["hit_id"] for row in everybody if any(way in repr(row) for way in ways(name))}
    assert len(mine) == 13

    proof = erase(shared, "--user", name)

    assert proof["is_clean"], proof
    assert name not in json.dumps(proof)
    assert holding(shared.data, name) == set()
    assert len(holding(shared.data, other)) > 4
    assert rows(shared, "select * from events order by hit_id") == [
        row for row in everybody if row["hit_id"] not in mine
    ]
    after = hold(shared)
    removed = {step["place"]: step["removed"] for step in proof["steps"]}
    assert (removed["events"], removed["rejects"], removed["stream"]) == (len(mine), 1, 12)
    assert removed["registry"] == name.isalnum()
    assert after["removed"] - before["removed"] == len(mine) + 1
    assert after["outcomes"] == before["outcomes"]


def test_a_visitor_leaves(shared: Server) -> None:
    """Who has no user id is erased by the visitor's: also the hits, in which that is nowhere."""
    for agent in ("one/1.0", "two/2.0"):
        for number in range(3):
            talk(shared, request(f"/pixel.gif?site={SITE}&event=e{number}", f"User-Agent: {agent}"))
    settle(shared)
    (visitor,) = rows(shared, "select distinct visitor_id from events where user_agent = 'one/1.0'")
    name = str(visitor["visitor_id"])
    proof = erase(shared, "--visitor", name)
    assert proof["is_clean"]
    assert holding(shared.data, name) == set()
    assert {step["place"]: step["removed"] for step in proof["steps"]}["stream"] == 3
    assert rows(shared, "select user_agent, count(*) as n from events where user_agent like '%/_.0' group by 1") == [
        {"user_agent": "two/2.0", "n": 3}
    ]
    again = erase(shared, "--visitor", name)
    assert sum(step["removed"] for step in again["steps"] if step["place"] != "old files") == 0
    hold(shared)


def test_without_a_server(server: Server) -> None:
    """Once all is settled no server is needed; with hits that wait it is said what to do, and nothing was touched."""
    name = random_id()
    talk(server, of_person(name)["as user"])
    settle(server)
    server.stop()
    assert erase(server, "--user", name)["is_clean"]
    assert holding(server.data, name) == set()
    server.start()
    send(server, 200, 1)
    for pid in server.children("consume"):
        subprocess.run(["kill", "-STOP", str(pid)], check=True)
    talk(server, of_person(name)["as user"])
    server.kill_all()
    with pytest.raises(RuntimeError, match="start `pixelake serve`"):
        erase(server, "--user", name)
    assert [notice["code"] for notice in server.status()["notices"]] == ["erasure_unfinished"]  # type: ignore[attr-defined]
    server.start()
    send(server, 300, 1)
    settle(server)
    assert erase(server, "--user", name)["is_clean"]
    assert holding(server.data, name) == set()
    assert hold(server)["notices"] == []


def test_a_lake_in_a_bucket(tmp_path: Path, seaweedfs: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows leave it, old objects that held them are removed, and what the bucket may keep is told."""
    reached(monkeypatch, seaweedfs.environment)
    settings = Settings(data=tmp_path / "data", lake=f"s3://{seaweedfs.bucket()}/a/lake")
    name = random_id()
    lake = build.lake(settings)
    lake.write(outcome([event("a", 1, user_id=name), event("a", 2)], [reject("a", 3, detail=name)]))
    lake.write(outcome([event("a", 4, user_id=name)]))
    proof = build.erase(settings, Person("user", name), lambda *_: None)
    assert proof.is_clean
    assert {step.place: step.removed for step in proof.steps if step.removed} == {
        "events": 2,
        "rejects": 1,
        "old files": 3,
    }
    assert any("older versions" in line for line in proof.remains)
    found = build.lake_reader(settings).sums()
    assert (found.holds, found.in_lake, found.removed) == (True, 1, 3)


def test_who_settles_at_the_same_moment_brings_nobody_back(
    tmp_path: Path, seaweedfs: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that had asked who is erased just before, and commits just after, has to ask again."""
    reached(monkeypatch, seaweedfs.environment)
    settings = Settings(data=tmp_path / "data", lake=f"s3://{seaweedfs.bucket()}/a/lake")
    name = random_id()
    proofs: list[Proof] = []
    rows = [event("q", 1, user_id=name, hit_id="w-1"), event("q", 2, hit_id="w-2")]
    made = outcome(rows, [reject("q", 3, detail=name, hit_id="w-3")])
    with closing(build.registry(settings)) as shared:
        bar = gate(settings, shared).bar

        def slow(outcome: Outcome) -> Outcome:
            found = bar(outcome)
            if not proofs:
                proofs.append(build.erase(settings, Person("user", name), lambda *_: None))
            return found

        fresh = build.lake(settings).settle(made, "kinesis-1", slow)
    assert fresh.events["hit_id"].to_pylist() == ["w-2"]
    assert proofs[0].is_clean
    assert not scan([build.lake(settings).place], Person("user", name), lambda *_: None).found
    found = build.lake_reader(settings).sums()
    assert (found.holds, found.in_lake, found.withheld) == (True, 1, 2)


def test_what_functions_have_beside_the_lake_is_told(
    tmp_path: Path, moto: Bucket, dynamodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams, if there are any, and how much Firehose has landed; nothing of the sort without a table."""
    bucket = moto.bucket()
    settings = Settings(data=tmp_path / "data", lake=f"s3://{bucket}/lake", registry=f"dynamodb://{dynamodb}")
    folders = (terms.LANDING, terms.ERRORS, terms.FAILED, terms.LOGS, terms.LOGS_OF_AWS)
    assert tuple(each.rstrip("/") for each in folders) == BESIDE
    for name in ("landing/a", "landing/b/c", "aws/lambda/d"):
        assert objects.lake(bucket, name).create(b"somebody")
    build.lake(settings).write(outcome([event("a", 1, user_id="anna@example.com")]))
    remains = build.erase(settings, Person("user", "anna@example.com"), lambda *_: None).remains
    assert any("streams and queues of AWS" in line for line in remains)
    assert [line.partition(",")[0] for line in remains if "objects in s3" in line and "older" not in line] == [
        f"2 objects in s3://{bucket}/landing/",
        f"1 objects in s3://{bucket}/aws/lambda/",
    ]
    alone = build.erase(replace(settings, registry=""), Person("user", "anna@example.com"), lambda *_: None).remains
    assert not [line for line in alone if "landing" in line or "queues" in line]


@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_a_compaction_beside_it_brings_nothing_back(
    where: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has read the rows before and would commit them after is refused, and removes what it wrote."""
    bucket = ""
    if where == "bucket":
        server: Bucket = request.getfixturevalue("seaweedfs")
        reached(monkeypatch, server.environment)
        bucket = f"s3://{server.bucket()}/a/lake"
    settings, person = Settings(data=tmp_path / "data", lake=bucket), Person("user", random_id())
    lake, real = build.lake(settings), compaction.pack
    for at in (1, 3, 5):
        lake.write(outcome([event("a", at, user_id=person.id), event("a", at + 1)]))
    kept: list[bytes] = []

    def late(file: IO[bytes]) -> None:
        file.write(kept[0])

    def pack(table: DeltaWriter, job: Job) -> Sequence[AddAction]:
        (made,) = real(table, job)
        kept.append((lake.place / "events" / made.path).read_bytes())
        assert build.erase(settings, person, lambda *_: None).is_clean  # but for what is written a moment later:
        durable.write(lake.place / "events" / made.path, late)
        return [made]

    monkeypatch.setattr(compaction, "pack", pack)
    assert [lake.compact(todo).files_after for todo in lake.plan()] == [0]
    assert scan([settings.data, lake.place], person).found == []
    assert build.lake_reader(settings).sums().in_lake == 3


def test_what_others_are_writing_into_a_bucket_stays(seaweedfs: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that was made since the erasure began may be committed any moment; what is older nobody commits."""
    reached(monkeypatch, seaweedfs.environment)
    lake, person = Lake(objects.lake(seaweedfs.bucket(), "a/lake")), Person("user", random_id())
    rows = outcome([event("a", 1, user_id=person.id)]).events
    writer = DeltaWriter(lake.place / "events", rows.schema, SYSTEM)
    (made,) = writer.add_files(rows)
    assert erase_lake.leftovers(lake, person, set(), lambda _: (), since=3_600)[0].removed == 0
    writer.commit(Change([made]), {})
    assert erase_lake.leftovers(lake, person, set(), lambda _: ())[0].removed == 0
    assert len(writer.log.files) == 1
    writer.add_files(rows)
    assert erase_lake.leftovers(lake, person, set(), lambda _: ())[0].removed == 1
    assert pq.ParquetFile((lake.place / "events" / made.path).open()).metadata.num_rows == 1


def test_what_a_killed_query_left_goes(tmp_path: Path) -> None:
    """Rows that a database has put on the disk, in a form of its own, are removed; those of one that runs stay."""
    settings = Settings(data=tmp_path / "data")
    with folder.occupied(settings.data, folder.ROLES):
        pass
    left, running = (settings.data / "spill" / f"pixelake-sql-{name}" for name in ("left", "running"))
    for each in (left, running):
        each.mkdir(parents=True)
        (each / "lock").touch()
    lock = Flock(running / "lock")
    assert lock.acquire()
    assert build.erase(settings, Person("user", random_id()), lambda *_: None).is_clean
    assert (left.exists(), running.exists()) == (False, True)
    lock.release()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [([], 2, "who?"), (["--user", "a", "--visitor", "b"], 2, "who?"), (["--user", " "], 1, "empty")],
)
def test_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    """Neither or both ids, and an empty one, are refused in one line with a hint."""
    with folder.occupied(tmp_path / "data", folder.ROLES):
        pass
    assert run(["erase", *arguments, "--data", str(tmp_path / "data")]) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_scan_sees_what_is_packed(tmp_path: Path) -> None:
    """The program's own look finds an id in Parquet, also where no row has it any more, gzip, zstd, SQLite and hits."""
    person = Person("user", "Zq7-secret-person")
    maps = pa.array([[("k", ["v"])]] * 2, pa.map_(pa.string(), pa.list_(pa.string())))
    table = pa.table({"a": pa.array(["x", person.id]).dictionary_encode(), "b": maps})
    pq.write_table(table.slice(0, 1), tmp_path / "unused.parquet", compression="zstd", write_statistics=False)
    (tmp_path / "some.gz").write_bytes(gzip.compress(b"x" * 100 + person.id.encode()))
    (tmp_path / "some.zst").write_bytes(zstandard.ZstdCompressor().compress(b"x" * 100 + person.id.encode()))
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1" + person.id.encode())
    (tmp_path / "empty").touch()
    found = scan([tmp_path], person)
    assert {Path(path).name for path in found.found} == {"unused.parquet", "some.gz", "some.zst", "torn.parquet"}
    assert found.files == 6
