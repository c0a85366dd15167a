"""Whether somebody still waits for the question that this thread asks."""

import threading
from contextvars import ContextVar
from typing import Final

GIVEN_UP: Final[ContextVar[threading.Event | None]] = ContextVar("given_up", default=None)
"""Set by whoever asks on behalf of others; once the event is, a query is stopped as if its time were over."""
