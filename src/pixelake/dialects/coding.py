"""The bytes of a body: its content coding and its charset, both ways."""

import gzip
import zlib
from typing import Final

from pixelake.dialects.base import Fault
from pixelake.dialects.text import text

MAX_BODY: Final = 2 << 20
"""Bytes of an unpacked body; a gzip bomb ends here."""

MAX_ESCAPES: Final = 50_000
"""Bytes of a body that are no UTF-8 and become escapes, each of three letters."""

_GZIP: Final = (b"gzip", b"x-gzip")
_CHARSETS: Final = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
"""Charsets that are read; latin-1 as browsers read it. Others are read as UTF-8, which keeps their bytes."""


class BodyError(Exception):
    """A body that cannot be read. Never leaves the dialects."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(reason, "body", message)


def type_and_encoding(headers: bytes) -> tuple[bytes, bytes]:
    """The values of Content-Type and Content-Encoding, in lower case. A fifth of the time of `Hit.header`, twice."""
    lowered = b"\r\n" + headers.lower()
    return _header(lowered, b"\r\ncontent-type:"), _header(lowered, b"\r\ncontent-encoding:")


def _header(lowered: bytes, name: bytes) -> bytes:
    return lowered.partition(name)[2].partition(b"\r\n")[0].strip()


def unpack(body: bytes, encoding: bytes) -> bytes:
    """The body without its content coding.

    Raises:
        BodyError: it is damaged, too large, or in a coding that nobody reads.
    """
    if encoding.lower() not in _GZIP:
        if encoding.lower() not in (b"", b"identity"):
            raise BodyError("body_unreadable", f"content encoding {text(encoding)[:40]}")
        return body
    decompressor = zlib.decompressobj(wbits=31)  # 31: with a gzip header
    try:
        unpacked = decompressor.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise BodyError("body_unreadable", f"gzip: {error}") from error
    if len(unpacked) > MAX_BODY:
        raise BodyError("body_too_large", f"unpacks to more than {MAX_BODY} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise BodyError("body_unreadable", "gzip: cut off" if not decompressor.eof else "gzip: more than one member")
    return unpacked


def as_utf8(body: bytes, content_type: bytes) -> bytes:
    """The body in UTF-8; bytes that are none stay, as escapes.

    Raises:
        BodyError: it is not in the charset that its type names.
    """
    charset = _charset(content_type)
    if charset != "utf-8":
        try:
            return body.decode(charset).encode()
        except UnicodeDecodeError as error:
            if charset != "cp1252":
                raise BodyError("body_unreadable", f"not {charset}") from error
            return body.decode("latin-1").encode()
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        body.decode()
    except UnicodeDecodeError:
        if len(body) - len(body.decode(errors="ignore").encode()) > MAX_ESCAPES:
            raise BodyError("body_unreadable", "not utf-8") from None
        return text(body).encode()
    return body


def as_sent(readable: bytes, content_type: bytes, encoding: bytes) -> bytes:
    """A body as `unpack` and `as_utf8` read it, in the charset and the coding that its headers name."""
    charset = _charset(content_type)
    if charset != "utf-8":
        readable = readable.decode().encode(charset, "replace")
    return gzip.compress(readable, compresslevel=1, mtime=0) if encoding.lower() in _GZIP else readable


def _charset(content_type: bytes) -> str:
    _, _, parameters = text(content_type).lower().partition("charset=")
    return _CHARSETS.get(parameters.partition(";")[0].strip(" \"'"), "utf-8")
