"""Installations whose registry, and owners of event ids, are in a table of DynamoDB that machines share."""

import sys
from contextlib import closing
from pathlib import Path

import pytest

from pixelake import build
from pixelake.build.places import erasures_place
from pixelake.build.stores import clocks
from pixelake.cli import run
from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import RegistryUnavailable, SettingsError
from pixelake.operate import erasures, folder
from pixelake.operate.erasures import Entry
from pixelake.operate.person import Person
from pixelake.settings import Settings
from tests.s3 import Server, reached
from tests.stages import accept, consuming, settle

NAME = "Zq7-secret-person"


def _machine(tmp_path: Path, name: str, table: str, lake: str = "") -> Settings:
    """One that has nothing in common with others but the table, and perhaps the lake."""
    return Settings(data=tmp_path / name, registry=f"dynamodb://{table}", lake=lake, lake_window=0.05, live_window=0.05)


@pytest.fixture
def bucket(moto: Server) -> str:
    """A new one, beside the table."""
    return f"s3://{moto.bucket()}/lake"


def test_machines_share_what_they_know(tmp_path: Path, dynamodb: str) -> None:
    """Two that share a table and no disk: one visitor has one name, and a repeat at the other one is a repeat."""
    one, other = (_machine(tmp_path, name, dynamodb) for name in ("one", "other"))
    accept(one, "/pixel.gif?site=a&event_id=1", "/pixel.gif?site=a&event_id=2")
    settle(one, patience=30.0)
    accept(other, "/pixel.gif?site=b", "/pixel.gif?site=a&event_id=2", "/pixel.gif?site=a&event_id=3")
    settle(other, patience=30.0)
    visitors = set()
    for settings, repeats in ((one, [("1", False), ("2", False)]), (other, [("2", True), ("3", False)])):
        with build.lakehouse(settings) as lake:
            rows = lake.sql(
                "select event_id, duplicate, visitor_id from events where site = 'a' order by 1"
            ).to_pylist()
        assert [(row["event_id"], row["duplicate"]) for row in rows] == repeats
        visitors |= {row["visitor_id"] for row in rows}
        assert not (settings.data / "registry").exists()
        assert not (settings.data / "seen").exists()
    assert len(visitors) == 1
    with closing(build.registry(one)) as registry:
        assert sorted(registry.snapshot().sites) == ["a", "b"]


def test_badges_and_clocks_are_those_of_the_table(tmp_path: Path, dynamodb: str) -> None:
    """What one machine counts another shows; also one whose data folder is empty has the zones of all sites."""
    one, function = _machine(tmp_path, "one", dynamodb), _machine(tmp_path, "none", dynamodb)
    with closing(build.registry(function)) as registry:
        registry.set_badge("a", has=True)
        registry.set_zone("a", "Asia/Tokyo")
    accept(one, *["/badge.svg?site=a"] * 3)
    settle(one, patience=30.0)
    build.publish_badges(one)()
    with closing(build.registry(function)) as registry:
        assert registry.snapshot().badges == {"a": 3}
    told = clocks(function)()
    assert told.sites["a"] == ((0, "Asia/Tokyo"),)
    assert not function.data.exists()


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_the_log_of_erasures_lies_in_the_lake(
    tmp_path: Path, dynamodb: str, bucket: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was erased is so for every machine that has the lake; what they send later comes."""
    lake = bucket if where == "bucket" else f"file://{tmp_path / 'lake'}"
    settings = _machine(tmp_path, "one", dynamodb, lake)
    place = erasures_place(settings)
    assert str(place).endswith("lake/_erasures")
    assert build.unfinished_erasures(settings) == []
    with closing(build.registry(settings)) as shared:
        key = shared.secret(erasures.SECRET)
    entry = Entry("e", SYSTEM.now() + 60 * SECOND, "begun", "user", erasures.digest(NAME, key), len(NAME))
    erasures.append(place, entry)
    assert build.unfinished_erasures(_machine(tmp_path, "other", dynamodb, lake)) != []
    assert "erasure_unfinished" in {each.code for each in build.status(settings).notices}
    erasures.append(place, erasures.done(entry))
    assert erasures.read(place) == [erasures.done(entry)]
    assert [each.code for each in build.status(settings).notices] == []


def test_a_person_is_erased(tmp_path: Path, dynamodb: str) -> None:
    """From the lake, and from the registry in the table; it is noted in the log in the lake, and proven."""
    settings = _machine(tmp_path, "one", dynamodb)
    with folder.occupied(settings.data, ["consume"]):
        accept(settings, f"/pixel.gif?site=a&user={NAME}", f"/pixel.gif?site={NAME}.example")
        settle(settings, patience=30.0)
    with closing(build.registry(settings)) as shared:
        assert len(shared.snapshot().sites) == 2
    with consuming(settings):
        proof = build.erase(settings, Person("user", NAME), lambda *_: None)
    assert {step.place: step.removed for step in proof.steps}["registry"] == 1
    assert proof.found == []
    with closing(build.registry(settings)) as shared:
        assert list(shared.snapshot().sites) == ["a"]
    (entry,) = erasures.read(settings.data / "lake" / "_erasures")
    assert (entry.state, entry.id) == ("done", proof.id)
    with build.lakehouse(settings) as lake:
        assert lake.sql("select count(*) as n from events").to_pylist() == [{"n": 0}]


def test_what_works_on_a_file_says_so(tmp_path: Path, dynamodb: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A backup and a restore are refused in a line with a hint, before anything is made."""
    settings = _machine(tmp_path, "one", dynamodb)
    for call in (
        lambda: build.backup(settings, str(tmp_path / "backups"), lambda *_: None),
        lambda: build.restore(settings, str(tmp_path / "backups"), lambda *_: None),
    ):
        with pytest.raises(SettingsError, match=f"the table {dynamodb}") as raised:
            call()
        assert raised.value.hint
    with folder.occupied(settings.data, ["consume"]):
        pass
    assert run(["backup", str(tmp_path / "backups"), "--data", str(settings.data), "--registry", settings.registry])
    assert f"the table {dynamodb}" in capfd.readouterr().err
    assert not (tmp_path / "backups").exists()


@pytest.mark.parametrize(
    "url", ["dynamodb://", "dynamodb://ab", "dynamodb://a/b/c", "dynamodb://user:pass@table", "x://t"]
)
def test_no_table_is_called_so(tmp_path: Path, url: str) -> None:
    """It is refused with a hint, and a password is not told."""
    with pytest.raises(SettingsError) as raised:
        build.check(Settings(data=tmp_path, registry=url))
    assert raised.value.hint
    assert "pass" not in str(raised.value)


def test_a_start_is_refused_where_no_table_is(
    tmp_path: Path, dynamodb: str, monkeypatch: pytest.MonkeyPatch, moto: Server
) -> None:
    """One that is not there is told before anything is made; who does not answer may do so later."""
    build.check_registry(_machine(tmp_path, "one", dynamodb))
    with pytest.raises(RegistryUnavailable, match="ResourceNotFound") as raised:
        build.check_registry(_machine(tmp_path, "one", "no-such-table"))
    assert raised.value.hint
    reached(monkeypatch, {**moto.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    build.check_registry(_machine(tmp_path, "one", "no-such-table"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error says what to install."""
    monkeypatch.delitem(sys.modules, "pixelake.warehouse.dynamodb", raising=False)
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    for make in (build.registry, build.seen, build.check_registry):
        with pytest.raises(SettingsError, match="botocore") as raised:
            make(_machine(tmp_path, "one", "table"))
        assert "pixelake[aws]" in raised.value.hint
