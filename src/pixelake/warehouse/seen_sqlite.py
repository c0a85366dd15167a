"""`Seen` on SQLite: who owns an event id.

``owners`` has the present owner of each event id; ``answers`` every other
answer that was ever given: to repeats, and to owners whose claim grew too old.
So that who asks again hears the same, however late.

Whoever deletes the file makes us forget who owned which event id: what of it
the lake can tell is to be given back with `SqliteSeen.restore`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.warehouse import sqlite_file
from pixelake.warehouse.base import Claim

DAY: Final = 86_400.0
STEP: Final = 1_000
"""Claims that a call forgets at least, so that no call takes long."""

SCHEMA: Final = """
create table if not exists owners (
  id integer primary key, event_id text not null, site text not null, hit_id text not null, claimed_at integer not null,
  unique (event_id, site)
) strict;
create table if not exists answers (
  id integer primary key, event_id text not null, site text not null, hit_id text not null, owner text not null,
  claimed_at integer not null,
  unique (event_id, hit_id, site)
) strict;
create temp table if not exists asked (
  place integer primary key, site text not null, event_id text not null, hit_id text not null
) strict
"""

_LOOK_UP: Final = """
select owners.hit_id, owners.claimed_at, answers.owner
from asked left join owners using (site, event_id)
left join answers on answers.site = asked.site and answers.event_id = asked.event_id and answers.hit_id = asked.hit_id
order by place
"""


class _Known(NamedTuple):
    """A claim, the present owner of its event id, and the answer it was once given."""

    claim: Claim
    owner: str | None
    claimed_at: int
    answer: str | None


class _Decided(NamedTuple):
    """The owner for each claim; the claims that are owners from now on; the answers to remember."""

    result: Sequence[str]
    owners: Sequence[Claim]
    answers: Mapping[Claim, str]


class SqliteSeen:
    """Who owns an event id: a `pixelake.warehouse.base.Seen`. One thread; several processes may share the file.

    Args:
        path: the SQLite file; made if it is not there.
        window: seconds for which a claim holds. Then the next hit takes the event id over.
        retention: seconds for which the stream may bring a hit again; until then, and for
            the window, and a day more, no answer is forgotten.
        clock: the time.
    """

    def __init__(self, path: Path, window: float = DAY, retention: float = DAY, clock: Clock = SYSTEM) -> None:
        self._path, self._clock, self._window = path, clock, int(window * SECOND)
        self._kept = int((max(window, retention) + DAY) * SECOND)
        self._connection = sqlite_file.connect(path, SCHEMA)

    def close(self) -> None:
        """Let the file go. May never be called."""
        self._connection.close()

    @property
    def is_new(self) -> bool:
        """Whether nothing was restored yet.

        Raises:
            WarehouseError: it cannot be read.
        """
        with sqlite_file.reported(self._path):
            return not self._connection.execute("pragma user_version").fetchone()[0]

    def restore(self, claims: Iterable[tuple[Claim, int]]) -> None:
        """Begin with these owners and the times of their claims (microseconds UTC), oldest first. Only once, durably.

        Raises:
            WarehouseError: nothing was restored.
        """
        with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
            if self.is_new:  # else another process was faster
                self._connection.executemany(
                    "insert or replace into owners (site, event_id, hit_id, claimed_at) values (?, ?, ?, ?)",
                    ((*claim, claimed_at) for claim, claimed_at in claims),
                )
                self._connection.execute("pragma user_version = 1")

    def claim(self, claims: Sequence[Claim]) -> Sequence[str]:
        """The owner of each event id; within one call the order decides. Durable.

        10,000 new claims take 0.1 s, 10,000 known ones half of it: most of it is passing them to SQLite.

        Raises:
            WarehouseError: cannot be told now; ask again.
        """
        if not claims:
            return []
        now = self._clock.now()
        with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
            decided = _decide(self._known(claims), now, now - self._window)
            self._remember(decided, now)
            self._forget(now - self._kept, max(STEP, 2 * len(claims)))
        return decided.result

    def _known(self, claims: Sequence[Claim]) -> list[_Known]:
        self._connection.execute("delete from asked")
        self._connection.executemany("insert into asked (site, event_id, hit_id) values (?, ?, ?)", claims)
        return [_Known(claim, *row) for claim, row in zip(claims, self._connection.execute(_LOOK_UP), strict=True)]

    def _remember(self, decided: _Decided, now: int) -> None:
        self._connection.executemany(
            "insert or replace into owners (site, event_id, hit_id, claimed_at) values (?, ?, ?, ?)",
            ((*claim, now) for claim in decided.owners),
        )
        self._connection.executemany(
            "insert or ignore into answers (site, event_id, hit_id, owner, claimed_at) values (?, ?, ?, ?, ?)",
            ((*claim, owner, now) for claim, owner in decided.answers.items()),
        )

    def _forget(self, oldest: int, most: int) -> None:
        # The lowest ids are the oldest: so no index by time is needed, which would double the cost of a claim.
        for table in ("owners", "answers"):
            self._connection.execute(
                f"delete from {table} where claimed_at < ?"  # noqa: S608 - named right above
                f" and id in (select id from {table} order by id limit ?)",
                (oldest, most),
            )


def _decide(known: Iterable[_Known], now: int, horizon: int) -> _Decided:
    """Who owns each event id, if a claim from before `horizon` no longer holds."""
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
    return _Decided(result, list(owners.values()), answers)
