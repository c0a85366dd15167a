"""How the work grows with what is worked on."""

import time
from collections.abc import Callable

SHORT = 8_192
LONG = 8 * SHORT


def growth(work: Callable[[str], object], run: str) -> float:
    """How much longer 64 KB of a repeated text take than 8 KB. Linear: 8; quadratic: 64."""

    def best(length: int) -> float:
        text = (run * length)[:length]
        times = []
        for _ in range(5):
            began = time.thread_time()
            work(text)
            times.append(time.thread_time() - began)
        return min(times)

    return best(LONG) / max(best(SHORT), 20e-6)  # what takes next to nothing may double
