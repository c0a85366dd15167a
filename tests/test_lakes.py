"""The whole way with a lake in a bucket: hit to SQL, the lake (a disk, too) away for a while, refused starts."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from pixelake import build
from pixelake.cli import run
from pixelake.errors import LakeUnavailable, LakeUnreachable
from pixelake.settings import Settings
from tests import s3
from tests.crash.campaign import Server, settle


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Server]:
    """A server that is not started yet, ended in any case."""
    server = Server(tmp_path / "data", tmp_path / "log")
    yield server
    server.kill_all()


def until(true: object, seconds: float = 40.0) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


def get(port: int, path: str) -> tuple[int, bytes]:
    """The answer on a port of the loopback; status 0 while nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except (URLError, ConnectionError):
        return 0, b""


def view(server: Server, number: int) -> int:
    """Send a page view; the status it was answered with."""
    return get(server.port, f"/pixel.gif?site=s3.example&event_id=e{number}")[0]


def ids(server: Server) -> list[str]:
    """The ids of the events that SQL shows."""
    rows = json.loads(server.ask("sql", "select event_id from events order by 1", "--format", "json"))
    return [row["event_id"] for row in rows]


def holds(status: dict[str, float]) -> bool:
    """Whether both sums do."""
    outcomes = status["in_lake"] + status["rejected"] + status["withheld"] + status["removed"]
    return status["accepted"] == status["in_stream"] + status["settled"] and status["outcomes"] == outcomes


@pytest.mark.parametrize("s3", ["seaweedfs"], indirect=True)
def test_from_hit_to_lake(s3: s3.Server, serve: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events and rejects are in the bucket, nothing of it is on the disk; SQL, status and compaction see them."""
    bucket = s3.bucket()
    monkeypatch.setenv("PIXELAKE_LAKE", f"s3://{bucket}/any/where")
    serve.start()
    until(lambda: view(serve, 0) == 200)
    settle(serve)
    for number in range(1, 6):
        assert view(serve, number) == 200
    assert get(serve.port, "/pixel.gif?site=s3.example&value=much")[0] == 200
    settle(serve)
    assert ids(serve) == [f"e{number}" for number in range(6)]
    status = serve.status()
    assert holds(status)
    assert (status["in_lake"], status["rejected"], status["damaged"]) == (6, 1, [])
    keys = [each["Key"] for each in s3.client().list_objects_v2(Bucket=bucket)["Contents"]]
    assert all(key.startswith(("any/where/events/", "any/where/rejects/")) for key in keys)
    assert not (serve.data / "lake").exists()
    found = json.loads(serve.ask("maintain", "compact", "--json"))
    assert found["files_before"] > found["files_after"] > 0
    assert ids(serve) == [f"e{number}" for number in range(6)]
    assert view(serve, 6) == 200  # the consumer goes on behind the compaction
    settle(serve)
    assert len(ids(serve)) == 7
    assert holds(serve.status())
    assert serve.stop() == 0


def test_the_lake_is_away_for_a_while(serve: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pixel answers on, status and health say so, a consumer that starts anew waits too; then all is there once."""
    with ExitStack() as stack:
        store = stack.enter_context(s3.served("seaweedfs", tmp_path / "store"))
        s3.reached(monkeypatch, store.environment)
        monkeypatch.setenv("PIXELAKE_LAKE", f"s3://{store.bucket()}/lake")
        serve.start()
        until(lambda: view(serve, 0) == 200)
        settle(serve)
        assert get(serve._web, "/health") == (200, b"ok\n")
        store.stop()
        assert [view(serve, number) for number in range(1, 10)] == [200] * 9
        until(lambda: b"cannot go on" in get(serve._web, "/health")[1])
        with pytest.raises(RuntimeError, match=r"pixelake: cannot read s3://.* \(look at the bucket"):
            serve.status()
        before = serve.children("consume")
        assert serve.kill("consume")
        until(lambda: serve.children("consume") not in ([], before))
        (consumer,) = serve.children("consume")
        assert [view(serve, number) for number in range(10, 20)] == [200] * 10
        until(lambda: "cannot open the lake, trying again" in (tmp_path / "log").read_text())
        assert b"cannot go on" in get(serve._web, "/health")[1]
        store.start()
        settle(serve)
        assert serve.children("consume") == [consumer]  # it waited; it did not end and start again
        assert ids(serve) == sorted(f"e{number}" for number in range(20))
        assert holds(serve.status())
        until(lambda: get(serve._web, "/health") == (200, b"ok\n"))
        assert serve.stop() == 0
        assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_disk_is_away_for_a_while(serve: Server, tmp_path: Path) -> None:
    """No new lake is begun in the place of one that is not mounted; once it is back, all is there once."""
    lake = serve.data / "lake"
    serve.start()
    until(lambda: view(serve, 0) == 200)
    settle(serve)
    lake.rename(tmp_path / "unmounted")
    lake.mkdir()  # what a mount point is
    assert serve.kill("consume")
    assert [view(serve, number) for number in range(1, 4)] == [200] * 3
    until(lambda: "is gone" in (tmp_path / "log").read_text())
    until(lambda: b"cannot go on" in get(serve._web, "/health")[1])
    with pytest.raises(RuntimeError, match=r"the lake \S+ is gone; [34] hits wait, the oldest for \d+ s \(mount it"):
        serve.ask("status")  # and no zeros in the place of what is not known
    assert not list(lake.iterdir())
    lake.rmdir()
    (tmp_path / "unmounted").rename(lake)
    settle(serve)
    assert ids(serve) == [f"e{number}" for number in range(4)], serve.ask("sql", "select reason, detail from rejects")
    assert holds(serve.status())
    assert serve.stop() == 0


def test_a_new_lake_on_purpose(tmp_path: Path) -> None:
    """Where none was before it is made; where one was, only who makes the folder of the log gets another."""
    chosen = Settings(data=tmp_path)
    build.check_not_gone(chosen)
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "badges.sqlite").touch()
    with pytest.raises(LakeUnavailable, match="is gone") as caught:
        build.check_not_gone(chosen)
    Path(caught.value.hint.rpartition("mkdir -p ")[2]).mkdir(parents=True)
    build.check_not_gone(chosen)
    assert build.lake(chosen).positions() == {}


