"""Language and address."""

import pytest

from pixelake.transform.enrich.place import language, place


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("de-DE,de;q=0.9", "de-DE"),
        ("en", "en"),
        (" zh-Hant-TW ; q=1", "zh-Hant-TW"),
        ("*", None),
        ("<b>", None),
        (None, None),
    ],
)
def test_language(sent: str | None, expected: str | None) -> None:
    """The first tag of Accept-Language, if it is one."""
    assert language(sent) == (expected,)


def test_place() -> None:
    """What is kept is truncated; what stands for a visitor is the IPv4 address, or the IPv6 /64."""
    assert place("203.0.113.9") == ("203.0.113.0", bytes([203, 0, 113, 9]))
    assert place("2001:db8:1:2:3::4") == ("2001:db8:1::", bytes.fromhex("20010db800010002"))
    assert place("?") == (None, None)
