"""The function `keep` some days from now: replaced files are swept then, and salts are destroyed."""

import os
import time

_now = time.time_ns
time.time_ns = lambda: _now() + int(os.environ["DAYS_LATER"]) * 86_400 * 10**9

from pixelake.aws.keep import handler  # noqa: E402 - behind the clock

__all__ = ["handler"]
