"""The keyed hash of a visitor."""

from pixelake.transform.enrich.visitor import visitor, visitors

SALT, BEFORE = b"s" * 32, b"t" * 32


def test_parts_do_not_run_into_each_other() -> None:
    """Moving a letter from one input to the next makes another visitor."""
    one = visitor(b"abcd", "ef", "g", SALT)
    assert len({one, visitor(b"abcde", "f", "g", SALT), visitor(b"abcd", "e", "fg", SALT)}) == 3


def test_salts() -> None:
    """Each salt gives another id, none gives none, and an unknown address gives none."""
    assert visitor(b"abcd", None, "s", SALT) != visitor(b"abcd", None, "s", BEFORE)
    assert visitor(b"abcd", None, "s", None) is visitor(None, "x", "s", SALT) is None


def test_rows() -> None:
    """Each row for itself, under the salts of both days."""
    networks, agents, sites = [b"abcd", None, b"efgh", b"abcd"], ["x", "x", None, "x"], ["s", "s", "s", "t"]
    today, before = visitors(networks, agents, sites, [SALT, SALT, BEFORE, None], [None, None, None, BEFORE])
    assert today.to_pylist() == [visitor(b"abcd", "x", "s", SALT), None, visitor(b"efgh", None, "s", BEFORE), None]
    assert before.to_pylist() == [None, None, None, visitor(b"abcd", "x", "t", BEFORE)]
