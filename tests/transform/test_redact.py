"""Secrets taken out of values, however they are wrapped."""

import functools
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.settings import Settings
from pixelake.transform.redact import DEEPEST, LONGEST, MOST, Redactor, redacted
from tests.judging import hit, judge
from tests.work import growth

REDACTOR = Redactor(Settings().secret_parameters)

TEXTS = {
    "a parameter": ("https://a/?password=X&x=1", "https://a/?password=&x=1"),
    "no name but a part of one": ("?my-password=X&passwords=Y", "?my-password=X&passwords=Y"),
    "a handed-on url": (
        "?n=https%3A%2F%2Fb%2F%3Fpassword%3DX%26y%3D1&z",
        "?n=https%3A%2F%2Fb%2F%3Fpassword%3D%26y%3D1&z",
    ),
    "a fragment": ("https://a/#access_token=X", "https://a/#access_token="),
    "an encoded letter": ("?%70assword=X", "?%70assword="),
    "twice encoded": ("?%2570assword=X", "?%2570assword="),
    "an encoded equals sign": ("?password%3DX", "?password%3D"),
    "spaces": ("?password = X", "?password ="),
    "a value of two words": ("password=X Y&a", "password=&a"),
    "a path parameter": ("/a;password=X", "/a;password="),
    "part of a path": ("/r/https%3A%2F%2Fb%2F%3Fpassword%3DX", "/r/https%3A%2F%2Fb%2F%3Fpassword%3D"),
    "JSON": ('{"Password": "X", "n": 1.50}', '{"Password":"","n":1.50}'),
    "JSON in text": ('got {"password": "X\\"X", "b": 1}', 'got {"password": "", "b": 1}'),
    "JSON in JSON": ('"{\\"password\\":\\"X\\",\\"a\\":1}"', '"{\\"password\\":\\"\\",\\"a\\":1}"'),
    "broken JSON": ('{"password":"X', '{"password":""'),
    "nested in broken JSON": ('{"password":{"a":"X"},', '{"password":""'),
    "an empty value": ("?password=&a=1", "?password=&a=1"),
    "nothing but the word": ("the password is gone", "the password is gone"),
}


@pytest.mark.parametrize(("sent", "expected"), TEXTS.values(), ids=TEXTS.keys())
def test_texts(sent: str, expected: str) -> None:
    """The value goes, its name and what is around it stay; doing it again changes nothing."""
    assert REDACTOR.text(sent) == expected
    assert REDACTOR.text(expected) == expected


SPELT = "pass\\u0077ord"
DEEP = {
    "an object in an object": f'{{"a":{{"b":{{"{SPELT}":"hunter2"}}}}}}',
    "an object in a list": f'[1,[{{"{SPELT}":"hunter2"}}]]',
    "a list under it": f'{{"a":{{"{SPELT}":["hunter2",{{"x":"hunter2"}}]}}}}',
    "a text in an object": json.dumps({"a": {"b": f'{{"{SPELT}":"hunter2"}}'}}),
    "beside half an emoji": f'{{"t":"cut \\ud83d","a":{{"{SPELT}":"hunter2"}}}}',
    "a name that comes twice": f'{{"a":{{"{SPELT}":"hunter2"}},"a":{{"{SPELT}":"hunter2"}}}}',
    "a parameter, encoded": "https://a.example/?d=" + quote(f'{{"a":{{"{SPELT}":"hunter2"}}}}', safe=""),
    "a parameter, encoded twice": "?d=" + quote(quote(f'{{"{SPELT}":"hunter2"}}', safe=""), safe=""),
    "in text": json.dumps(f'got: {{"a":{{"{SPELT}":"hunter2"}}}} there'),
    "a text in a text, five times": functools.reduce(
        lambda text, _: json.dumps("got " + text), range(5), f'{{"{SPELT}":"hunter2"}}'
    ),
}


@pytest.mark.parametrize("sent", DEEP.values(), ids=DEEP.keys())
def test_the_lake_holds_no_secret(sent: str) -> None:
    """However deep it lies in a property, and however its name is spelt: neither an event has it nor a reject."""
    body = b'{"data":%s,"value":%s}'
    raw = sent if sent[0] in '[{"' else json.dumps(sent)
    query = "/pixel.gif?data=" + quote(sent, safe="")
    hits = [hit("/events", method="POST", body=body % (raw.encode(), value)) for value in (b"1", b'"x"')]
    outcome = judge(*hits, hit(query), hit(query + "&value=x"))
    assert (outcome.events.num_rows, outcome.rejects.num_rows) == (2, 2)
    assert "hunter2" not in str(outcome.events.to_pylist())
    assert "hunter2" not in str(outcome.rejects.to_pylist())


def test_what_is_wrapped_too_often_goes_as_a_whole() -> None:
    """One cannot look into it for ever."""
    wrapped = "?password=X"
    for _ in range(DEEPEST + 2):
        wrapped = "?a=" + "".join(f"%{byte:02X}" for byte in wrapped.encode())
        assert "X" not in REDACTOR.text(wrapped)
    nested = "1"
    for _ in range(DEEPEST + 2):
        nested = f'{{"a":{nested}}}'
    assert REDACTOR.text(nested) == nested
    assert REDACTOR.text(nested.replace("1", '{"secret":"X"}')).count("X") == 0


def test_what_is_too_long_goes_as_a_whole() -> None:
    """If it looks as if a secret were in it; else it stays."""
    assert REDACTOR.text("x" * LONGEST + "password") == ""
    assert REDACTOR.text("x" * (LONGEST + 1)) == "x" * (LONGEST + 1)


def test_a_hit_is_not_searched_for_ever() -> None:
    """Beyond a bound, values that look as if they hold a secret go as a whole, and only they. A new hit begins anew."""
    search = REDACTOR.search()
    long = "x" * (LONGEST - 20) + "?password=X"
    found = [search("a", long) for _ in range(20)]
    assert found[0] == long[:-1]
    assert found[-1] == ""
    assert sum(map(len, found)) <= MOST
    assert search("a", "plain") == "plain"
    assert REDACTOR.search()("a", long) == long[:-1]


def test_names_are_those_of_the_settings() -> None:
    """In any case; with none of them nothing is taken out."""
    redactor = Redactor(["PIN"])
    assert redacted({"pin": ["1", ""], "password": ["x"], "a[pin]": ["2"]}, redactor.search()) == {
        "pin": ["", ""],
        "password": ["x"],
        "a[pin]": [""],
    }
    assert Redactor([]).text("?password=X&%70in=1") == "?password=X&%70in=1"


RUNS = [
    "=",
    "a=",
    "%41",
    "%25",
    '"',
    "\\\\",
    '\\\\"',
    '"a":',
    '"secret":',
    "{",
    "[",
    " ",
    "x",
    "\\u0041",
    "password",
    "?",
    "%",
]


@pytest.mark.parametrize("run", RUNS)
def test_the_time_grows_with_the_length(run: str) -> None:
    """No run of letters takes more than its length."""
    assert growth(lambda text: REDACTOR.text("secret" + text[6:]), run) < 24


@given(st.text(max_size=60), st.sampled_from(["&", "#", "\n", ""]))
def test_a_secret_is_never_left(before: str, end: str) -> None:
    """Behind whatever it comes."""
    assert "hunter2" not in REDACTOR.text(f"{before}?password=hunter2{end}")
