"""What functions say in the log when they fail: one structured line, with what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from pixelake.errors import PixelakeError
from pixelake.telemetry import log_to_stderr, told

DEFECT = "this is a fault of the program: tell its authors"


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Log why it failed, and let the platform see it: it tries again, or keeps what it sent."""
    try:
        yield
    except Exception as error:
        log_to_stderr("info")
        hint = error.hint if isinstance(error, PixelakeError) else DEFECT
        structlog.get_logger().error(what, reason=told(error), kind=type(error).__name__, hint=hint)
        raise
