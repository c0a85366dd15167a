"""Streams of AWS as the settings name them, and the whole way of a hit through them."""

import sys
import time
from pathlib import Path

import pytest

from pixelake import build
from pixelake.build.places import MESSAGE, carried, stream_place
from pixelake.clock import SYSTEM
from pixelake.errors import SettingsError, StreamError, StreamUnavailable
from pixelake.hit import Hit
from pixelake.hit_json import encode
from pixelake.operate import erasures
from pixelake.operate.erasures import Entry
from pixelake.settings import Settings
from pixelake.stream import remote
from tests.s3 import Server, reached
from tests.stages import accept, consuming
from tests.stream.aws import BEGIN, PATIENCE, new_queue
from tests.stream.test_kinesis import new_stream


@pytest.fixture(params=["sqs", "kinesis", "kinesis-aggregated"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto: Server) -> Settings:
    """An installation with a stream of AWS."""
    reached(monkeypatch, moto.environment)
    address = {
        "sqs": lambda: f"sqs://{new_queue()}",
        "kinesis": lambda: f"kinesis://{new_stream()}",
        "kinesis-aggregated": lambda: f"kinesis://{new_stream()}?aggregate=on",
    }[request.param]()
    return Settings(data=tmp_path, stream=address, lake_window=0.05, live_window=0.05)


def count(settings: Settings) -> int:
    """Events in the lake."""
    with build.lakehouse(settings) as lake:
        return int(lake.sql("select count(*) as n from events")["n"][0].as_py())


def settled(settings: Settings, expected: int) -> None:
    """Run a consumer until there are so many events, and then a little longer."""
    with consuming(settings):
        deadline = time.monotonic() + PATIENCE
        while count(settings) < expected and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)


def test_hits_reach_the_lake(settings: Settings) -> None:
    """A consumer settles what is there, goes on where it was when it is started again, and nothing waits then."""
    accept(settings, *(f"/pixel.gif?site=a&n={n}" for n in range(30)))
    settled(settings, 30)
    assert count(settings) == 30
    accept(settings, "/pixel.gif?site=b", "/pixel.gif?site=b&value=none")
    settled(settings, 31)
    assert count(settings) == 31
    found = build.status(settings)
    assert found.hits_hold
    assert found.outcomes_hold
    assert (found.in_stream, found.settled, found.rejected) == (0, 32, 1)


NONSENSE = {
    "no queue": ("sqs://", "names no queue"),
    "no stream": ("kinesis:///", "names no stream"),
    "FIFO": ("sqs://hits.fifo", "FIFO"),
    "an option": ("kinesis://hits?shards=7", "shards=7"),
    "another service": ("kafka://hits", "no backend"),
}


@pytest.mark.parametrize(("address", "why"), NONSENSE.values(), ids=NONSENSE.keys())
def test_what_names_no_stream_is_refused(tmp_path: Path, address: str, why: str) -> None:
    """With what to write instead, and before anybody is asked."""
    with pytest.raises(SettingsError, match=why) as caught:
        build.writer(Settings(data=tmp_path, stream=address))
    assert caught.value.hint


def test_a_queue_has_one_group_of_readers(tmp_path: Path) -> None:
    """Another one would take hits from the consumer."""
    with pytest.raises(StreamError, match="second group"):
        remote.reader("sqs", "hits", tmp_path, "other")


def test_the_collector_takes_no_body_that_would_not_fit() -> None:
    """The worst of hits, with the largest body and head that are taken, fits into a message; others are as before."""
    bounded = carried(Settings(stream="sqs://hits"))
    head = b"GET / HTTP/1.1\r\nX:" + b"\x00" * (bounded.max_head - 22) + b"\r\n\r\n"
    for byte in (b"\xff", b"a"):
        assert len(encode(Hit(BEGIN, "::1", "::1", head, byte * bounded.max_body))) <= MESSAGE - 1024
    assert 100_000 < bounded.max_body < Settings().max_body
    assert carried(Settings()) == Settings()


@pytest.mark.parametrize("address", ["sqs://hits", "kinesis://hits?aggregate=on"])
def test_the_settings_know_these_addresses(tmp_path: Path, address: str) -> None:
    """A start with such a stream is refused by nothing that reads the settings alone."""
    build.check(Settings(data=tmp_path, stream=address))
    with pytest.raises(SettingsError):
        build.check(Settings(data=tmp_path, stream="sqs://"))


