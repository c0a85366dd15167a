"""Whether a weekly mail is wanted, and whether the settings could send it. Loads nothing large."""

import re
from email.headerregistry import Address
from typing import Final

from pixelake.errors import SettingsError
from pixelake.operate.report.post import server_of
from pixelake.settings import Settings

LOOK: Final = 60.0
"""Seconds between two looks at what is due."""
HOURS: Final = 24
MOST: Final = 100
"""Sites, and addresses."""
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def check(settings: Settings) -> None:
    """Refuse settings of the weekly mail that could send none.

    Raises:
        SettingsError: one is missing, or cannot be.
    """
    if settings.smtp:
        server_of(settings.smtp)
    if settings.report_hour >= HOURS:
        raise SettingsError(f"report_hour cannot be {settings.report_hour}", "0 to 23")
    for name in ("report_sites", "report_to"):
        if len(getattr(settings, name)) > MOST:
            raise SettingsError(f"{name} names {len(getattr(settings, name))}", f"{MOST} at most")
    for each in settings.report_to:
        address("report_to", each)
    if settings.report_from:
        address("report_from", settings.report_from)
    _check_whole(settings)


def _check_whole(settings: Settings) -> None:
    """Who wants the mail must say all of it: without it nothing would ever come, and nobody would know why."""
    names = ("report_sites", "report_to", "report_from", "smtp")
    missing = [name for name in names if not getattr(settings, name)]
    if missing and (settings.report_to or settings.report_sites):
        raise SettingsError(f"a weekly report is wanted, but {missing[0]} is empty", f"set all of {', '.join(names)}")


def is_wanted(settings: Settings) -> bool:
    """Whether there is a weekly mail at all."""
    return bool(settings.report_to and settings.report_sites and settings.smtp)


def address(name: str, text: str) -> Address:
    """A plain address, as a setting of that name has it.

    Raises:
        SettingsError: it is none.
    """
    if not _ADDRESS.fullmatch(text):
        raise SettingsError(
            f"{name}: {text[:80]!r} is no address", "write somebody@example.com, a foreign host as xn--"
        )
    return Address("pixelake" if name == "report_from" else "", addr_spec=text)
