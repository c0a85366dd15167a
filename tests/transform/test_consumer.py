"""The consumer with the real parts of one machine: the embedded stream, the lake, the live store."""

import asyncio
import gzip
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from pixelake import telemetry
from pixelake.clock import SYSTEM
from pixelake.hit import Hit
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.reject import REASONS
from pixelake.stream import groups
from pixelake.stream.base import GROUP, Batch
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.transform.consumer import Consumer
from pixelake.transform.feed import Late, Plan
from pixelake.transform.judge import Judge
from pixelake.warehouse.files import Files
from pixelake.warehouse.files_place import Folder
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.seen_sqlite import SqliteSeen
from pixelake.warehouse.sums import LakeReader
from tests.judging import hit, rules
from tests.sinks import eventually


def append(folder: Path, hits: list[Hit]) -> None:
    """Put hits into a new partition of the stream."""

    async def run() -> None:
        writer = SqliteWriter(folder / "stream", segment_bytes=20_000)
        for start in range(0, len(hits), 50):
            await writer.append(hits[start : start + 50])
        await writer.close()

    asyncio.run(run())


def settle(
    folder: Path,
    rows: int,
    *,
    batch_size: int = 70,
    more: Sequence[Plan] = (),
    arrive: Callable[[], None] = lambda: None,
    meanwhile: Callable[[], None] = lambda: None,
    reader: type[SqliteReader] = SqliteReader,
) -> None:
    """Run a consumer, and `arrive`, until so many rows are in the lake, and then until `meanwhile` is over."""
    registry = SqliteRegistry(folder / "registry" / "registry.sqlite")
    with (
        closing(registry),
        closing(SqliteSeen(folder / "seen.sqlite", 86_400.0, 86_400.0)) as seen,
        closing(LiveStore(folder / "live.sqlite", 1e9)) as live,
    ):
        plans = [
            Plan(name="live", sink=live, window=0.02, rows=1_000),
            Plan(name="lake", sink=Lake(folder / "lake"), window=0.1, rows=1_000),
        ]
        judge = Judge(rules(), registry, seen)
        consumer = Consumer(
            readers=lambda group: reader(folder / "stream", group),
            judge=judge,
            plans=[*plans, *more],
            batch_size=batch_size,
        )
        stop = threading.Event()
        thread = threading.Thread(target=consumer.run, args=(stop,))
        thread.start()
        try:
            arrive()
            eventually(lambda: LakeReader(folder / "lake").sums().in_lake >= rows, 60)
            meanwhile()
        finally:
            stop.set()
            thread.join(30)
        assert not thread.is_alive()


def ids(folder: Path) -> list[str]:
    """The event ids in the lake, in order; no hit is there twice, and none is a duplicate."""
    house = Lakehouse(folder / "lake", 20.0, "512MB")
    table = house.sql("select event_id, hit_id, duplicate from events order by event_id")
    assert len(set(table["hit_id"].to_pylist())) == table.num_rows
    assert not any(table["duplicate"].to_pylist())
    return list(table["event_id"].to_pylist())


def test_from_the_stream_to_sql(tmp_path: Path) -> None:
    """What was put into the stream can be asked for in SQL, once; after a wiped stream new hits follow the old."""
    sent = [hit(f"/?site=s&event_id={n:04}&user=aws_user") for n in range(600)]
    append(tmp_path, sent[:200])
    append(tmp_path, sent[200:400])
    settle(tmp_path, 400)
    assert ids(tmp_path) == [f"{n:04}" for n in range(400)]
    assert len(LiveReader(tmp_path / "live.sqlite").newest(1_000)) == 400
    shutil.rmtree(tmp_path / "stream")
    append(tmp_path, sent[400:])
    settle(tmp_path, 600)
    assert ids(tmp_path) == [f"{n:04}" for n in range(600)]


