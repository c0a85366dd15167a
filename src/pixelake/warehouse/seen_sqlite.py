"""`Seen` on SQLite: who owns an event id.

The log (`pixelake.warehouse.seen_log`) has the present owner of each event id,
and every other answer that was ever given: to repeats, and to owners whose claim
grew too old. So that who asks again hears the same, however late.

Its keys are hashes of 64 bits. Among N event ids of the window a new one is
taken for another with a chance of N / 2^64: among a hundred million, with one in
two hundred billion. Nobody gains by looking for such ids: who knows an event id
can send that.

Whoever deletes the files makes us forget who owned which event id: what of it
the lake can tell is to be given back with `SqliteSeen.restore`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pixelake.clock import SECOND, SYSTEM, Careful, Clock
from pixelake.warehouse import seen_log, sqlite_file
from pixelake.warehouse.base import Claim
from pixelake.warehouse.claims import Known, decide
from pixelake.warehouse.seen_log import Log

DAY: Final = 86_400.0
STEP: Final = 1_000
"""Claims that a call forgets at least, so that no call takes long."""
_RESTORED: Final = 10_000
"""Claims that are restored at once."""


class SqliteSeen:
    """Who owns an event id: a `pixelake.warehouse.base.Seen`. One thread; several processes may share the file.

    Args:
        path: the SQLite file; made if it is not there. Others whose names begin with its own lie beside it.
        window: seconds for which a claim holds. Then the next hit takes the event id over.
        retention: seconds for which the stream may bring a hit again; until then, and for
            the window, and a day more, no answer is forgotten.
        clock: the time.

    Raises:
        WarehouseError: it cannot be opened.
    """

    def __init__(self, path: Path, window: float = DAY, retention: float = DAY, clock: Clock = SYSTEM) -> None:
        self._path, self._window = path, int(window * SECOND)
        self._kept = int((max(window, retention) + DAY) * SECOND)
        self._connection = sqlite_file.connect(path, seen_log.SCHEMA)
        self._log = Log(self._connection, path)
        with self._transaction():
            self._log.sweep()
            self._take_over()
        # a clock that is wrong for a while must neither end claims nor forget them
        self._clock, self._careful = clock, Careful(clock, self._newest())

    def close(self) -> None:
        """Let the file go. May never be called."""
        self._connection.close()

    def _newest(self) -> int:
        """When the last claim was made; 0 if there was none."""
        with sqlite_file.reported(self._path):
            row = self._connection.execute("select at from log order by id desc limit 1").fetchone()
            return int(row[0]) if row else 0

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
        with self._transaction():
            if self.is_new:  # else another process was faster
                self._restore((_event_key(claim), claim.hit_id, at) for claim, at in claims)
                self._connection.execute("pragma user_version = 1")

    def lacks(self, claims: Sequence[Claim]) -> bool:
        """Whether one of these owners is unknown here: the file is of another time than whoever knows them.

        Raises:
            WarehouseError: it cannot be read.
        """
        with self._transaction():
            keys = set(_event_keys(claims)) if claims else set()
            return len(self._log.find(list(keys))) < len(keys) if keys else False

    def complete(self, claims: Iterable[tuple[Claim, int]]) -> None:
        """Add those of these owners, with the times of their claims (µs UTC), whose event ids nobody owns. Durable.

        Raises:
            WarehouseError: nothing was added.
        """
        with self._transaction():
            entries = iter(claims)
            while some := list(islice(entries, _RESTORED)):
                keys = _event_keys([claim for claim, _ in some])
                known = self._log.find(keys)
                new = [(key, claim.hit_id, at) for key, (claim, at) in zip(keys, some, strict=True) if key not in known]
                self._restore(new)

    def claim(self, claims: Sequence[Claim]) -> Sequence[str]:
        """The owner of each event id; within one call the order decides. Durable.

        10,000 new claims take some 20 ms, also among five million; 10,000 known ones up to 0.2 s.

        Raises:
            WarehouseError: cannot be told now; ask again.
        """
        if not claims:
            return []
        now, believed = self._clock.now(), self._careful.now()
        with self._transaction():
            result = self._answer(claims, now, believed - self._window)
            self._log.forget(believed - self._kept, max(STEP, 2 * len(claims)))
        return result

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, durable at the end, on what all processes know."""
        with sqlite_file.reported(self._path):
            try:
                with sqlite_file.transaction(self._connection):
                    self._log.refresh()
                    yield
            except BaseException:
                self._log.reset()
                raise
            self._log.tidy()

    def _answer(self, claims: Sequence[Claim], now: int, horizon: int) -> Sequence[str]:
        """The owner of each event id. Most are new, and named once: they own theirs, and nothing is to be decided."""
        keys = _event_keys(claims)
        hits = [claim.hit_id for claim in claims]
        refs = self._log.find(keys)
        often = {key for key, times in Counter(keys).items() if times > 1} if len(set(keys)) < len(keys) else set()
        open_ones = refs.keys() | often
        if not open_ones:
            self._log.append(keys, hits, now)
            return hits
        places = [place for place, key in enumerate(keys) if key in open_ones]
        known = self._known([claims[place] for place in places], [refs.get(keys[place]) for place in places])
        decided = decide(known, now, horizon)
        for place, owner in zip(places, decided.result, strict=True):
            hits[place] = owner
        new = [(key, hit) for key, hit in zip(keys, hits, strict=True) if key not in open_ones]
        new += [(_event_key(claim), claim.hit_id) for claim in decided.owners]
        new += [(_answer_key(claim), owner) for claim, owner in decided.answers.items()]
        self._log.append([key for key, _ in new], [name for _, name in new], now)
        return hits

    def _known(self, claims: Sequence[Claim], refs: Sequence[int | None]) -> Iterator[Known]:
        owners = self._log.entries({ref for ref in refs if ref})
        found = [owners.get(ref or 0) for ref in refs]
        asking = [claim for claim, owner in zip(claims, found, strict=True) if owner and owner.name != claim.hit_id]
        answers = self._answers(asking)
        for claim, owner in zip(claims, found, strict=True):
            name, at = owner or (None, 0)
            yield Known(claim, name, at, answers.get(claim))

    def _answers(self, claims: Collection[Claim]) -> Mapping[Claim, str]:
        """What these were told before, if they were."""
        keys = {claim: _answer_key(claim) for claim in claims}
        refs = self._log.find(list(keys.values())) if keys else {}
        entries = self._log.entries(refs.values())
        told = {claim: entries.get(refs[key]) for claim, key in keys.items() if key in refs}
        return {claim: entry.name for claim, entry in told.items() if entry}

    def _restore(self, entries: Iterable[tuple[int, str, int]]) -> None:
        entries = iter(entries)
        while some := list(islice(entries, _RESTORED)):
            keys, names, times = zip(*some, strict=True)
            self._log.append(keys, names, times)

    def _take_over(self) -> None:
        """Move what was written until data version 2: a table of owners and one of answers, with indexes."""
        tables = {name for (name,) in self._connection.execute("select name from sqlite_master where type = 'table'")}
        if "owners" not in tables:
            return
        for table, name, key in (("owners", "hit_id", _event_key), ("answers", "owner", _answer_key)):
            query = f"select site, event_id, hit_id, {name}, claimed_at from {table} order by id"  # noqa: S608 - named above
            rows = self._connection.execute(query)
            self._restore((key(Claim(*row[:3])), row[3], row[4]) for row in rows)
            self._connection.execute(f"drop table {table}")


def _event_keys(claims: Iterable[Claim]) -> list[int]:
    digests = []
    sites: dict[str, Any] = {}  # to go on from a copy takes half as long as to begin
    for site, event, _ in claims:
        if site not in sites:
            sites[site] = _digest(f"{len(site)}:{site}")
        digest = sites[site].copy()
        digest.update(event.encode())
        digests.append(digest.digest())
    return memoryview(b"".join(digests)).cast("Q").tolist()


def _event_key(claim: Claim) -> int:
    return _event_keys((claim,))[0]


def _answer_key(claim: Claim) -> int:
    """The letter keeps it apart from the keys of events, the lengths one claim from another."""
    site, event, hit = claim
    return int.from_bytes(_digest(f"a{len(site)}:{len(event)}:{site}{event}{hit}").digest())


def _digest(text: str) -> Any:
    return blake2b(text.encode(), digest_size=8)
