"""A table of DynamoDB: items as they were, conditions, pages, and what a busy service does not take."""

from decimal import Decimal
from typing import Any

import pytest

from pixelake.errors import RegistryUnavailable, WarehouseError
from pixelake.stream import aws
from pixelake.warehouse import dynamodb as tables
from pixelake.warehouse.dynamodb import Table
from tests.stream.aws import Faulty, error, unreachable

NEW = "attribute_not_exists(#pk)"


@pytest.fixture
def table(dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A new one."""
    monkeypatch.setattr(aws, "WAITS", (0.001, 0.002, 0.004))
    return Table(dynamodb)


def _item(sk: str, **more: Any) -> dict[str, Any]:
    return {"pk": "p", "sk": sk, **more}


def test_items_come_back_as_they_were(table: Table) -> None:
    """Text of any kind, numbers, bytes, bools, lists and dicts; what is none of it is refused."""
    item = _item(
        "é\U0001f600#:",
        text="",
        number=-3,
        large=10**30,
        amount=Decimal("1.50"),
        data=b"\0\xff",
        yes=True,
        list=[1, "x", [False]],
        dict={"a b": {"c": b"1"}},
    )
    table.put(item)
    found = table.get(("p", item["sk"]))
    assert found == item
    assert found["yes"] is True
    assert type(found["number"]) is int
    assert table.get(("p", "none")) is None
    with pytest.raises(TypeError):
        table.put(_item("x", at=1.5))


def test_conditions(table: Table) -> None:
    """Nothing is written if what is there does not satisfy them; words that DynamoDB reserves are names as others."""
    assert table.put(_item("a", count=1), NEW)
    assert not table.put(_item("a", count=2), NEW)
    assert table.put(_item("a", count=2), "#count = :old", old=1)
    assert table.update(("p", "a"), "ADD #count :one SET #name = :name", one=1, name="x") == _item(
        "a", count=3, name="x"
    )
    assert table.update(("p", "a"), "ADD #count :one", "#count < :most", one=1, most=3) is None
    assert not table.delete(("p", "a"), "#count = :old", old=2)
    assert table.delete(("p", "a"), "#count = :old", old=3)
    assert table.delete(("p", "a"))
    assert table.get(("p", "a")) is None


def test_all_or_none(table: Table) -> None:
    """Writes that are made together: each kind, and none of them if one condition is not satisfied."""
    table.write_many([_item("a", n=1), _item("b", n=1), _item("c", n=1)])
    writes = [
        tables.put(_item("new"), NEW),
        tables.update(("p", "a"), "ADD #n :one", "#n = :one", one=1),
        tables.delete(("p", "b")),
        tables.check(("p", "c"), "#n = :one", one=1),
    ]
    assert table.transact(writes)
    assert [(item["sk"], item.get("n")) for item in table.query("p")] == [("a", 2), ("c", 1), ("new", None)]
    assert not table.transact([tables.delete(("p", "c")), writes[1]])
    assert table.get(("p", "c"))


def test_pages(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a call carries; in order, forth and back, between keys, some attributes, some items."""
    table.write_many(_item(f"{number:03}", n=number, data=b"x" * 20_000) for number in range(130))
    assert [item["n"] for item in table.query("p")] == list(range(130))
    part = table.query("p", "#sk BETWEEN :a AND :b", a="005", b="009", backwards=True, limit=2, attributes=("n",))
    assert list(part) == [{"n": 9}, {"n": 8}]
    assert [item["n"] for item in table.query("p", only="#n > :n", n=99, limit=3)] == [100, 101, 102]
    assert [item["n"] for item in table.query("p", "begins_with(#sk, :start)", start="12")] == list(range(120, 130))
    monkeypatch.setattr(tables, "A_GET", 30)
    keys = [("p", f"{number:03}") for number in range(140)]
    assert sorted(table.get_many([*keys, *keys])) == keys[:130]
    table.write_many([_item("new")], gone=keys)
    assert [item["sk"] for item in table.query("p")] == ["new"]
    assert list(table.query("nobody")) == []


def test_what_was_left_of_a_call_is_sent_again(table: Table) -> None:
    """A busy service takes and gives a part of it; the rest is asked for until it is all there, or nothing moves."""
    real = aws.client("dynamodb")

    def some(operation: str, left: str, kept: Any) -> Any:
        def answer(RequestItems: Any) -> Any:  # noqa: N803 - botocore's name
            ((name, asked),) = RequestItems.items()
            now, later = kept(asked, slice(0, 1)), kept(asked, slice(1, None))
            return {**getattr(real, operation)(RequestItems={name: now}), left: {name: later}}

        return answer

    put = some("batch_write_item", "UnprocessedItems", lambda asked, part: asked[part])
    got = some("batch_get_item", "UnprocessedKeys", lambda asked, part: {**asked, "Keys": asked["Keys"][part]})
    client = Faulty("dynamodb", real, batch_write_item=[put] * 7, batch_get_item=[got] * 7)
    mine = Table(table.name, client=client)
    mine.write_many(_item(str(number)) for number in range(9))
    assert len(mine.get_many(("p", str(number)) for number in range(9))) == 9
    assert (client.count("batch_write_item"), client.count("batch_get_item")) == (8, 8)

    def nothing(RequestItems: Any) -> Any:  # noqa: N803
        return {"UnprocessedItems": {name: items[::-1] for name, items in RequestItems.items()}}

    stuck = Faulty("dynamodb", batch_write_item=[nothing] * 99)
    with pytest.raises(WarehouseError, match="too busy"):
        Table(table.name, client=stuck).write_many([_item("x"), _item("y")])
    assert stuck.count("batch_write_item") == 4


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "TransactionConflictException"]
)
def test_a_busy_service_is_asked_again(table: Table, code: str) -> None:
    """A few times, with waits; then it is told as the error that was asked for."""
    slept: list[float] = []
    client = Faulty("dynamodb", put_item=[error(code)] * 3)
    assert Table(table.name, client=client, sleep=slept.append).put(_item("a"))
    assert len([pause for pause in slept if pause]) == 3
    client = Faulty("dynamodb", put_item=[error(code)] * 4)
    with pytest.raises(RegistryUnavailable, match=code) as raised:
        Table(table.name, failure=RegistryUnavailable, client=client).put(_item("a"))
    assert client.count("put_item") == 4
    assert raised.value.hint


