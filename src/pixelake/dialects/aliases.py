"""Other names for the native ones, as the setting ``aliases`` has them; checked before anything runs with them."""

from collections.abc import Mapping
from difflib import get_close_matches

from pixelake.dialects.native import NAMES
from pixelake.errors import SettingsError


def checked(aliases: Mapping[str, str]) -> Mapping[str, str]:
    """Sent name -> native name. A name with capitals counts in lower case, too, as native names do.

    Raises:
        SettingsError: what is meant is no native name, or what is sent already is one, or is empty.
    """
    for sent, meant in aliases.items():
        if meant not in NAMES:
            close = get_close_matches(meant, NAMES, 1)
            raise SettingsError(
                f"aliases: {sent!r} stands for {meant!r}, which is no native name",
                f"did you mean {close[0]}?" if close else f"write sent=native; those are {', '.join(NAMES)}",
            )
        if not sent or sent.lower() in NAMES:
            raise SettingsError(
                f"aliases: {sent!r} cannot stand for {meant!r}", "write sent=native; a native name is no alias"
            )
    return {sent.lower(): meant for sent, meant in aliases.items()} | dict(aliases)
