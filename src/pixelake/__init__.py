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

__version__ = "0.1.0.dev0"
