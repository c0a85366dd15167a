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
``telemetry``, ``clock``.
"""

import os

# Arrow's allocator hands memory back after 10 ms; a batch comes some 100 ms later, and would have to ask for it anew
# page by page: a tenth of what an event costs. Read when Arrow is loaded.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "1000")

__version__ = "0.1.0.dev0"
