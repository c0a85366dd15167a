"""The user's own enrichers: what is refused at start, and that their failures stay theirs."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pixelake.errors import SettingsError
from pixelake.event import Field
from pixelake.transform.decode import decode
from pixelake.transform.enrich.own import LONGEST, Own, enrich_own, enricher, load_own, own_fields
from pixelake.transform.process import process
from pixelake.warehouse.schema import ARROW_TYPES, arrow_schema, events_schema
from tests.judging import batch, hit, rules, salted

MODULE = """
from pixelake.event import Field
from pixelake.transform.enrich.own import enricher

PLANS = {"u1": "gold"}


@enricher(inputs=("user_id", "properties.plan"), outputs=(Field("plan", "text", "", "what the user pays for"),))
def plan(user_id, plan):
    return plan or PLANS[user_id]


@enricher(inputs=("plan",), outputs=(Field("pays", "bool", "", "pays at all"), Field("cents", "int64", "ct", "price")))
def price(plan):
    return plan is not None, {"gold": 900}.get(plan)


def undeclared(user_id):
    return None
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which modules are found; `MODULE` is there as `crm`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    (tmp_path / "crm.py").write_text(MODULE)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.usefixtures("module")
def test_by_import_path() -> None:
    """In the order of the setting; a later one may take what an earlier one gives."""
    plan, price = load_own(["crm:plan", "crm:price"])
    assert own_fields([plan, price]) == (*plan.outputs, *price.outputs)
    columns: dict[str, Any] = {
        "user_id": ["u1", None, "u1"],
        "properties": [{}, {"plan": ["silver", "gold"]}, {"plan": []}],
    }
    for own in (plan, price):
        added, failed = enrich_own(columns, 3, own)
        assert failed == {}
        columns |= added
    assert columns["plan"] == ("gold", "silver", "gold")
    assert columns["pays"] == (True, True, True)
    assert columns["cents"] == (900, None, 900)


REFUSED = {
    "no colon": ("crm.plan", "", "module:name"),
    "no module": ("no_such_module:plan", "", "cannot be imported: ModuleNotFoundError"),
    "no such name": ("crm:plam", "", "cannot be imported: AttributeError"),
    "a module that fails": ("bad:f", "1/0", "ZeroDivisionError"),
    "a module that ends the program": ("bad:f", "import sys; sys.exit(3)", "SystemExit"),
    "a module that panics": ("bad:f", "class Panic(BaseException): pass\nraise Panic", "Panic"),
    "no Python": ("bad:f", "def", "SyntaxError"),
    "not declared": ("crm:undeclared", "", "not declared"),
    "an unknown input": ("bad:f", "@enricher(inputs=('user',), outputs=(GOOD,))\ndef f(a): 0", "no input 'user'"),
    "an address": ("bad:f", "@enricher(inputs=('client',), outputs=(GOOD,))\ndef f(a): 0", "no input 'client'"),
    "no property": ("bad:f", "@enricher(inputs=('properties.',), outputs=(GOOD,))\ndef f(a): 0", "no input"),
    "all properties": ("bad:f", "@enricher(inputs=('properties',), outputs=(GOOD,))\ndef f(a): 0", "no input"),
    "no output": ("bad:f", "@enricher(inputs=(), outputs=())\ndef f(): 0", "0 outputs"),
    "a column there is": ("bad:f", "@enricher(inputs=(), outputs=(GOOD._replace(name='city'),))\ndef f(): 0", "city"),
    "a name for no column": ("bad:f", "@enricher(inputs=(), outputs=(GOOD._replace(name='A b'),))\ndef f(): 0", "A b"),
    "no type": ("bad:f", "@enricher(inputs=(), outputs=(GOOD._replace(type='float'),))\ndef f(): 0", "no type"),
    "the same twice": ("bad:f", "@enricher(inputs=(), outputs=(GOOD, GOOD))\ndef f(): 0", "good already"),
    "no Field": ("bad:f", "@enricher(inputs=(), outputs=('good',))\ndef f(): 0", "no Field"),
    "other inputs": ("bad:f", "@enricher(inputs=('site',), outputs=(GOOD,))\ndef f(): 0", "1 inputs"),
    "a coroutine": ("bad:f", "@enricher(inputs=(), outputs=(GOOD,))\nasync def f(): 0", "plain function"),
    "a generator": ("bad:f", "@enricher(inputs=(), outputs=(GOOD,))\ndef f(): yield 0", "plain function"),
}
HEAD = (
    "from pixelake.event import Field\nfrom pixelake.transform.enrich.own import enricher\n"
    "GOOD = Field('good', 'text', '', 'x')\n"
)


