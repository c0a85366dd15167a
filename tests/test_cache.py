"""What is remembered, and let go."""

from pixelake.cache import bounded, forget


def test_what_is_forgotten_is_found_out_anew() -> None:
    """A second question is answered from memory; after it was told to forget, it is worked on again."""
    worked: list[str] = []

    @bounded(10)
    def length(text: str) -> int:
        worked.append(text)
        return len(text)

    assert [length("abc"), length("abc")] == [3, 3]
    assert worked == ["abc"]
    forget(length)
    assert length("abc") == 3
    assert worked == ["abc", "abc"]
