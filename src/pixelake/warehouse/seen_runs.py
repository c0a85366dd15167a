"""Sorted runs of keys, in files that are mapped and never changed: what `seen_sqlite` knows of older claims.

A file holds as many keys (unsigned, 64 bits, little-endian, ascending) and then
as many references, each behind the same place. Of a key that is there more than
once the last reference counts: it is the newest.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.warehouse import durable

_WIDTH: Final = 8
"""Bytes of a key, and of a reference."""


class Run(NamedTuple):
    """Keys in ascending order and the reference of each: two Arrow arrays (uint64) of one length."""

    keys: Any
    refs: Any

    def __len__(self) -> int:
        return len(self.keys)


def of(entries: dict[int, int]) -> Run:
    """A run of these keys and references, in memory."""
    return _sorted(pa.array(entries.keys(), pa.uint64()), pa.array(entries.values(), pa.uint64()))


def merged(runs: Sequence[Run], oldest: int) -> Run:
    """One run of several, given from old to new, without references below `oldest`; in memory, 40 bytes a key."""
    keys = pa.concat_arrays([run.keys for run in runs])
    refs = pa.concat_arrays([run.refs for run in runs])
    alive = pc.greater_equal(refs, pa.scalar(oldest, pa.uint64()))
    return _sorted(keys.filter(alive), refs.filter(alive))


def write(path: Path, run: Run) -> None:
    """Make the file, durably.

    Raises:
        OSError: it is not known to be durable.
    """

    def fill(file: IO[bytes]) -> None:
        for column in run:
            file.write(column.buffers()[1][: _WIDTH * len(run)])

    durable.write(path, fill)


def read(path: Path, length: int) -> Run:
    """The run in a file, mapped: its pages are the kernel's to keep or to drop.

    Raises:
        OSError: it cannot be mapped, or does not hold `length` keys.
    """
    with pa.memory_map(str(path)) as file:
        if file.size() != 2 * _WIDTH * length:
            raise OSError(f"{path} has {file.size()} bytes for {length} keys")
        return Run(
            *(pa.Array.from_buffers(pa.uint64(), length, [None, file.read_buffer(_WIDTH * length)]) for _ in "kr")
        )


_search_sorted: Any = pc.search_sorted  # type: ignore[attr-defined]  # newer than the stubs


def find(runs: Iterable[Run], keys: Sequence[int]) -> dict[int, int]:
    """The reference of each key that is in one of the runs, given from old to new. 0.1 µs a key and run."""
    needles = pa.array(keys, pa.uint64())
    needles = needles.take(pc.sort_indices(needles))  # neighbours share what they touch: half of the time
    found: dict[int, int] = {}
    for run in runs:
        if not len(run):
            continue
        behind = _search_sorted(run.keys, needles, side="right")
        places = pc.subtract(pc.max_element_wise(behind, pa.scalar(1, pa.uint64())), pa.scalar(1, pa.uint64()))
        same = pc.equal(run.keys.take(places), needles)
        if pc.any(same).as_py():
            found.update(zip(_numbers(needles.filter(same)), _numbers(run.refs.take(places.filter(same))), strict=True))
    return found


def _numbers(array: Any) -> list[int]:
    numbers: list[int] = array.to_pylist()
    return numbers


def _sorted(keys: Any, refs: Any) -> Run:
    order = pc.sort_indices(keys)  # stable: of equal keys the newest stays last
    return Run(keys.take(order), refs.take(order))
