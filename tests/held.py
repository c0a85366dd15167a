"""Which files of a data folder hold a name: a raw look, written apart from the program's own."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
import zstandard


def everything(data: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file with its bytes, and what compressed ones hold: written apart from the program's own scan."""
    for path in (each for each in data.rglob("*") if each.is_file()):
        found = path.read_bytes()
        yield path, found
        if found[:4] == b"PAR1":
            names = pq.read_schema(path).names
            table = pq.ParquetFile(path).read()
            yield path, repr([table[name].to_pylist() for name in names]).encode()
        if found[:2] == b"\x1f\x8b":
            yield path, gzip.decompress(found)
        for at in _all(found, b"\x28\xb5\x2f\xfd"):
            try:
                unpacked = zstandard.ZstdDecompressor().stream_reader(memoryview(found)[at:]).read()  # one frame
            except zstandard.ZstdError:
                continue
            yield path, unpacked
            for start in _all(unpacked, b"\x1f\x8b"):
                try:
                    yield path, zlib.decompressobj(wbits=31).decompress(unpacked[start:])
                except zlib.error:
                    continue


def _all(data: bytes, magic: bytes) -> Iterator[int]:
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


def ways(name: str) -> list[str]:
    """How a name may be written: as it is, percent-encoded once and twice, in JSON, and in JSON as text."""
    coded, as_json = quote(name, safe=""), json.dumps(name)
    found = [name, coded, quote(name), quote(coded, safe=""), as_json[1:-1], json.dumps(as_json)[3:-3]]
    return [*found, *(repr(way)[1:-1] for way in found)]


def holding(data: Path, name: str) -> set[str]:
    """The files that hold a name."""
    needles = [*(way.encode() for way in ways(name)), name.encode("utf-16-le")]
    return {str(path.relative_to(data)) for path, found in everything(data) if any(each in found for each in needles)}
