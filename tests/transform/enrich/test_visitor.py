"""The keyed hash of a visitor."""

from pixelake.transform.enrich.visitor import visitor

SALT = b"s" * 32


def test_parts_do_not_run_into_each_other() -> None:
    """Moving a letter from one input to the next makes another visitor."""
    one = visitor(b"abcd", "ef", "g", SALT, None)
    assert len({one, visitor(b"abcde", "f", "g", SALT, None), visitor(b"abcd", "e", "fg", SALT, None)}) == 3


def test_salts() -> None:
    """Each salt gives another id, none gives none, and an unknown address gives none."""
    today, before = visitor(b"abcd", None, "s", SALT, b"t" * 32)
    assert today != before
    assert visitor(b"abcd", None, "s", None, b"t" * 32) == (None, before)
    assert visitor(b"abcd", None, "s", None, None) == visitor(None, "x", "s", SALT, None) == (None, None)
