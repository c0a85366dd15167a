"""What a part is told."""

from typing import NamedTuple


class Options(NamedTuple):
    """Options of the command line; None where the part decides.

    Attributes:
        rounds: runs of each server.
        seconds: of a run.
        rate: hits a second, where a part else takes half of the limit it measures.
        minutes: of the soak.
    """

    rounds: int | None
    seconds: float
    rate: float | None
    minutes: float
