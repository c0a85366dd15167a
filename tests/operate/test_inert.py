"""Tests of `pixelake.operate.inert`."""

import pytest

from pixelake.cli.base import say
from pixelake.operate.inert import inert


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a plain text", "a plain text"),
        ("\u00e4\u6f22\U0001f98a", "\u00e4\u6f22\U0001f98a"),
        ("\x1b[2J\x9b1A\x07", "\\x1b[2J\\x9b1A\\x07"),
        ("a\u202eb\u2028c\ufeff", "a\\u202eb\\u2028c\\ufeff"),
        ("\ud800", "\\ud800"),
    ],
    ids=["plain", "letters", "controls", "directions", "half a pair"],
)
def test_what_a_terminal_might_obey_is_written_out(text: str, shown: str) -> None:
    """Letters of any script stay as they are."""
    assert inert(text) == shown


def test_an_error_that_quotes_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Messages are one line, and do nothing to a terminal either."""
    say("cannot read '\x1b]0;title\x07'\n at all", "look\u202e")
    assert capsys.readouterr().err == "pixelake: cannot read '\\x1b]0;title\\x07' at all (look\\u202e)\n"
