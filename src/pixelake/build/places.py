"""Where each backend keeps its data, and whether that can be: asks nobody but the disk, except for a bucket."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pixelake.errors import (
    LakeUnavailable,
    LakeUnreachable,
    SettingsError,
)
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.warehouse.place import Place


LAKE_WINDOW: Final = 5.0
LAKE_WINDOW_REMOTE: Final = 60.0
"""Seconds between writes of the lake on a disk, and of one in a bucket, where each costs some requests."""
BUCKET: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/+(?P<prefix>[^?#\s]*[^?#\s/])/*")


def place_of(settings: Settings, name: str, *default: str) -> Path:
    """Where an embedded backend keeps its data: in the data folder, or where a ``file:`` URL says.

    Raises:
        SettingsError: the URL is of another backend.
    """
    hint = f"write file:///absolute/path, or nothing for {'/'.join(('<data>', *default))}"
    try:
        url = urlsplit(getattr(settings, name))
    except ValueError:
        raise SettingsError(f"{name} is no URL", hint) from None
    if not any(url):
        return settings.data.joinpath(*default)
    if url.scheme == "file" and not url.netloc and url.path:
        return Path(url.path)
    # the URL may hold a password: only its scheme is told
    raise SettingsError(f"{name}: there is no backend for {url.scheme or 'this'}:// URLs", hint)


def lake_place(settings: Settings) -> "Place":
    """Where the lake is: a folder, or one in a bucket (``s3://bucket/prefix``). Asks nobody.

    Raises:
        SettingsError: the URL is of another backend, or what it needs is not installed.
    """
    if not settings.lake.startswith("s3://"):
        return place_of(settings, "lake", "lake")
    found = BUCKET.fullmatch(settings.lake)
    if not found:
        raise SettingsError("lake names no bucket and prefix", "write s3://bucket/prefix; who we are is told by AWS_*")
    try:
        from pixelake.warehouse import objects
    except ImportError as error:
        raise SettingsError(f"the lake is on S3, but {error.name} is missing", "pip install 'pixelake[s3]'") from None
    return objects.lake(found["bucket"], found["prefix"], settings.data / "spill")


def lake_window(settings: Settings) -> float:
    """Seconds between writes of the lake: as set, else what suits where it is."""
    return settings.lake_window or (LAKE_WINDOW_REMOTE if settings.lake.startswith("s3://") else LAKE_WINDOW)


def check_lake(settings: Settings) -> None:
    """Refuse a lake that cannot be looked into, before anything is made. A disk says so when it is opened.

    A lake that was there before and is out of reach just now is no reason not to
    collect: the consumer waits for it.

    Raises:
        SettingsError: there is no such backend.
        LakeUnavailable: the bucket is not there, or does not let us in.
    """
    place = lake_place(settings)
    if isinstance(place, Path):
        return
    try:
        place.check()
    except LakeUnreachable:
        if not was_open(settings):
            raise


def was_open(settings: Settings) -> bool:
    """Whether a consumer has opened a lake here before, so that the settings are hardly at fault."""
    return badges_at(settings).exists()  # is made right behind it


def check_not_gone(settings: Settings) -> None:
    """Refuse to begin a new lake in the place of one that was there: its disk may not be mounted just now."""
    from pixelake.warehouse.delta_log import EVENTS_FOLDER, LOG

    place = lake_place(settings)
    if isinstance(place, Path) and was_open(settings) and not (log := place / EVENTS_FOLDER / LOG).is_dir():
        raise LakeUnavailable(
            f"the lake {place} is gone", f"mount it or restore it; to begin a new one there: mkdir -p {log}"
        )


def badges_at(settings: Settings) -> Path:
    """The file with what badges count."""
    return settings.data / "live" / "badges.sqlite"
