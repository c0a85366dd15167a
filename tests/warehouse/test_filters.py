"""Filters: what people write, what it chooses, and what is refused."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from pixelake.errors import QueryError
from pixelake.warehouse import filters
from pixelake.warehouse.filters import NOTHING, Joined, columns_in, filterable, parse
from tests.warehouse.asked import Asked, lake_of
from tests.warehouse.outcomes import START, event

COLUMNS = {
    "country": "text",
    "path": "text",
    "browser": "text",
    "title": "text",
    "bot": "bool",
    "value": "decimal(18,6)",
    "position": "int64",
}
HOSTILE = "'; drop table events; --\u202e\n$f0 %_\\"

ROWS = [
    event("a", 1, path="/blog/one", country="DE", browser="Firefox", value=Decimal("9.9")),
    event("a", 2, path="/Blog/two", country="AT", browser="Chrome", value=Decimal("9.91")),
    event("a", 3, path="/shop", country=None, browser="", properties=[("plan", ["pro", "team"]), ("Ünï", ["x"])]),
    event("a", 4, path=HOSTILE, country="de", properties=[("plan", [""]), (HOSTILE, [HOSTILE])]),
    event("a", 5, path=None, country="DE", bot=None, properties=None),
]
ALL = [1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A lake of `ROWS`."""
    folder: Path = tmp_path_factory.mktemp("filters")
    with lake_of(folder, ROWS, START, START.replace(hour=22)) as found:
        yield found


def _passing(asked: Asked, *texts: str) -> list[int]:
    """The positions of the events that pass."""
    ask = asked.asked("newest", limit=100, people=False)
    answer = asked.questions.ask(type(ask)(**{**_fields(ask), "filter": parse(texts, COLUMNS)}))
    return sorted(int(name.removeprefix("a-")) for name in answer.table["hit_id"].to_pylist())


def _fields(ask: object) -> dict[str, object]:
    return {name: getattr(ask, name) for name in ask.__dataclass_fields__}  # type: ignore[attr-defined]


CHOSEN = {
    "country is DE": [1, 5],
    "country is not DE": [2, 3, 4],
    "country in DE, AT": [1, 2, 5],
    "country not in DE, AT": [3, 4],
    "country is": [3],
    "country is not": [1, 2, 4, 5],
    "browser is": [3, 4, 5],
    "path contains /blog": [1, 2],
    "path does not contain /blog": [3, 4, 5],
    "path matches ^/[bB]log/(one|three)$": [1],
    "path does not match ^/[bB]log/": [3, 4, 5],
    f"path is {HOSTILE}": [4],
    f"path contains {HOSTILE.upper()}": [4],
    "path contains %": [4],
    "path contains _": [4],
    "bot is false": [1, 2, 3, 4],
    "bot is not false": [5],
    "value is 9.90": [1],
    "value in 9.9, 9.91": [1, 2],
    "value is": [3, 4, 5],
    "position is 3": [3],
    "properties.plan is pro": [3],
    "properties.plan is team": [3],
    "properties.plan is not pro": [1, 2, 4, 5],
    "properties.plan is": [1, 2, 4, 5],
    "properties.plan contains TEA": [3],
    "properties.plan matches ^t": [3],
    "properties.Ünï is x": [3],
    "properties.' or 1=1 is x": None,
    '["is", "properties.' + HOSTILE.replace("\\", "\\\\").replace("\n", "\\n") + '", ["' + "x" + '"]]': [],
    '["and", ["is", "country", ["DE"]], ["not", ["contains", "path", ["blog"]]]]': [5],
    '["or", ["is", "country", ["AT"]], ["is", "path", ["/shop"]]]': [2, 3],
    '["not", ["or", ["is", "country", ["AT"]], ["is", "path", ["/shop"]]]]': [1, 4, 5],
    '["is", "country", "DE"]': [1, 5],
    '["and"]': ALL,
    "COUNTRY is DE": None,
    "country IS NOT DE": [2, 3, 4],
}


@pytest.mark.parametrize(("text", "chosen"), CHOSEN.items(), ids=[repr(text)[:40] for text in CHOSEN])
def test_what_a_filter_chooses(asked: Asked, text: str, chosen: list[int] | None) -> None:
    """Each operator, also where there is nothing, and for text that means harm: it is text. None: it is refused."""
    if chosen is None:
        with pytest.raises(QueryError):
            _passing(asked, text)
    else:
        assert _passing(asked, text) == chosen


