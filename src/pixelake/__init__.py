"""pixelake: a tracking pixel you can trust.

The way of an event::

    collect   ->  stream    ->  transform  ->  warehouse  ->  web
    request       Hit           Batch          Event          question
    -> Hit        -> Batch      -> Event       -> table       -> rows, chart
                  (durable)     or Reject

Each arrow is one frozen type, each stage one folder. Imports point only
downward: ``cli`` > ``build``, ``supervise`` > ``operate`` > ``web``,
``collect``, ``transform`` > ``warehouse`` > ``stream``, ``registry`` >
``dialects`` > ``hit``, ``event``, ``reject`` > ``settings``, ``errors``,
``telemetry``, ``clock``, ``machine``.
"""

import os
import sys

# Arrow's allocator hands memory back after 10 ms; a batch comes some 100 ms later, and would have to ask for it anew
# page by page: a tenth of what an event costs. Read when Arrow is loaded.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "1000")

# structlog loads rich, if it is there, to colour tracebacks, which we never let it draw: 11 MB of every process.
if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment] # the import system's own word for "there is none"
    import structlog  # noqa: F401

    del sys.modules["rich"]

__version__ = "0.1.0.dev0"
