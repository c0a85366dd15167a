"""Counters, gauges and health, shared by all processes of an installation, as Prometheus text.

Each process maps its counters into a file of ``<data>/run/metrics``; whoever
serves ``/metrics`` adds them up. `prepare` must run before anything here is
used, and names the folder through the environment, which child processes
inherit.
"""

import os
from pathlib import Path
from typing import Final

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def prepare(folder: Path) -> None:
    """Share counters through files in `folder`, which begins empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink(missing_ok=True)
    os.environ[_FOLDER] = str(folder)
