"""What keeps a demo apart from what is somebody's own: whose word it hears, and which folders it does not enter."""

from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from pixelake.errors import DataFolderError
from pixelake.operate.demo_world import MARK
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import ENVIRONMENT_PREFIX

HEARD: Final = ("collect", "web", "web_hosts", "workers", "log_level")
"""Settings that the environment may name: a container says there where to listen."""
NEVER: Final = (
    *("config", "stream", "lake", "files", "live", "registry"),
    *("report_sites", "report_to", "report_from", "smtp"),
)
"""What not even a flag may name: places outside of the demo's folder, and people."""
_KEPT: Final = ("lake", "files", "live", "seen")
"""In a data folder: what a consumer makes after the registry. Without one beside them, that is elsewhere."""


def forbidden(flags: Collection[str]) -> str | None:
    """The first of these names, without dashes in front, that a demo cannot take."""
    return next((name for name in NEVER if name in flags), None)


def heard(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of the environment that a demo goes by."""
    names = [ENVIRONMENT_PREFIX + name.upper() for name in HEARD]
    return {name: environment[name] for name in names if name in environment}


def set_aside(environment: Mapping[str, str], file: Path) -> list[str]:
    """What would hold for `serve` and does not for a demo: variables, and the configuration file if it is there."""
    ours = heard(environment)
    names = sorted(name for name in environment if name.startswith(ENVIRONMENT_PREFIX) and name not in ours)
    return [*names, str(file)] if file.exists() else names


def check(folder: Path, registry: Path, opened: Callable[[], SqliteRegistry], accepted: Callable[[], int]) -> None:
    """Refuse to mix what is made up with what arrived.

    Args:
        folder: a data folder that somebody has written to, of this version, and that nobody works in.
        registry: the file in it, which may not be there.
        opened: opens it; asked only if it is there.
        accepted: how many hits its stream has ever taken.

    Raises:
        DataFolderError: it is no demo's, and holds hits, or did.
    """
    if registry.exists():
        with closing(opened()) as known:
            if MARK in known.secrets(MARK):
                return
            own = bool(known.snapshot().sites)
    else:
        own = any((folder / name).exists() for name in _KEPT)
    if own or accepted():
        raise DataFolderError(
            f"{folder} holds hits of your own, and a demo's are made up",
            "name another folder with --data, or none: then it is gone with the demo",
        )
