"""Other names for the native ones."""

import pytest

from pixelake.dialects.aliases import checked
from pixelake.dialects.native import Native
from pixelake.errors import SettingsError
from pixelake.settings import Settings
from tests.judging import hit


def test_the_default_ones() -> None:
    """Are good."""
    assert dict(checked(Settings().aliases)) == dict(Settings().aliases)


def test_in_any_case() -> None:
    """A name with capitals is known as it is written and in any other case."""
    native = Native(checked({"customerNo": "user"}))
    for sent in ("customerNo", "customerno", "CUSTOMERNO"):
        assert native.decode(hit(f"/pixel.gif?{sent}=ada"))[0].values == {"user": ["ada"]}


BAD = {
    "a misspelt name": ({"who": "usr"}, "did you mean user"),
    "no native name": ({"who": "zzzzz"}, "write sent=native"),
    "a native name": ({"Site": "user"}, "is no alias"),
    "nothing": ({"": "user"}, "write sent=native"),
}


@pytest.mark.parametrize(("aliases", "hint"), BAD.values(), ids=BAD.keys())
def test_refused(aliases: dict[str, str], hint: str) -> None:
    """What would silently do nothing, or take a native name away, is refused with a hint."""
    with pytest.raises(SettingsError, match="aliases") as caught:
        checked(aliases)
    assert hint in caught.value.hint
