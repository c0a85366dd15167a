"""Where each backend keeps its data, and whether that can be: asks nobody but the disk, except for a bucket."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pixelake.errors import (
    LakeUnavailable,
    LakeUnreachable,
    PixelakeError,
    RegistryUnavailable,
    SettingsError,
)
from pixelake.hit_json import longest_body
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.warehouse.dynamodb import Table
    from pixelake.warehouse.place import Place


LAKE_WINDOW: Final = 5.0
LAKE_WINDOW_REMOTE: Final = 60.0
"""Seconds between writes of the lake on a disk, and of one in a bucket, where each costs some requests."""
REMOTE: Final = {"sqs": "queue", "kinesis": "stream"}
"""Scheme of a stream of AWS -> what it names."""
MESSAGE: Final = 1 << 20
"""Bytes that such a stream carries at once."""
REGISTRY: Final = ("registry", "registry.sqlite")
"""Where an embedded registry is, in the data folder."""
LIVE: Final = ("live", "live.sqlite")
"""Where an embedded live store is."""
TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}/?")
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


def table_of(settings: Settings, name: str) -> str:
    """The table of DynamoDB that this setting names (``dynamodb://TABLE``); empty if it names none.

    Raises:
        SettingsError: no table can be called so.
    """
    url: str = getattr(settings, name)
    scheme, _, rest = url.partition("://")
    if scheme != "dynamodb":
        return ""
    if not TABLE.fullmatch(rest):
        hint = "write dynamodb://TABLE, 3 to 255 of a to z, A to Z, digits, `_`, `-` and `.`; AWS_REGION says where"
        raise SettingsError(f"{name} names no table", hint)
    return rest.rstrip("/")


def registry_file(settings: Settings) -> Path:
    """The file of an embedded registry.

    Raises:
        SettingsError: the registry is no file, or there is no such backend.
    """
    if table := table_of(settings, "registry"):
        raise SettingsError(
            f"the registry is in the table {table}, and this works on one that is a file", "leave --registry out"
        )
    return place_of(settings, "registry", *REGISTRY)


def live_file(settings: Settings) -> Path:
    """The file of an embedded live store; there is none if that is a table.

    Raises:
        SettingsError: there is no such backend.
    """
    return settings.data.joinpath(*LIVE) if table_of(settings, "live") else place_of(settings, "live", *LIVE)


def erasures_place(settings: Settings) -> "Place":
    """The folder of the log of erasures: beside the file of the registry, else in the lake, where functions see it.

    Raises:
        SettingsError: there is no such backend.
    """
    if table_of(settings, "registry"):
        return lake_place(settings) / "_erasures"
    return registry_file(settings).parent


def remote_stream(settings: Settings) -> tuple[str, str] | None:
    """The scheme and the name of a stream of AWS; None if it is embedded.

    Raises:
        SettingsError: it has no name.
    """
    scheme, _, name = settings.stream.partition("://")
    if scheme not in REMOTE:
        return None
    if not name.strip("/"):
        raise SettingsError(f"stream names no {REMOTE[scheme]}", f"write {scheme}://name; who we are is told by AWS_*")
    return scheme, name


def queue_name(settings: Settings, secret: Callable[[str], str]) -> str:
    """What a stream that keeps no order is called in the sinks of this installation; empty if it keeps one.

    Args:
        settings: say which.
        secret: tells the secrets of the installation: without one, another would call a queue of that name the same.

    Raises:
        SettingsError: it has no name.
    """
    where = remote_stream(settings)
    if not where:
        return ""
    scheme, address = where
    return partition_of(scheme, address.partition("?")[0].rstrip("/").rpartition("/")[2], secret)


def partition_of(scheme: str, name: str, secret: Callable[[str], str]) -> str:
    """What a queue or stream of that name is called in the sinks; see `queue_name`."""
    return f"{scheme}-{hashlib.sha256(secret(f'queue/{scheme}/{name}').encode()).hexdigest()[:12]}"


def stream_place(settings: Settings) -> Path:
    """Where the stream keeps what is on this machine: its hits; of one of AWS how far it was read, at most."""
    return settings.data / "stream" if remote_stream(settings) else place_of(settings, "stream", "stream")


def carried(settings: Settings) -> Settings:
    """The settings of a collector: a body is refused at the door if a message of the stream might not hold its hit."""
    if not remote_stream(settings):
        return settings
    return replace(settings, max_body=min(settings.max_body, longest_body(MESSAGE, settings.max_head)))


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


def check_registry(settings: Settings) -> None:
    """Refuse a registry that is a link to nothing, or a table that is none, before anything is made.

    Who does not answer just now may do so later.

    Raises:
        RegistryUnavailable: a disk may not be mounted; there is no such table, or it does not let us in.
        SettingsError: there is no such backend, or what it needs is not installed.
    """
    if name := table_of(settings, "registry"):
        table(name).check(patient=True)
        return
    from pixelake.registry.file import check_link

    check_link(registry_file(settings))


def table(name: str, failure: type[PixelakeError] = RegistryUnavailable) -> "Table":
    """A table of DynamoDB; asks nobody. What fails of it raises `failure`.

    Raises:
        SettingsError: what it needs is not installed.
    """
    try:
        from pixelake.warehouse.dynamodb import Table
    except ImportError as error:
        missing = f"a table of DynamoDB is named, but {error.name} is missing"
        raise SettingsError(missing, "pip install 'pixelake[aws]'") from None
    return Table(name, failure=failure)


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
