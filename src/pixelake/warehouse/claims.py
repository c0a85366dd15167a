"""Who owns an event id: the rules, for those who keep the owners."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pixelake.warehouse.base import Claim


class Known(NamedTuple):
    """A claim, the present owner of its event id, since when (µs UTC), and the answer it was once given."""

    claim: Claim
    owner: str | None
    claimed_at: int
    answer: str | None


class Decided(NamedTuple):
    """The owner for each claim; the claims that are owners from now on; the answers to remember.

    An owner whose claim grew too old has an answer to remember, too: that it owned.
    """

    result: Sequence[str]
    owners: Sequence[Claim]
    answers: Mapping[Claim, str]


def decide(known: Iterable[Known], now: int, horizon: int) -> Decided:
    """Who owns each event id, if a claim from before `horizon` no longer holds. Within one call the order decides."""
    present: dict[tuple[str, str], tuple[str, int]] = {}
    answers: dict[Claim, str] = {}
    owners: dict[tuple[str, str], Claim] = {}
    result = []
    for claim, stored_owner, stored_at, stored_answer in known:
        event = claim.site, claim.event_id
        owner, claimed_at = present.get(event, (stored_owner, stored_at))
        answer = stored_answer or answers.get(claim)
        if answer is None and owner is not None and owner != claim.hit_id and claimed_at >= horizon:
            answer = answers[claim] = owner
        if answer is None and owner != claim.hit_id:
            if owner is not None:
                answers[Claim(*event, owner)] = owner
            present[event], owners[event] = (claim.hit_id, now), claim
        result.append(answer or claim.hit_id)
    return Decided(result, list(owners.values()), answers)
