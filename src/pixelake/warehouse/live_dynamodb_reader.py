"""Looks at a live store on DynamoDB, at few requests: it remembers what it saw, and reads what came since.

Nothing new is one small read (the head of the log). Whatever else changed than by
new entries makes a new edition, with which everything remembered is void.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Final, TypeVar

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.warehouse import live_dynamodb_merge as merging
from pixelake.warehouse import live_lists, live_present
from pixelake.warehouse.dynamodb import Table
from pixelake.warehouse.live_base import COLUMNS, MINUTE, MOST_EVENTS, Minute, Now, Recent
from pixelake.warehouse.live_dynamodb_docs import SHARDS, Counts, Places, SiteCounts, shard_of
from pixelake.warehouse.live_dynamodb_log import PLACES, RING, SPAN, Document, Entry, Head, Log
from pixelake.warehouse.live_dynamodb_merge import Kept, Moved
from pixelake.warehouse.live_lists import Top
from pixelake.warehouse.live_sites import INTERVAL, OTHER

T = TypeVar("T")

BLOCK: Final = 100
"""Entries that are read together."""
ENTRIES: Final = 4_096
DOCUMENTS: Final = 512
"""That are remembered at most."""


class DynamoLiveReader:
    """The reader: see `pixelake.warehouse.live_base.Reader`.

    Args:
        table: where the live store is, or will be.
        retention: seconds after which an event and a counter are not shown any more.
        most_events: events that are shown at most.
        clock: the time.
        look: seconds for which it does not look again whether anything is new: a page asks of many sites at once.
    """

    def __init__(
        self,
        table: Table,
        retention: float = 604_800.0,
        most_events: int = MOST_EVENTS,
        clock: Clock = SYSTEM,
        look: float = 0.0,
    ) -> None:
        self._log, self._retention, self._most = Log(table), int(retention * SECOND), most_events
        self._clock, self._wait, self._looked = clock, look, -look
        self._head = Head()
        self._entries: dict[int, Entry] = {}
        self._documents: dict[Document, Kept] = {}
        self._index: tuple[int, dict[int, int]] | None = None

    def after(self, cursor: int, limit: int) -> list[Recent]:
        """The newest `limit` events behind `cursor`, oldest first; one of a store that was wiped starts anew.

        Raises:
            WarehouseError: it cannot be read.
        """
        head = self._look()
        if cursor == head.last:
            return []
        behind = cursor if cursor < head.last else 0
        found = takewhile(lambda row: row.cursor > behind, self._back(head, behind // SPAN))
        return list(islice(found, limit))[::-1]

    def newest(self, limit: int, site: str | None = None) -> list[Recent]:
        """The newest events, newest first; of a site at most `live_dynamodb_docs.REFS`.

        Raises:
            WarehouseError: it cannot be read.
        """
        if site is None:
            return list(islice(self._back(self._look()), limit))
        return self._until_still(lambda head: list(islice(self._of_site(head, site), limit)))

    def minutes(self, since: int, site: str | None = None) -> list[Minute]:
        """The counts of each minute from the one that `since` (microseconds UTC) is in, oldest first.

        Raises:
            WarehouseError: it cannot be read.
        """
        found: Counter[tuple[int, str, str]] = Counter()
        first = max(since // MINUTE * MINUTE, self._oldest() - MINUTE)
        for name, own in self._until_still(lambda head: self._counts(head, first, site)):
            for minute, names in own.minutes.items():
                if minute >= first:
                    found.update({(minute, name, what): count for what, count in names.items()})
        return [Minute(name, minute, what, found[minute, name, what]) for minute, name, what in sorted(found)]

    def by_minute(self, since: int, site: str | None = None) -> dict[int, dict[str, int]]:
        """The same by the minute and by name, of a site or of all together; up to a minute from now.

        Raises:
            WarehouseError: it cannot be read.
        """
        first, last = max(since // MINUTE * MINUTE, self._oldest() - MINUTE), self._clock.now() + MINUTE
        found: dict[int, Counter[str]] = {}
        for _, own in self._until_still(lambda head: self._counts(head, first, site)):
            for minute, names in own.minutes.items():
                if first <= minute < last and names:
                    found.setdefault(minute, Counter()).update(names)
        return {minute: dict(names) for minute, names in found.items()}

    def now(self, window_seconds: float, site: str | None = None) -> Now:
        """The people of the last seconds, at most half an hour. Who has no visitor id is in the hits only.

        Raises:
            WarehouseError: it cannot be read.
        """
        now = self._clock.now()
        since = now - int(window_seconds * SECOND)
        found = []
        for entry in self._since(self._look(), now - live_present.KEPT - MINUTE):
            is_all = site is None and entry.together.newest > since
            rows = [entry.together] if is_all else entry.here if site is None else entry.by_site.get(site, ())
            found += [(row.times, row.marks, row.before) for row in rows if row.newest > since]
        return Now(*live_present.count(found, since, now + MINUTE))

    def top(self, name: str, site: str | None, since: int, limit: int) -> list[Top]:
        """The most frequent values of a list (`live_lists.NAMES`) from the interval on that `since` is in.

        Raises:
            WarehouseError: it cannot be read.
        """
        first = max(since // INTERVAL * INTERVAL, self._oldest() - INTERVAL)
        found: Counter[str] = Counter()
        for _, own in self._until_still(lambda head: self._counts(head, first, site)):
            found.update(own.lists.get(name, {}))
        return live_lists.top(list(found.items()), limit)

    def _oldest(self) -> int:
        """Of what may still be shown; microseconds UTC."""
        return self._clock.now() - self._retention

    def _look(self) -> Head:
        """How far the log is. Forgets what is void."""
        now = self._clock.monotonic()
        if now - self._looked < self._wait:
            return self._head
        head, self._looked = self._log.head(), now
        if head.edition != self._head.edition or head.number < self._head.number:
            self._entries.clear()
            self._documents.clear()
            self._index = None
        for number in range(self._head.merged + 1, head.merged + 1):
            if number in self._entries:
                self._entries[number] = self._entries[number].slim()
        self._head = head
        return head

    def _until_still(self, ask: Callable[[Head], T]) -> T:
        """An answer that nobody moved entries under."""
        while True:
            try:
                return ask(self._look())
            except Moved:
                self._entries.clear()
                self._documents.clear()
                self._looked = -self._wait

    def _read(self, numbers: Iterable[int]) -> Sequence[Entry]:
        """Those of these entries that are there, in their order."""
        wanted = sorted(numbers)
        for number, entry in self._log.read(number for number in wanted if number not in self._entries).items():
            self._entries[number] = entry.slim() if number <= self._head.merged else entry
        found = [self._entries[number] for number in wanted if number in self._entries]
        if len(self._entries) > ENTRIES:
            kept = sorted(self._entries)[-ENTRIES // 2 :]
            self._entries = {number: self._entries[number] for number in kept}
        return found

    def _backwards(self, last: int, first: int, block: int) -> Iterator[Entry]:
        """The entries from one back to another; more and more are read together, until none is there."""
        while last >= first:
            start = max(first, last - block + 1)
            found = self._read(range(start, last + 1))
            if not found:
                return
            yield from reversed(found)
            last, block = start - 1, min(BLOCK, 2 * block)

    def _back(self, head: Head, until: int = 0) -> Iterator[Recent]:
        """Events, newest first, to the entry `until`."""
        for entry in self._backwards(head.last // SPAN, max(head.oldest, until), 1):
            if entry.total <= head.total - self._most or entry.written < self._oldest() - INTERVAL:
                return
            yield from self._events(head, entry)

    def _events(self, head: Head, entry: Entry, only: Collection[int] | None = None) -> Iterator[Recent]:
        """Those of an entry that may still be shown, newest first; of these cursors, if they are told."""
        oldest, before, shown = self._oldest(), entry.total - entry.count, entry.shown
        for at, place in reversed(list(enumerate(shown.places))):
            cursor = entry.number * SPAN + place
            is_shown = shown.columns["received_at"][at] >= oldest and before + place >= head.total - self._most
            if is_shown and (only is None or cursor in only):
                row = shown.row(at)
                yield Recent(cursor, {name: row.get(name) for name in COLUMNS})

    def _of_site(self, head: Head, site: str) -> Iterator[Recent]:
        known = self._kept(head, [(PLACES, shard_of(site))])
        listed = [cursor for body in known if isinstance(body, Places) for cursor in body.sites.get(site, ())]
        cursors = {cursor for cursor in listed if cursor >= head.oldest * SPAN}
        numbers, block = sorted({cursor // SPAN for cursor in cursors}), 1
        while numbers:
            for entry in reversed(self._read(numbers[-block:])):
                yield from self._events(head, entry, cursors)
            del numbers[-block:]
            block *= 4

    def _since(self, head: Head, oldest: int) -> Iterator[Entry]:
        """The entries that were written since then, newest first."""
        return takewhile(lambda entry: entry.written > oldest, self._backwards(head.number, head.oldest, BLOCK))

    def _counts(self, head: Head, first: int, site: str | None) -> list[tuple[str, SiteCounts]]:
        """What was counted of a site, or of each, in the intervals from the one on that `first` is in."""
        shards = range(SHARDS) if site in (None, OTHER) else (shard_of(str(site)),)
        start = first // INTERVAL * INTERVAL
        there = set(merging.documents(self._known(head)))
        there.update(name for entry in self._tail(head) for name in entry.touched)
        names = sorted(name for name in there if name[0] >= start and name[0] != PLACES and name[1] in shards)
        bodies = [body for body in self._kept(head, names) if isinstance(body, Counts)]
        return [each for body in bodies for each in body.sites.items() if site in (None, each[0])]

    def _known(self, head: Head) -> dict[int, int]:
        """The index of documents."""
        if self._index is None or self._index[0] != head.merged:
            self._index = head.merged, merging.index(self._log)
        return self._index[1]

    def _tail(self, head: Head) -> Sequence[Entry]:
        """The entries that are in no documents yet."""
        return self._read(range(max(head.merged + 1, head.number - RING + 1), head.number + 1))

    def _kept(self, head: Head, names: Sequence[Document]) -> list[Counts | Places]:
        """Documents as they are with all entries."""
        tail = self._tail(head)
        fresh = {name for name in names if (known := self._documents.get(name)) and known.upto >= head.merged}
        if len(self._documents) > DOCUMENTS:
            self._documents = {name: self._documents[name] for name in fresh}
        found = merging.read(self._log, [name for name in names if name not in fresh])
        for name in names:
            document = found.get(name) or self._documents[name]
            document.upto = max(document.upto, head.merged)  # entries up to there that are not in it did nothing to it
            document.take(tail)
            found[name] = self._documents[name] = document
        return [found[name].body for name in names]
