"""Trying again: what is told of the error."""

import threading

from pixelake.errors import LakeUnavailable
from pixelake.transform.retry import Retry, told


def test_an_error_always_says_something() -> None:
    """One without a text is told by its name."""
    assert told(LakeUnavailable("the disk is full")) == "the disk is full"
    assert told(MemoryError()) == "MemoryError"
    assert told(KeyError("")) == "KeyError"


def test_the_error_is_there_until_it_works() -> None:
    """Health shows what is wrong and what to do about it while it is, and nothing afterwards."""
    seen = []
    failures = iter([TimeoutError(), LakeUnavailable("it is gone", "mount it")])
    trying = Retry("try", threading.Event(), on=(OSError, LakeUnavailable))

    def action() -> str:
        seen.append(trying.error)
        for failure in failures:
            raise failure
        return "done"

    assert trying(action) == "done"
    assert seen == ["", "TimeoutError", "it is gone (mount it)"]
    assert trying.error == ""
