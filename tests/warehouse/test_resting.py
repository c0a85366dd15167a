"""Tests of `pixelake.warehouse.resting`."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from pixelake.errors import LakeUnavailable
from pixelake.testing import Journal
from pixelake.warehouse.resting import Resting


class Lake:
    """Answers when it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.may.set()

    def ask(self, text: str, parameters: Mapping[str, Any]) -> pa.Table:
        """The text, as a table."""
        assert self.may.wait(10)
        return pa.table({"text": [text]})

    def close(self) -> None:
        """Nothing to let go."""


def _until(journal: Journal, last: str) -> None:
    deadline = time.monotonic() + 10
    while journal.entries[-1:] != [last] and time.monotonic() < deadline:
        time.sleep(0.01)


def test_it_is_open_while_it_is_asked() -> None:
    """The first question opens it, the next finds it open, silence closes it, and the next one opens it again."""
    journal = Journal()
    house = journal.watch("house", type("House", (), {"open": staticmethod(lambda: journal.watch("lake", Lake()))}))
    lake = Resting(house.open, rest=0.3)
    assert journal.entries == []
    lake.ask("one", {})
    assert lake.ask("two", {})["text"].to_pylist() == ["two"]
    _until(journal, "lake.close")
    lake.ask("three", {})
    assert journal.entries == ["house.open", "lake.ask", "lake.ask", "lake.close", "house.open", "lake.ask"]


def test_a_long_question_is_not_cut_off() -> None:
    """It is not closed under a question that takes longer than the rest, whatever short ones end meanwhile."""
    journal, slow = Journal(), Lake()
    lake = Resting(lambda: journal.watch("lake", slow), rest=0.05)
    slow.may.clear()
    asking = threading.Thread(target=lake.ask, args=("slow", {}))
    asking.start()
    time.sleep(0.3)
    assert journal.entries == []
    slow.may.set()
    asking.join()
    _until(journal, "lake.close")
    assert journal.entries == ["lake.ask", "lake.close"]


def test_a_lake_that_cannot_be_opened() -> None:
    """The question fails, and the next one tries again."""
    lakes = iter([LakeUnavailable("away"), Lake()])

    def opened() -> Lake:
        found = next(lakes)
        if isinstance(found, Exception):
            raise found
        return found

    lake = Resting(opened)
    with pytest.raises(LakeUnavailable):
        lake.ask("one", {})
    assert lake.ask("two", {}).num_rows == 1
