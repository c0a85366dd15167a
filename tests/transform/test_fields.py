"""Fields of queries: how they are read, and what is remembered of them."""

import pytest

from pixelake.transform import fields as module
from pixelake.transform.fields import NOTHING, PROPERTY, UNUSUAL, Field, FieldReader, Fields
from pixelake.transform.validate import AT
from tests.judging import rules


@pytest.mark.parametrize(
    ("sent", "place", "value"),
    [
        (b"title=%C3%A4+b", AT["title"], "ä b"),
        (b"TITLE=a", AT["title"], "a"),
        (b"title=", AT["title"], None),
        (b"Plan=gold", PROPERTY, "gold"),
        (b"plan", PROPERTY, ""),
        (b"sent_at=1770757200", AT["sent_at"], 1_770_757_200_000_000),
        (b"", NOTHING, None),
        (b"sent_at=x", UNUSUAL, None),
        (b"password=a", UNUSUAL, None),
        (b"plan=%70assword%3Dx", UNUSUAL, None),
        (b"=a", UNUSUAL, None),
    ],
)
def test_fields(sent: bytes, place: int, value: object) -> None:
    """A column or a property, typed; what takes a longer look is unusual."""
    found = FieldReader(rules())(sent)
    assert (found.place, found.value) == (place, value)


def _learned(monkeypatch: pytest.MonkeyPatch, memory: int, quota: int) -> tuple[Fields, list[bytes]]:
    monkeypatch.setattr(module, "MEMORY", memory)
    monkeypatch.setattr(module, "QUOTA", quota)
    asked: list[bytes] = []

    def read(field: bytes) -> Field:
        asked.append(field)
        return Field(PROPERTY, *field.decode().split("="))

    return Fields(read), asked


def test_new_values_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose quota is full forgets some day what is not seen any more; what is seen all the time stays."""
    fields, asked = _learned(monkeypatch, 20_000, 10)
    for number in range(1_000):
        fields.said([b"page=often", b"id=%d" % number])
    asked.clear()
    for _ in range(3):
        fields.said([b"page=often", b"page=new"])
    assert asked == [b"page=new"]
    for number in range(1_000):
        fields.said([b"id=again", b"id=x%d" % number])
    assert asked.count(b"id=again") < 500


def test_letters_that_are_wide_count_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """One letter beyond ASCII makes a text of a thousand take four thousand bytes: fewer of them are remembered."""
    fields, _ = _learned(monkeypatch, 1 << 20, 10_000)
    for number in range(5_000):
        fields.said([f"n=\U0001f600{number}{'x' * 900}".encode()])
    kept = [value for said in (fields._young, fields._old) for value in said.values()]
    assert 100 < len(kept) < (2 << 20) // 4_000