def test_outcomes_and_writes_are_counted(tmp_path: Path) -> None:
    """Each event and each reject once, by its reason; each write of each sink."""
    before = counted()
    append(tmp_path, [hit("/?site=s"), hit("/?site=s&value=x"), hit("/?site=s&currency=1"), hit("/?value=y")])
    settle(tmp_path, 1)
    after = counted()
    assert {
        name: after[name] - before[name] for name in after if after[name] > before[name] and "sink" not in name
    } == {
        "events": 1,
        "bad_number": 2,
        "bad_currency": 1,
    }
    for name in ("sink live", "sink lake"):
        assert after[name] > before[name]


def counted() -> dict[str, float]:
    """What the metrics say now."""
    rejects = telemetry.counter("pixelake_rejects_total")
    seconds = telemetry.histogram("pixelake_sink_seconds")
    return {
        "events": telemetry.counter("pixelake_events_total")._value.get(),
        "withheld": telemetry.counter("pixelake_withheld_total")._value.get(),
        **{reason: rejects.labels(reason=reason)._value.get() for reason in REASONS},
        **{f"sink {sink}": seconds.labels(sink=sink)._sum.get() for sink in ("live", "lake")},
    }


def test_a_stream_that_is_set_back(tmp_path: Path) -> None:
    """A copy of the stream from before is judged again in other batches and adds nothing; a new lake gets all of it."""
    append(tmp_path, [hit(f"/?site=s&event_id={n:04}") for n in range(300)])
    shutil.copytree(tmp_path / "stream", tmp_path / "copy")
    settle(tmp_path, 300)
    shutil.rmtree(tmp_path / "stream")
    shutil.move(tmp_path / "copy", tmp_path / "stream")
    append(tmp_path, [hit(f"/?site=s&event_id={n:04}") for n in range(300, 350)])
    settle(tmp_path, 350, batch_size=1_000)
    assert ids(tmp_path) == [f"{n:04}" for n in range(350)]
    shutil.rmtree(tmp_path / "lake")
    settle(tmp_path, 350)
    assert ids(tmp_path) == [f"{n:04}" for n in range(350)]


def test_a_sink_that_cannot_be_opened_holds_up_nobody(tmp_path: Path) -> None:
    """The others go on, nothing of the stream is committed, and it catches up once it can."""
    append(tmp_path, [hit(f"/?site=s&event_id={n:04}") for n in range(300)])
    (tmp_path / "files").write_text("in the way")
    files = Late(lambda: Files(Folder(tmp_path / "files"), "json.gz"))

    def out_of_the_way() -> None:
        assert not any(groups.look(tmp_path / "stream", GROUP).values())
        (tmp_path / "files").unlink()
        eventually(lambda: sum(files.positions().values()) >= 300, 60)

    settle(tmp_path, 300, more=[Plan(name="files", sink=files, window=0.05, rows=1_000)], meanwhile=out_of_the_way)
    lines = [gzip.decompress(path.read_bytes()).splitlines() for path in tmp_path.rglob("files/events/**/*.json.gz")]
    assert sum(map(len, lines)) == 300


def test_hits_that_trickle_in_come_together(tmp_path: Path) -> None:
    """A batch costs much and a hit little: of hits that come one by one, many are judged at once."""
    batches: list[int] = []

    class Watched(SqliteReader):
        def read(self, limit: int, wait: float) -> Batch | None:
            batch = super().read(limit, wait)
            batches.extend([len(batch.hits)] if batch else [])
            return batch

    async def trickle() -> None:
        writer = SqliteWriter(tmp_path / "stream")
        for number in range(200):
            await writer.append([hit(f"/?site=s&event_id={number:04}", at=SYSTEM.now())])
            await asyncio.sleep(0.005)
        await writer.close()

    settle(tmp_path, 200, reader=Watched, arrive=lambda: asyncio.run(trickle()))
    assert ids(tmp_path) == [f"{number:04}" for number in range(200)]
    assert sum(batches) == 200
    assert len(batches) <= 40
