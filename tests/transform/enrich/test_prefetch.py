"""What was fetched ahead."""

import pytest

from pixelake.transform.enrich.prefetch import prefetch
from tests.work import growth

SAID = {
    "nothing": ((None, None, None, None), False),
    "Chrome and Firefox": (("prefetch", None, None, None), True),
    "by a proxy of Chrome's": (("prefetch;anonymous-client-ip", None, None, None), True),
    "prerendering": (("prefetch;prerender", "prefetch", None, None), None),
    "prerendering, with blanks": (("prefetch; prerender", None, None, None), None),
    "prerendering of older Chromes": ((None, "prerender", None, None), None),
    "older Chromes": ((None, "prefetch", None, None), True),
    "older Safaris": ((None, None, "preview", None), True),
    "older Firefoxes": ((None, None, None, "prefetch"), True),
    "in capitals": ((None, None, None, "Prefetch"), True),
    "another purpose": (("speculation", "visit", "", "x-prefetch"), False),
}


@pytest.mark.parametrize(("sent", "expected"), SAID.values(), ids=SAID.keys())
def test_prefetch(sent: tuple[str | None, str | None, str | None, str | None], expected: bool | None) -> None:
    """Fetched ahead, not, or nobody can tell: what is prerendered never fetches again when it is shown."""
    assert prefetch(*sent) == (expected,)


@pytest.mark.parametrize("run", ["prefetch;", " ", "prefetch; ", "a"])
def test_long_ones_take_no_longer(run: str) -> None:
    """The time grows with the length at most."""
    assert growth(lambda text: prefetch(text, None, None, None), run) < 16