@pytest.mark.parametrize(("path", "text", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_at_start(module: Path, path: str, text: str, told: str) -> None:
    """What cannot be imported, or cannot be as it is declared, is one line that names it, with a hint."""
    (module / "bad.py").write_text(HEAD + text)
    with pytest.raises(SettingsError) as raised:
        load_own([path])
    assert told in str(raised.value)
    assert path in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.hint


@pytest.mark.usefixtures("module")
def test_two_of_one_column() -> None:
    """Two enrichers cannot fill the same column; an input must be filled before it is taken."""
    with pytest.raises(SettingsError, match="column plan already"):
        load_own(["crm:plan", "crm:plan"])
    with pytest.raises(SettingsError, match="no input 'plan'"):
        load_own(["crm:price", "crm:plan"])


def _own(function: Callable[..., Any], kind: str = "text", inputs: tuple[str, ...] = ("site",)) -> Own:
    return Own("crm:f", inputs, (Field("out", kind, "", ""),), function)


def test_once_for_each_distinct_input() -> None:
    """As with all enrichers; the rows stay in order. A column that is not there is null."""
    calls = []

    def double(site: str, missing: None) -> str:
        calls.append((site, missing))
        return site * 2

    added, failed = enrich_own({"site": ["a", "b"] * 500}, 1_000, _own(double, inputs=("site", "title")))
    assert (added, failed) == ({"out": ("aa", "bb") * 500}, {})
    assert calls == [("a", None), ("b", None)]


def test_a_failure_is_the_row_s_alone() -> None:
    """The rows it failed for are told by enricher, error and line, without what was in them; the others are whole."""

    def picky(site: str) -> str:
        if site == "secret":
            raise LookupError(site)
        return site

    added, failed = enrich_own({"site": ["a", "secret", "b", "secret"]}, 4, _own(picky))
    assert added == {"out": ("a", None, "b", None)}
    assert failed.keys() == {1, 3}
    assert failed[1].startswith("crm:f: LookupError in test_own.py, line ")
    assert "secret" not in failed[1]


class Panic(BaseException):
    """As pyo3 has it: what goes wrong in Rust is no `Exception`."""


def test_nothing_it_raises_gets_out() -> None:
    """Neither an end of the program, nor a recursion without end, nor an error that cannot be read."""

    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def leave(_: str) -> None:
        raise SystemExit(1)

    def recur(site: str) -> str:
        return recur(site)

    def hostile(_: str) -> None:
        raise Hostile

    def panic(_: str) -> None:
        raise Panic

    for function, name in (
        (leave, "SystemExit"),
        (recur, "RecursionError"),
        (hostile, "Hostile"),
        (panic, "Panic"),
    ):
        _, failed = enrich_own({"site": ["a"]}, 1, _own(function))
        assert name in failed[0]


def test_who_interrupts_is_heard() -> None:
    """Ctrl-C ends a replay also while an enricher runs."""

    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enrich_own({"site": ["a"]}, 1, _own(interrupted))


def test_what_it_prints_is_no_answer_of_ours(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rejects replay --json` writes to stdout, and nobody else does: neither on import nor when it runs."""
    text = "print('imported')\n" + MODULE.replace("    return plan or", "    print('asked')\n    return plan or")
    (module / "loud.py").write_text(text)
    enrich_own({"user_id": ["u1"], "properties": [{}]}, 1, load_own(["loud:plan"])[0])
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "imported\nasked\n")


NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
HELD = {
    "text": ("text", "ä", "ä"),
    "null": ("int64", None, None),
    "bool": ("bool", True, True),
    "int64": ("int64", -5, -5),
    "a datetime": ("timestamp", NOON, 1_770_724_800_000_000),
    "a datetime elsewhere": ("timestamp", NOON.astimezone(timezone(timedelta(hours=2))), 1_770_724_800_000_000),
    "microseconds": ("timestamp", 7, 7),
    "decimal": ("decimal(18,6)", Decimal("1.5"), Decimal("1.500000")),
    "a whole number": ("decimal(18,6)", 3, Decimal("3.000000")),
    "map": ("map<text,list<text>>", {"a": ("x", "y"), "b": []}, {"a": ["x", "y"], "b": []}),
}


@pytest.mark.parametrize(("kind", "given", "expected"), HELD.values(), ids=HELD.keys())
def test_types(kind: str, given: Any, expected: Any) -> None:
    """Each type of a column takes what can be held in it, and Arrow takes that."""
    added, failed = enrich_own({"site": ["a"]}, 1, _own(lambda _: (given,), kind))
    assert (added, failed) == ({"out": (expected,)}, {})
    (out,) = arrow_schema([Field("out", kind, "", "")])
    values = [list(expected.items())] if isinstance(expected, dict) else added["out"]
    assert len(pa.array(values, out.type)) == 1


def test_every_type_of_a_field() -> None:
    """Whatever a column may be, one's own may be."""
    assert {kind for kind, _, _ in HELD.values()} == set(ARROW_TYPES)


NOT_HELD = {
    "a number for a text": ("text", 1),
    "bytes": ("text", b"a"),
    "half of a surrogate pair": ("text", "\ud800"),
    "too long a text": ("text", "a" * (LONGEST + 1)),
    "a text for a bool": ("bool", "true"),
    "a bool for a number": ("int64", True),
    "a float": ("int64", 1.0),
    "too large": ("int64", 1 << 63),
    "a datetime without zone": ("timestamp", NOON.replace(tzinfo=None)),
    "a time beyond all": ("timestamp", 1 << 62),
    "a float for a decimal": ("decimal(18,6)", 0.1),
    "too fine": ("decimal(18,6)", Decimal("0.0000001")),
    "too great": ("decimal(18,6)", Decimal(10) ** 12),
    "no number": ("decimal(18,6)", Decimal("NaN")),
    "without end": ("decimal(18,6)", Decimal("Infinity")),
    "a list for a map": ("map<text,list<text>>", ["a"]),
    "a text for a list": ("map<text,list<text>>", {"a": "xy"}),
    "too large a map": ("map<text,list<text>>", {"a": ["x" * LONGEST]}),
    "two for one": ("text", ("a", "b")),
    "none for one": ("text", ()),
}


@pytest.mark.parametrize(("kind", "given"), NOT_HELD.values(), ids=NOT_HELD.keys())
def test_what_a_column_cannot_hold(kind: str, given: Any) -> None:
    """It fails as if the enricher had raised."""
    added, failed = enrich_own({"site": ["a"]}, 1, _own(lambda _: given, kind))
    assert added == {"out": (None,)}
    assert failed[0].endswith("in what it gave")


def test_no_rows_no_inputs() -> None:
    """A batch without events, and an enricher that needs to know nothing."""
    assert enrich_own({"site": []}, 0, _own(str)) == ({"out": ()}, {})
    assert enrich_own({}, 2, _own(lambda: "x", inputs=())) == ({"out": ("x", "x")}, {})


def test_a_declared_function_stays_one() -> None:
    """It can still be called, and tested by whoever wrote it."""

    @enricher(inputs=("site",), outputs=(Field("out", "text", "", ""),))
    def shout(site: str) -> str:
        return site.upper()

    assert shout("a") == "A"


def test_no_map_at_all() -> None:
    """A column of maps is null where its enricher gives none: in every row, in some, and beside what failed."""
    declared = Field("seen", "map<text,list<text>>", "", "")
    given: dict[str | None, Any] = {"a": None, "b": {"x": ["y"], "z": []}, "c": {}, "d": 1}
    own = (Own("tests:seen", ("title",), (declared,), given.__getitem__),)
    of_own = replace(rules(), own=own, schema=events_schema(own_fields(own)))
    for titles in ("a", "aa", "abca", "adb", "bc"):
        decoded = decode(batch(*[hit(f"/pixel.gif?site=s&title={title}") for title in titles]), of_own)
        outcome = process(decoded, salted(decoded))
        expected = [
            given[title] if given[title] is None else list(given[title].items()) for title in titles if title != "d"
        ]
        assert outcome.events["seen"].to_pylist() == expected
        assert outcome.rejects["reason"].to_pylist() == ["enricher_failed"] * titles.count("d")