@pytest.mark.parametrize("text", [each for each, chosen in CHOSEN.items() if chosen is not None and each[0] != "["])
def test_not_is_all_others(asked: Asked, text: str) -> None:
    """What passes and what does not are all events, each once, also those of which nothing is known."""
    tree = parse([text], COLUMNS)
    ask = asked.asked("newest", limit=100, people=False)
    names: list[str] = []
    for each in (tree, Joined("not", (tree,))):
        found = asked.questions.ask(type(ask)(**{**_fields(ask), "filter": each}))
        names += found.table["hit_id"].to_pylist()
    assert sorted(names) == [f"a-{n}" for n in ALL]


def test_several_must_all_hold(asked: Asked) -> None:
    """Filters given one by one are joined by `and`."""
    assert _passing(asked, "country is DE", "path contains blog") == [1]
    assert _passing(asked) == ALL


REFUSED = {
    "nothing": ("", "like"),
    "a word": ("country", "like `country is DE`"),
    "no such column": ("colour is red", "properties.NAME"),
    "a column as SQL": ('country" or 1=1 -- is x', "like `country is DE`"),
    "no such operator": ("country like DE", "like `country is DE`"),
    "no value": ("path contains", "path is"),
    "a number that is none": ("value is much", "9.90"),
    "a number that is not finite": ("value is nan", "9.90"),
    "a number that no amount is": ("value is 1e400", "9.90"),
    "neither true nor false": ("bot is maybe", "bot is true"),
    "a part of a number": ("value contains 9", "`is`"),
    "no pattern": ("path matches (", "RE2"),
    "a pattern that looks back": ("path matches (?<=a)b", "RE2"),
    "a zero byte": ("path is a\0b", "half a character"),
    "half a character": ("path is \ud800", "half a character"),
    "too long": (f"path is {'x' * 2_001}", "characters"),
    "too many values": (f"country in {','.join(map(str, range(1_001)))}", "one to"),
    "no JSON": ('["is"', "like"),
    "no operator": ('["country", ["DE"]]', ""),
    "a number for a value": ('["is", "country", [1]]', ""),
    "no column": ('["is", 3, ["DE"]]', ""),
    "two for not": ('["not", ["is", "country", ["DE"]], ["is", "country", ["AT"]]]', ""),
    "too deep": ("[" + '"not",[' * 2_000 + "]" * 2_001, ""),
    "too deep for JSON": ("[" * 100_000, "like"),
    "too many parts": ('["and",' + ",".join(['["is","country",["DE"]]'] * 101) + "]", "at most"),
}


@pytest.mark.parametrize(("text", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(text: str, hint: str) -> None:
    """A filter that is none is told, with what it may be; the message names the parameter."""
    with pytest.raises(QueryError) as caught:
        parse([text], COLUMNS)
    assert str(caught.value).startswith("filter: ")
    assert hint in caught.value.hint
    assert " b'" not in str(caught.value)


def test_too_many_filters() -> None:
    """There is a bound."""
    with pytest.raises(QueryError, match="101"):
        parse(["country is DE"] * 101, COLUMNS)


def test_a_comma_within_a_value() -> None:
    """`is` takes the text as it is, `in` takes several."""
    assert parse(["title is Hello, world"], COLUMNS) == filters.Test("title", "is", ("Hello, world",))
    assert parse(["title in Hello, world"], COLUMNS) == filters.Test("title", "is", ("Hello", "world"))


def test_columns() -> None:
    """Which columns a filter looks at; times and maps cannot be asked for."""
    tree = parse(["country is DE", '["or", ["is", "path", ["/"]], ["is", "properties.plan", ["x"]]]'], COLUMNS)
    assert columns_in(tree) == {"country", "path", "properties"}
    assert columns_in(NOTHING) == frozenset()
    assert set(filterable({"a": "text", "b": "timestamp", "c": "map<text,list<text>>", "d": "decimal(18,6)"})) == {
        "a",
        "d",
    }
    assert filters.as_sql(NOTHING, COLUMNS) == ("true", {})
