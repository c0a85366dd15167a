"""Settings become objects: the only folder that names every backend.

A role imports only what it runs, inside its function: a collector must not pay
for pyarrow, and a misspelt flag must be answered at once.
"""

from pathlib import Path

from pixelake.build.catalogue import registered
from pixelake.build.erasing import erase, erase_again, export_person, unfinished_erasures
from pixelake.build.judging import check_enrichers, dialects, judge, rules, schemas
from pixelake.build.keeping import house, replay, rerun, status
from pixelake.build.places import (
    check_lake,
    check_not_gone,
    check_registry,
    erasures_place,
    lake_place,
    lake_window,
    live_file,
    place_of,
    stream_place,
)
from pixelake.build.restoring import restore
from pixelake.build.roles import ROLES, consumer
from pixelake.build.saving import backup, backups, check_backups, reckon
from pixelake.build.stores import (
    asked_lake,
    badge_store,
    check_stream,
    lake,
    lake_reader,
    lakehouse,
    live_reader,
    live_store,
    publish_badges,
    reader,
    registry,
    seen,
    watcher,
    writer,
)
from pixelake.build.transfer import abandon_imports, check_demo, demo_past, export, import_files
from pixelake.settings import Settings
from pixelake.settings import check as check_values

__all__ = [
    "ROLES",
    "abandon_imports",
    "asked_lake",
    "backup",
    "backups",
    "badge_store",
    "check",
    "check_backups",
    "check_demo",
    "check_enrichers",
    "check_lake",
    "check_not_gone",
    "check_registry",
    "check_stream",
    "consumer",
    "demo_past",
    "erase",
    "erase_again",
    "export",
    "export_person",
    "house",
    "import_files",
    "judge",
    "lake",
    "lake_reader",
    "lake_window",
    "lakehouse",
    "live_reader",
    "live_store",
    "publish_badges",
    "reader",
    "reckon",
    "registered",
    "registry",
    "replay",
    "rerun",
    "restore",
    "rules",
    "seen",
    "status",
    "unfinished_erasures",
    "watcher",
    "writer",
]


def check(settings: Settings) -> None:
    """Refuse settings that no role could start with, before anything is made.

    Raises:
        SettingsError: a value is out of range, there is no such backend, a certificate cannot be used, or a
            schema is none.
    """
    check_values(settings)
    dialects(settings)
    schemas(settings)
    if settings.tls_certificate:
        from pixelake.collect import tls

        tls.context(Path(settings.tls_certificate), Path(settings.tls_key))
    if settings.report_to or settings.report_sites or settings.smtp:
        from pixelake.operate.report import plan

        plan.check(settings)
    stream_place(settings)
    place_of(settings, "files", "files")
    live_file(settings)
    lake_place(settings)
    erasures_place(settings)
