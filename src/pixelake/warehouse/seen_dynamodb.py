"""`Seen` in a table of DynamoDB: who owns an event id, for functions and machines that share no disk.

::

    seen/<hash of site and event id>  owner               hit, at (µs UTC), ttl: the present owner, and since when
    seen/<hash of site and event id>  hit/<hash of hit>   owner, ttl: what that hit was once told

Both are kept for as long as the stream may bring a hit again, and a day more, so that who asks again hears the same.
Then DynamoDB deletes them (``ttl``, seconds UTC); until it does so they are passed over.

An owner is put there on condition that nobody was faster; else it is decided again. In this order, so that a crash in
between leaves nothing that anybody was told otherwise: that the last owner did own, the new owner, its repeats.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import chain
from typing import Final

from pixelake.clock import SECOND, SYSTEM, Careful, Clock
from pixelake.errors import WarehouseError
from pixelake.warehouse.base import Claim
from pixelake.warehouse.claims import Known, decide
from pixelake.warehouse.dynamodb import A_GET, Item, Key, Table

DAY: Final = 86_400.0
CALLS: Final = 16
"""Calls that are under way at once."""
TRIES: Final = 20
"""How often it is decided again because somebody else was faster."""
Event = tuple[str, str]
"""A site and an event id."""


class DynamoSeen:
    """Who owns an event id: a `pixelake.warehouse.base.Seen`. For several processes and machines; one thread each.

    A new event id costs a read and a write, a repeat two reads and a write.

    Args:
        table: where it is kept.
        window: seconds for which a claim holds. Then the next hit takes the event id over.
        retention: seconds for which the stream may bring a hit again.
        clock: the time.
    """

    def __init__(self, table: Table, window: float = DAY, retention: float = DAY, clock: Clock = SYSTEM) -> None:
        self._table, self._window = table, int(window * SECOND)
        self._kept = int(max(window, retention) + DAY)
        self._clock, self._careful = clock, Careful(clock)
        self._threads = ThreadPoolExecutor(CALLS, thread_name_prefix="seen")

    def close(self) -> None:
        """End its threads. May never be called."""
        self._threads.shutdown()

    def claim(self, claims: Sequence[Claim]) -> Sequence[str]:
        """The owner of each event id; within one call the order decides. Durable.

        Raises:
            WarehouseError: cannot be told now; ask again.
        """
        told: dict[Claim, str] = {}
        left = list(claims)
        for _ in range(TRIES):
            if not left:
                return [told[claim] for claim in claims]
            owners, failed = self._round(left)
            told |= {claim: owner for claim, owner in owners.items() if claim[:2] not in failed}
            left = [claim for claim in left if claim[:2] in failed]
        raise WarehouseError(f"table {self._table.name}: others claim the same event ids all the time", "try again")

    def _round(self, claims: Sequence[Claim]) -> tuple[Mapping[Claim, str], Collection[Event]]:
        """The owner for each claim; and the events of which this does not hold, because somebody else was faster."""
        now, believed = self._clock.now(), self._careful.now()
        ends = {"now": believed // SECOND, "ttl": now // SECOND + self._kept}
        present = self._present({claim[:2] for claim in claims}, ends["now"])
        decided = decide(self._known(claims, present, ends["now"]), now, believed - self._window)
        last, repeats = _split(decided.answers)
        failed = self._put(last, lambda claim: self._answer(claim, claim.hit_id, ends))
        new = [claim for claim in decided.owners if claim[:2] not in failed]
        failed |= self._put(new, lambda claim: self._own(claim, now, present.get(claim[:2]), ends))
        open_ones = [claim for claim in repeats if claim[:2] not in failed]
        failed |= self._put(open_ones, lambda claim: self._answer(claim, decided.answers[claim], ends))
        return dict(zip(claims, decided.result, strict=True)), failed

    def _present(self, events: Collection[Event], now: int) -> Mapping[Event, Item]:
        """The owners there are."""
        keys = {event: (_pk(event), "owner") for event in events}
        found = self._found(keys.values(), now)
        return {event: found[key] for event, key in keys.items() if key in found}

    def _known(self, claims: Sequence[Claim], present: Mapping[Event, Item], now: int) -> Iterator[Known]:
        """What is known of each; only who is not the present owner may have been told something before."""
        asking = {claim for claim in claims if (owner := present.get(claim[:2])) and owner["hit"] != claim.hit_id}
        answers = self._found(map(_answer_key, asking), now)
        for claim in claims:
            owner, answer = present.get(claim[:2]), answers.get(_answer_key(claim)) if claim in asking else None
            name, at = (owner["hit"], owner["at"]) if owner else (None, 0)
            yield Known(claim, name, at, answer["owner"] if answer else None)

    def _found(self, keys: Iterable[Key], now: int) -> Mapping[Key, Item]:
        """Those of these items that are there, and hold still (seconds UTC)."""
        wanted = list(keys)
        parts = [wanted[start : start + A_GET] for start in range(0, len(wanted), A_GET)]
        found = chain.from_iterable(part.items() for part in self._threads.map(self._table.get_many, parts))
        return {key: item for key, item in found if item["ttl"] >= now}

    def _put(self, claims: Collection[Claim], put: Callable[[Claim], bool]) -> set[Event]:
        """Put something for each claim; the events of those that could not be."""
        return {claim[:2] for claim, done in zip(claims, self._threads.map(put, claims), strict=True) if not done}

    def _own(self, claim: Claim, at: int, last: Item | None, ends: Mapping[str, int]) -> bool:
        item = {"pk": _pk(claim[:2]), "sk": "owner", "hit": claim.hit_id, "at": at, "ttl": ends["ttl"]}
        if last is None:
            return self._table.put(item, "attribute_not_exists(#pk) OR #ttl < :now", now=ends["now"])
        return self._table.put(item, "#hit = :hit AND #at = :at", hit=last["hit"], at=last["at"])

    def _answer(self, claim: Claim, owner: str, ends: Mapping[str, int]) -> bool:
        pk, sk = _answer_key(claim)
        item = {"pk": pk, "sk": sk, "owner": owner, "ttl": ends["ttl"]}
        condition = "attribute_not_exists(#pk) OR #owner = :owner OR #ttl < :now"
        return self._table.put(item, condition, owner=owner, now=ends["now"])


def _split(answers: Mapping[Claim, str]) -> tuple[Sequence[Claim], Sequence[Claim]]:
    """Who owned until now; and who is a repeat."""
    last = [claim for claim, owner in answers.items() if claim.hit_id == owner]
    return last, [claim for claim, owner in answers.items() if claim.hit_id != owner]


def _pk(event: Event) -> str:
    """The length keeps one pair apart from another."""
    site, name = event
    return f"seen/{_hash(f'{len(site)}:{site}{name}')}"


def _answer_key(claim: Claim) -> Key:
    return _pk(claim[:2]), f"hit/{_hash(claim.hit_id)}"


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