def test_a_start_while_it_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a lake was open before, one that does not answer holds up nobody but the consumer; a refusal does."""
    here = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    s3.reached(monkeypatch, here)
    chosen = Settings(data=tmp_path / "data", lake="s3://bucket/lake")
    with pytest.raises(LakeUnreachable):
        build.check_lake(chosen)
    (tmp_path / "data" / "live").mkdir(parents=True)
    (tmp_path / "data" / "live" / "badges.sqlite").touch()
    build.check_lake(chosen)

    def refuse(_: object) -> None:
        raise LakeUnavailable("AccessDenied", "look")

    monkeypatch.setattr("pixelake.warehouse.objects.ObjectPath.check", refuse)
    with pytest.raises(LakeUnavailable):
        build.check_lake(chosen)


def refused(capfd: pytest.CaptureFixture[str], folder: Path, lake: str, status: int = 1) -> str:
    """What a start says that is refused: in one line with a hint, before anything is made."""
    for command in ("serve", "consume"):
        listen = ["--collect", "127.0.0.1:0", "--web", "127.0.0.1:0"]
        assert run([command, "--data", str(folder / "data"), "--lake", lake, *listen]) == status
        said = capfd.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert said.err.rstrip().endswith(")")
        assert not list(folder.iterdir())
    return said.err


def test_credentials_that_fail(
    seaweedfs: s3.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An unknown key, and a wrong secret of a known one, which is not told."""
    bucket = seaweedfs.bucket()
    s3.reached(monkeypatch, seaweedfs.environment | {"AWS_ACCESS_KEY_ID": "nobody"})
    assert "InvalidAccessKeyId" in refused(capfd, tmp_path, f"s3://{bucket}/lake")
    s3.reached(monkeypatch, seaweedfs.environment | {"AWS_SECRET_ACCESS_KEY": "not-the-secret"})
    said = refused(capfd, tmp_path, f"s3://{bucket}/lake")
    assert "SignatureDoesNotMatch" in said
    assert "AWS_SECRET_ACCESS_KEY" in said
    assert "not-the-secret" not in said


def test_no_such_bucket(s3: s3.Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is not made: whoever owns buckets does that."""
    assert "NoSuchBucket" in refused(capfd, tmp_path, "s3://no-such-bucket/lake")
    assert not any(each["Name"] == "no-such-bucket" for each in s3.client().list_buckets()["Buckets"])


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """At the first start that may be a misspelt address."""
    here = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    s3.reached(monkeypatch, here)
    said = refused(capfd, tmp_path, "s3://bucket/lake")
    assert "cannot open the lake s3://bucket/lake" in said
    assert "AWS_ENDPOINT_URL" in said


def test_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The hint is how to install it."""
    monkeypatch.delitem(sys.modules, "pixelake.warehouse.objects", raising=False)
    monkeypatch.delattr("pixelake.warehouse.objects", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    assert "pip install 'pixelake[s3]'" in refused(capfd, tmp_path, "s3://bucket/lake")


@pytest.mark.parametrize(
    "lake", ["s3://", "s3://bucket", "s3://bucket/", "s3://B/lake", "s3://key:secret@bucket/lake", "s3://bucket/a?b=c"]
)
def test_no_place(tmp_path: Path, capfd: pytest.CaptureFixture[str], lake: str) -> None:
    """What names no folder of a bucket is refused, and not repeated: it may hold a secret."""
    assert "secret@" not in refused(capfd, tmp_path, lake)