@pytest.mark.parametrize(("fault", "passes"), [(unreachable, True), (error("AccessDeniedException"), False)])
def test_what_passes_by_itself(table: Table, fault: Any, passes: bool) -> None:
    """Nobody waits for who does not answer, or lets us not in; a patient check minds only the latter."""
    client = Faulty("dynamodb", get_item=[fault] * 2)
    with pytest.raises(WarehouseError):
        Table(table.name, client=client).check()
    assert client.count("get_item") == 1
    if passes:
        Table(table.name, client=client).check(patient=True)
    else:
        with pytest.raises(WarehouseError) as raised:
            Table(table.name, client=client).check(patient=True)
        assert "read and write" in raised.value.hint


def test_no_such_table(table: Table) -> None:
    """It is told what to make, also one that has other keys."""
    table.check()
    with pytest.raises(WarehouseError) as raised:
        Table("no-such-table").check(patient=True)
    assert "pk and sk" in raised.value.hint
    aws.client("dynamodb").create_table(
        TableName=f"{table.name}-other",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(WarehouseError) as raised:
        Table(f"{table.name}-other").check(patient=True)
    assert "pk (HASH)" in raised.value.hint


def test_tables_share_a_client(table: Table, dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a process, as long as the environment says the same: each takes a tenth of a second to make."""
    tables._client.cache_clear()
    table.check()
    Table(dynamodb).check()
    assert tables._client.cache_info().misses == 1
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(WarehouseError):
        Table(dynamodb).check()
