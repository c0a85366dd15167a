"""What decides how a hit is judged: dialects, schemas, lists, enrichers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pixelake.build.stores import registry, seen
from pixelake.errors import (
    SettingsError,
)
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.dialects.base import Dialect
    from pixelake.transform.enrich.geo import Geo
    from pixelake.transform.enrich.own import Own
    from pixelake.transform.judge import Judge
    from pixelake.transform.rules import Rules
    from pixelake.transform.schemas import Schemas


def dialects(settings: Settings) -> "Sequence[Dialect]":
    """Every protocol that is spoken here.

    Raises:
        SettingsError: an alias means nothing.
    """
    from pixelake.dialects.aliases import checked
    from pixelake.dialects.native import Native

    return (Native(checked(settings.aliases)),)


def geo(settings: Settings) -> "Geo | None":
    """What tells the place of an address; None without a file of addresses.

    Raises:
        SettingsError: the geo file is missing, or is none.
    """
    from pixelake.transform.enrich.geo import Geo
    from pixelake.transform.enrich.geo_file import GeoFile

    return Geo(GeoFile(Path(settings.geo_file))) if settings.geo_file else None


def check_enrichers(settings: Settings) -> None:
    """Refuse enrichers that cannot be made, before anything is. Only who judges hits needs them.

    Raises:
        SettingsError: the geo file is missing, or is none; a list, or an enricher of the user's, cannot be used.
    """
    rules(settings)


def own_enrichers(settings: Settings) -> "Sequence[Own]":
    """The user's own enrichers, imported.

    Raises:
        SettingsError: one cannot be imported, or cannot be as it is declared.
    """
    from pixelake.transform.enrich.own import load_own

    return load_own(settings.enrichers)


def lists(settings: Settings) -> Path:
    """Where the user's lists are, for `pixelake.transform.enrich.lists.load`; the folder need not exist.

    Raises:
        SettingsError: it was named, but there is none.
    """
    folder = Path(settings.lists) if settings.lists else settings.data / "lists"
    if settings.lists and not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}", "name an existing one with --lists, or none")
    return folder


def schemas(settings: Settings) -> "Schemas":
    """The user's JSON Schemas, compiled.

    Raises:
        SettingsError: the named folder is not there, or a file in it is no JSON Schema.
    """
    folder = Path(settings.schemas) if settings.schemas else settings.data / "schemas"
    if settings.schemas and not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}", "name an existing one with --schemas, or none")
    from pixelake.transform.schemas import load

    return load(folder)


def rules(settings: Settings) -> "Rules":
    """What decides how a hit is judged.

    Raises:
        SettingsError: something that it is read from is missing or wrong.
    """
    from pixelake.transform.enrich.geo import cdn_of
    from pixelake.transform.enrich.table import make_enrichers
    from pixelake.transform.rules import Known, make_rules

    places = geo(settings)
    known = Known(
        schemas=schemas(settings),
        enrichers=make_enrichers(lists(settings), places, cdn_of(settings.geo_headers, settings.client_header)),
        own=own_enrichers(settings),
        refresh=places.refresh if places else Known().refresh,
    )
    return make_rules(settings, dialects(settings), known)


def judge(settings: Settings, by: "Rules | None" = None, *, named: bool = False) -> "Judge":
    """What makes outcomes of hits, by these rules; `named` is of `Judge`."""
    from pixelake.transform.judge import Judge

    return Judge(by or rules(settings), registry(settings), seen(settings), named=named)
