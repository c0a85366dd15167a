"""The catalogue of a lake, by its settings."""

import pytest

from pixelake.build.catalogue import registered
from pixelake.errors import SettingsError
from pixelake.settings import Settings
from pixelake.stream import aws
from tests.s3 import Server, reached


def test_the_tables_of_the_settings(monkeypatch: pytest.MonkeyPatch, moto: Server) -> None:
    """Where the lake is, and what Firehose delivers; again is no error."""
    reached(monkeypatch, moto.environment)
    settings = Settings(lake="s3://bucket/lake/")
    for _ in range(2):
        names = registered(settings, "by_settings", "s3://bucket/landing/")
        assert names == ["events", "rejects", "landing", "arrived"]
    tables = aws.client("glue").get_tables(DatabaseName="by_settings")["TableList"]
    places = {each["Name"]: each["StorageDescriptor"].get("Location") for each in tables}
    assert places == {
        "events": "s3://bucket/lake/events",
        "rejects": "s3://bucket/lake/rejects",
        "landing": "s3://bucket/landing",
        "arrived": "",
    }


@pytest.mark.parametrize(("lake", "landing"), [("", ""), ("file:///x", ""), ("s3://bucket/lake", "/tmp/x")])
def test_a_lake_on_a_disk(lake: str, landing: str) -> None:
    """It is refused, with what to write."""
    with pytest.raises(SettingsError, match="names no bucket") as caught:
        registered(Settings(lake=lake), "db", landing)
    assert "s3://" in caught.value.hint
