"""Tests of `pixelake.warehouse.rollup.counting`: how the events of a day come into their file."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pixelake.warehouse.lake import Lake
from pixelake.warehouse.rollup import counting, manifest
from tests.warehouse.outcomes import event, outcome
from tests.warehouse.rollup.test_build import FIRST, builder

SITES = ("a", "a", "a", "a", "b", "c", "c", "d")


def kept(lake: Path, share: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int, int]]:
    """Of each site the events that are kept, its people, and those whose number stands for nobody else."""
    monkeypatch.setattr(counting, "SHARE", share)
    assert builder(lake).run(anew=True).days
    file = next((lake / manifest.FOLDER).glob("day-2026-01-30.trail-*"))
    own = "count(distinct person), count(distinct path)"
    return duckdb.sql(f"select site, count(*), {own} from '{file}' group by site order by site").fetchall()


def test_a_file_is_the_same_in_however_many_parts_it_is_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One site at a time, or some of a site's people, or all: each event is there once, each person has one number."""
    hits = [
        event(
            "a",
            at + 1,
            site=site,
            user_id=None,
            received_at=FIRST + timedelta(hours=12, seconds=at),
            visitor_id=f"p{at % 3}" if at else None,
            path=f"/{at}",
        )
        for at, site in enumerate(SITES)
    ]
    Lake(tmp_path / "lake").write(outcome(hits))
    found = [kept(tmp_path / "lake", share, monkeypatch) for share in (1, 2, 5, 1_000)]
    assert found[0] == [("a", 4, 3, 4), ("b", 1, 1, 1), ("c", 2, 2, 2), ("d", 1, 1, 1)]
    assert all(each == found[0] for each in found)
