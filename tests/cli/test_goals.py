"""`pixelake goals` and `pixelake funnels`, as they are typed."""

import json
from pathlib import Path

import pytest

from pixelake.cli import run


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """The flag of an empty data folder."""
    return ["--data", str(tmp_path)]


def test_goals(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Added, listed and removed; what is not there cannot be removed."""
    add = ["goals", "add", "Shop.example", "order", "event is purchase", "country in DE, AT", "--worth", "2.50"]
    assert run([*add, *data]) == 0
    assert run(["goals", "list", "--format", "json", *data]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"site": "shop.example", "goal": "order", "filters": "event is purchase and country in DE, AT", "worth": "2.50"}
    ]
    assert run(["goals", "remove", "shop.example", "order", *data]) == 0
    assert run(["goals", "remove", "shop.example", "order", *data]) == 1
    assert "shop.example has no goal 'order'" in capsys.readouterr().err


def test_funnels(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Added, listed step by step, and removed."""
    assert run(["funnels", "add", "shop", "way", "path is /", "event is purchase", *data]) == 0
    assert run(["funnels", "list", "--format", "json", *data]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"site": "shop", "funnel": "way", "step": 1, "filter": "path is /"},
        {"site": "shop", "funnel": "way", "step": 2, "filter": "event is purchase"},
    ]
    assert run(["funnels", "remove", "shop", "way", *data]) == 0
    assert run(["funnels", "remove", "shop", "way", *data]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["goals", "add", "shop", "x", "nope is y"], "there is no column 'nope'"),
        (["goals", "add", "shop", "x", "purchase"], "'purchase' is none"),
        (["goals", "add", "shop", "x", "user_id is u"], "'user_id' is of one person"),
        (["goals", "add", "shop", "x", "event is y", "--worth", "much"], "'much' is no amount"),
        (["goals", "add", "", "x", "event is y"], "there can be no such site"),
        (["goals", "add", "shop", " ", "event is y"], "can be called"),
        (["goals", "add", "shop", "x"], "FILTER"),
        (["funnels", "add", "shop", "x", "event is y"], "1 steps are no funnel"),
        (["funnels", "add", "shop", "x", "event is y", "path matches ("], "is no pattern"),
    ],
)
def test_misuse(data: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """What cannot be declared is said in a line, with exit status 2, and nothing is declared."""
    assert run([*arguments, *data]) == 2
    assert told in capsys.readouterr().err
    assert run([arguments[0], "list", "--format", "json", *data]) == 0
    assert json.loads(capsys.readouterr().out) == []
