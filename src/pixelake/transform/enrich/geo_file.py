"""The user's geo database, in MaxMind's format; read again when it changes.

It is read from a private copy: the file itself may be written over while it is
in use, and one that is mapped into memory and cut short ends the process.
"""

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from pixelake.address import packed, written
from pixelake.cache import bounded
from pixelake.errors import SettingsError

REMEMBERED: Final = 65_536
"""Addresses. A first look takes 17 µs: a record is made into objects whole, with its names in eight languages."""

_HINT: Final = "geo_file is a file in MaxMind's format (.mmdb), with cities or countries"
_CODE: Final = re.compile(r"[A-Z0-9]{1,3}")
_NAMES: Final = ("en", "de", "fr", "es")


class Place(NamedTuple):
    """Where an address is, as far as that is known.

    Attributes:
        country: ISO 3166-1, two letters.
        region: ISO 3166-2, with its country: ``US-CA``.
        city: in English, else as it is written.
        timezone: IANA.
    """

    country: str | None
    region: str | None
    city: str | None
    timezone: str | None


NOWHERE: Final = Place(None, None, None, None)

_Signature = tuple[int, int, int]
_GONE: Final[_Signature] = (0, 0, 0)
_PROBES: Final = tuple(f"{first}.1.1.1" for first in range(1, 224))
"""Looked up in a new file before it counts: it may have been cut and put together again."""


class GeoFile:
    """Looks addresses up. One thread.

    Args:
        path: the database.

    Raises:
        SettingsError: it is missing, or is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._look_up: Callable[[str], Place]
        try:
            self._seen = _signature(path)
            self._open()
        except (OSError, ValueError) as error:
            raise SettingsError(f"geo_file {path} cannot be used: {_why(error)}", _HINT) from error

    def look_up(self, address: str) -> Place:
        """Where an address is; `NOWHERE` if it is none, or the file does not know it. Never raises."""
        return self._look_up(address)

    def refresh(self) -> None:
        """Take the file as it is now. To be asked between batches; takes one `stat` if it is the same.

        A file that cannot be used changes nothing: the old one stays, with a warning.
        """
        now, gone = _GONE, None
        try:
            now = _signature(self._path)
        except OSError as error:
            gone = error
        if now == self._seen:
            return
        self._seen = now
        try:
            if gone:
                raise gone
            self._open()
        except (OSError, ValueError) as error:
            message = "the geo file cannot be used; what it said before still counts"
            structlog.get_logger().warning(message, file=str(self._path), error=_why(error))
        else:
            structlog.get_logger().info("the geo file was read again", file=str(self._path))

    def _open(self) -> None:
        """Look up in the file as it is now, with a cache of its own."""
        database = _copied(self._path)

        def look_up(address: str) -> Place:
            data = packed(address)
            if data is None:
                return NOWHERE
            try:
                return _place(database.get(written(data)))
            except (ValueError, RuntimeError):  # IPv6 in a file of IPv4; a damaged record that no probe has met
                return NOWHERE

        self._look_up = bounded(REMEMBERED)(look_up)


def _signature(path: Path) -> _Signature:
    """Raises OSError: it is not there, or is a folder, a pipe or a device, which may never end."""
    found = os.stat(path)  # noqa: PTH116 - one call of the system
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file")
    return found.st_mtime_ns, found.st_ino, found.st_size


def _copied(path: Path) -> Any:
    """A reader of a copy that nobody else can write to, and that is gone with it.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no database.
    """
    import maxminddb  # noqa: PLC0415 - only who names a file pays for it

    with tempfile.NamedTemporaryFile(prefix="pixelake-geo-") as copy:
        with path.open("rb") as file:
            shutil.copyfileobj(file, copy)
        copy.flush()
        try:
            database = maxminddb.open_database(copy.name)
            for probe in _PROBES:
                database.get(probe)
        except maxminddb.InvalidDatabaseError:
            raise ValueError("it is no database in MaxMind's format, or not all of it") from None
    return database


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _place(record: Any) -> Place:
    """The place of a record: of MaxMind's and DB-IP's files, whose parts are maps, or of IPinfo's, which is flat."""
    if not isinstance(record, Mapping):
        return NOWHERE
    country = _country(record)
    if country is None:
        return NOWHERE
    divisions = record.get("subdivisions")
    division = divisions[0] if isinstance(divisions, list) and divisions else None
    code = _text(division, "iso_code") or _text(record, "region_code")
    location = record.get("location")
    return Place(
        country,
        f"{country}-{code}" if code and _CODE.fullmatch(code) else None,
        _city(record.get("city")),
        _text(location, "time_zone") or _text(record, "timezone"),
    )


def _country(record: Mapping[str, Any]) -> str | None:
    """Where it is, else where it is registered."""
    found = next(
        filter(None, (_text(record.get(name), "iso_code") for name in ("country", "registered_country"))), None
    )
    code = found or _text(record, "country_code") or _text(record, "country")
    return code if code and len(code) == 2 and code.isascii() and code.isupper() else None


def _city(city: Any) -> str | None:
    if isinstance(city, str):
        return city or None
    names = city.get("names") if isinstance(city, Mapping) else None
    if not isinstance(names, Mapping):
        return None
    return next((names[language] for language in _NAMES if isinstance(names.get(language), str)), None)


def _text(record: Any, name: str) -> str | None:
    found = record.get(name) if isinstance(record, Mapping) else None
    return found if isinstance(found, str) and found else None
