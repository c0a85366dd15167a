"""Lines of files: numbered, bounded, plain or gzipped, and named by what they say."""

import bz2
import gzip
import io
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.errors import SourceError
from pixelake.operate import lines
from pixelake.operate.lines import Line, Source, opened


def source(data: bytes) -> Source:
    """A file in memory."""
    return Source("f", io.BytesIO(data))


@given(st.binary(max_size=200).map(lambda data: b"." + data.replace(b"\r", b"")), st.integers(1, 9), st.integers(1, 7))
def test_lines_are_those_of_the_bytes(data: bytes, start: int, block: int) -> None:
    """However the blocks fall, and wherever one begins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        found = source(data)
        expected = data.split(b"\n")
        if not expected[-1]:
            expected.pop()
        assert found.lines == len(expected)
        assert list(found.read(1_000, start)) == [
            Line(number, line, False) for number, line in enumerate(expected, 1) if number >= start
        ]


@pytest.mark.parametrize("block", [3, 1 << 20])
def test_long_lines_are_cut(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They count once, and what follows is whole."""
    monkeypatch.setattr(lines, "BLOCK", block)
    data = b"a" * 100 + b"\nb\r\n" + b"c" * 11
    assert list(source(data).read(10)) == [Line(1, b"a" * 10, True), Line(2, b"b", False), Line(3, b"c" * 10, True)]


def test_an_endless_line_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of NULs, as a copied log may be, is one line of which the beginning is held."""
    monkeypatch.setattr(lines, "BLOCK", 1 << 10)
    (line,) = source(gzip.compress(bytes(1 << 24))).read(100)
    assert line == Line(1, bytes(100), True)


def test_the_name_is_that_of_the_content() -> None:
    """Packed or not; and another line is another file."""
    data = b"a\nb\n"
    assert source(data).id == source(gzip.compress(data)).id == source(gzip.compress(b"a\n") + gzip.compress(b"b\n")).id
    assert source(data).id != source(data + b"c\n").id


def test_pipes_are_written_down(tmp_path: Path) -> None:
    """A pipe by its name, and standard input, can be read twice; nothing is left of them."""
    os.mkfifo(tmp_path / "pipe")
    spool = tmp_path / "spool"
    spool.mkdir()
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"a\nb",))
    writer.start()
    for name in (str(tmp_path / "pipe"), "-"):
        with opened(name, spool, io.BytesIO(b"a\nb")) as found:
            assert [line.data for line in found.read(10)] == [line.data for line in found.read(10)] == [b"a", b"b"]
    writer.join()
    assert list(spool.iterdir()) == []


def test_a_file_that_changes(tmp_path: Path) -> None:
    """What is appended is not looked at; what is written over is told."""
    path = tmp_path / "access.log"
    path.write_bytes(b"a\nb\n")
    with opened(str(path), tmp_path, io.BytesIO()) as found:
        with path.open("ab") as log:
            log.write(b"c\n")
        assert [line.data for line in found.read(10)] == [b"a", b"b"]
        path.write_bytes(b"x\ny\n")
        with pytest.raises(SourceError, match="was changed"):
            list(found.read(10))


UNREADABLE = {
    "gzip, cut off": (gzip.compress(os.urandom(1_000))[:-20], "damaged"),
    "gzip, broken": (gzip.compress(bytes(1_000))[:12] + b"x" * 50, "damaged"),
    "bzip2": (bz2.compress(b"a"), "packed with bzip2"),
    "zip": (b"PK\x03\x04....", "packed with zip"),
}


@pytest.mark.parametrize(("data", "told"), UNREADABLE.values(), ids=UNREADABLE)
def test_files_that_cannot_be_read(data: bytes, told: str) -> None:
    """In one line, with a hint."""
    with pytest.raises(SourceError, match=told) as refused:
        source(data)
    assert refused.value.hint
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["missing", ".", "x\0y"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    """There is no such file, it is a folder, or no file can have that name."""
    with pytest.raises(SourceError), opened(str(tmp_path / name), tmp_path, io.BytesIO()):
        pass
