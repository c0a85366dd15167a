"""Batch -> outcomes: decode, gather the facts, process; and who poisons a batch is found."""

import gc
import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pyarrow as pa

from pixelake.registry.base import JudgesBook
from pixelake.stream.base import Batch
from pixelake.transform.decode import Decoder, only_known
from pixelake.transform.enrich.consent import Policies
from pixelake.transform.facts import gather
from pixelake.transform.process import poisoned, process
from pixelake.transform.retry import BROKEN, Repeat, Stopped
from pixelake.transform.rules import Rules
from pixelake.warehouse.base import NAMES, Claim, Outcome, Seen


class Judge:
    """Judges batches for the consumer and for sinks that catch up: one thread at a time."""

    def __init__(self, rules: Rules, registry: JudgesBook, seen: Seen, *, named: bool = False) -> None:
        """Nothing is asked yet.

        Args:
            rules: by which.
            registry: sites, salts and policies.
            seen: who owns an event id.
            named: hits that have names of their own may come again, at another place of the stream: from the second
                one on they are withheld. Not for hits out of which somebody else leaves those that are known.
        """
        self._rules = rules
        self._named = named
        self._decode = Decoder(rules)
        self._registry = registry
        self._seen = seen
        self._one = threading.Lock()

    @property
    def schema(self) -> pa.Schema:
        """Of the events."""
        return self._rules.schema

    def __call__(self, batch: Batch, retry: Repeat) -> Iterator[Outcome]:
        """The outcomes of a batch, in order: several if its hits have many elements.

        A hit that makes us fail, if only by its size, is found by halving, and rejected.

        Args:
            batch: the hits.
            retry: repeats what broken infrastructure keeps from being judged; it lets other errors through.

        Raises:
            Stopped: by `retry`, or what it lets through.
        """
        while batch.hits:
            outcome = self._try(batch, retry)
            if isinstance(outcome, str):
                yield from self._halve(batch, retry, outcome)
                return
            yield outcome
            batch = part(batch, bisect_right(batch.positions, outcome.positions[batch.partition]))

    def _try(self, batch: Batch, retry: Repeat) -> Outcome | str:
        """The outcome, or the name of the error: the error itself would hold what we failed with in the memory."""
        try:
            return retry(partial(self._judge, batch))
        except (*BROKEN, Stopped, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever else fails, also in Rust, is the fault of some hit
            return type(error).__name__

    def _judge(self, batch: Batch) -> Outcome:
        with self._one, _without_collections():
            self._rules.refresh()
            if self._named:
                batch = once_each(batch, self._seen)
            snapshot = self._registry.snapshot()
            decoded = self._decode(batch, Policies(self._rules.do_not_track, snapshot.policies))
            if self._rules.sites_closed:
                decoded = only_known(decoded, snapshot.sites)
            facts = gather(decoded, self._registry, self._seen, self._rules.default_zone)
            return process(decoded, facts)

    def _halve(self, batch: Batch, retry: Repeat, error: str) -> Iterator[Outcome]:
        middle = len(batch.hits) // 2
        if not middle:
            yield poisoned(batch, error, self._rules)
            return
        yield from self(part(batch, 0, middle), retry)
        yield from self(part(batch, middle), retry)


def once_each(batch: Batch, seen: Seen) -> Batch:
    """The batch, in which nothing is left of hits whose names were at another place before.

    Raises:
        WarehouseError: cannot be told now; ask again.
    """
    named = [at for at, hit in enumerate(batch.hits) if hit.hit_id]
    if not named:
        return batch
    claims = [Claim(NAMES, batch.hits[at].hit_id, f"{batch.partition}-{batch.positions[at]}") for at in named]
    owners = seen.claim(claims)
    again = {at for at, claim, owner in zip(named, claims, owners, strict=True) if owner != claim.hit_id}
    hits = [hit.erased() if at in again else hit for at, hit in enumerate(batch.hits)]
    return Batch(batch.partition, hits, batch.positions)


@contextmanager
def _without_collections() -> Iterator[None]:
    """No garbage collection: nothing here is cyclic, and looking at all those rows takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def part(batch: Batch, start: int, end: int | None = None) -> Batch:
    """Some hits of a batch."""
    return Batch(batch.partition, batch.hits[start:end], batch.positions[start:end])