@pytest.mark.parametrize("address", ["hits?visibility=5", "hits?visibility=99999", "hits?wait=3", "hits?", "a.fifo"])
def test_what_an_address_cannot_say(address: str, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused with what it may; one that says nothing behind its mark says nothing."""
    reached(monkeypatch, moto.environment)
    if address == "hits?":
        assert remote.writer("sqs", address)
        return
    with pytest.raises(SettingsError) as caught:
        remote.writer("sqs", address)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["user:secret@127.0.0.1:1/1/hits", "https://secret@sqs.example/1/hits.fifo"])
def test_a_queue_has_no_user(name: str) -> None:
    """A URL with a password would be told again and again: it is refused, and not told."""
    with pytest.raises(SettingsError, match="no user") as caught:
        remote.writer("sqs", name)
    assert "secret" not in str(caught.value) + caught.value.hint


def test_what_is_kept_of_it_lies_in_the_data_folder(tmp_path: Path) -> None:
    """Whatever the address, beside the hits of an embedded stream."""
    assert stream_place(Settings(data=tmp_path, stream="kinesis://hits")) == tmp_path / "stream"
    assert stream_place(Settings(data=tmp_path)) == tmp_path / "stream"


def test_who_was_erased_does_not_come_back(settings: Settings) -> None:
    """The stream may still have a hit of theirs when they are erased: it is withheld; what they send later comes."""
    accept(settings, "/pixel.gif?site=a&user=erased-person-1")
    shared = build.registry(settings)
    key = shared.secret(erasures.SECRET)
    shared.close()
    name = "erased-person-1"
    entry = Entry("e", SYSTEM.now(), "done", "user", erasures.digest(name, key), len(name))
    erasures.append(settings.data / "registry", entry)
    accept(settings, "/pixel.gif?site=a&user=somebody-else", f"/pixel.gif?site=a&user={name}")
    settled(settings, 2)
    sums = build.lake_reader(settings).sums()
    assert (sums.in_lake, sums.withheld, sums.holds) == (2, 1, True)


def test_hits_that_wait_in_the_data_folder_are_not_left_there(settings: Settings, tmp_path: Path) -> None:
    """Whoever goes over to a queue is told, until the embedded stream is settled."""
    embedded = Settings(data=tmp_path, lake_window=0.05, live_window=0.05)
    accept(embedded, "/pixel.gif?site=a", "/pixel.gif?site=b")
    with pytest.raises(SettingsError, match="2 hits wait") as caught:
        build.check_stream(settings)
    assert "consume" in caught.value.hint
    settled(embedded, 2)
    build.check_stream(settings)


def test_a_start_is_refused_where_nothing_is(settings: Settings) -> None:
    """A queue or stream that is not there is told before anything is made; one that is there is not."""
    build.check_stream(settings)
    scheme = settings.stream.partition("://")[0]
    with pytest.raises(StreamUnavailable) as caught:
        build.check_stream(Settings(data=settings.data, stream=f"{scheme}://nowhere"))
    assert caught.value.hint


@pytest.mark.parametrize("address", ["sqs://hits", "kinesis://hits"])
def test_who_does_not_answer_holds_up_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto: Server, address: str
) -> None:
    """It may do so later, and till then the pixel answers 503; but without a region nothing will ever be."""
    settings = Settings(data=tmp_path, stream=address)
    reached(monkeypatch, {**moto.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    build.check_stream(settings)
    reached(monkeypatch, {"AWS_CONFIG_FILE": str(tmp_path / "none")})
    with pytest.raises(StreamUnavailable, match="region"):
        build.check_stream(settings)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error says what to install."""
    monkeypatch.delitem(sys.modules, "pixelake.stream.remote", raising=False)
    monkeypatch.delattr("pixelake.stream.remote", raising=False)
    monkeypatch.setitem(sys.modules, "pixelake.stream.sqs", None)
    with pytest.raises(SettingsError, match="missing") as caught:
        build.check_stream(Settings(data=tmp_path, stream="sqs://hits"))
    assert "pixelake[aws]" in caught.value.hint
