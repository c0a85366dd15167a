"""The consent that a page sends along, as one text; and what a site's policy makes of DNT and Sec-GPC.

The names are those of the IAB's tags: ``gdpr`` and ``gdpr_consent`` (TCF 2),
``gpp`` and ``gpp_sid`` (Global Privacy Platform), ``us_privacy`` (CCPA); and
our own ``consent``, which holds whatever the page's own dialogue says.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pixelake.cache import bounded

LONGEST: Final = 4_096
"""Letters of one value. Real TCF strings have 300 to 2,500."""

FORMS: Final = {
    "gdpr": re.compile(r"[01]"),
    "gdpr_consent": re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"),
    "gpp": re.compile(r"[A-Za-z0-9_-]+(?:[.~][A-Za-z0-9_-]+)*"),
    "gpp_sid": re.compile(r"-?\d{1,2}(?:[,_.]-?\d{1,2}){0,40}", re.ASCII),
    "us_privacy": re.compile(r"1[-YNyn]{3}"),
}
"""Name -> how its values look. A macro that nobody filled in (``${GDPR_CONSENT_755}``) has another look."""
NAMES: Final = ("consent", *FORMS)
"""What may be told, in the order in which the column has it."""


def consent(sent: str | None, properties: dict[str, Sequence[str]]) -> str | None:
    """The text of the column; what it tells is taken out of the properties.

    It is what was sent as ``consent`` if nothing else was; else
    ``name=value&name=value`` in the order of `NAMES`, for instance
    ``gdpr=1&gdpr_consent=CQ...&gpp_sid=2,6&us_privacy=1YNN``. A value that does not
    look like one, is longer than `LONGEST` or was sent twice stays a property.

    Args:
        sent: the value of ``consent``, checked for its length already.
        properties: all other names with their values.
    """
    if FORMS.keys().isdisjoint(properties):
        return sent
    told = {} if sent is None else {"consent": sent}
    for name in FORMS.keys() & properties.keys():
        value = _read(properties[name][0], name) if len(properties[name]) == 1 else None
        if value is not None:
            told[name] = value
            del properties[name]
    if told.keys() <= {"consent"}:
        return sent
    return "&".join(f"{name}={told[name]}" for name in NAMES if name in told)


@bounded(8_192)
def _read(value: str, name: str) -> str | None:
    """The value in its usual spelling, or None if it is none."""
    trimmed = value.strip()
    if len(trimmed) > LONGEST or not FORMS[name].fullmatch(trimmed):
        return None
    if name == "gpp_sid":
        return re.sub("[_.]", ",", trimmed)
    return trimmed.upper() if name == "us_privacy" else trimmed


class Policies(NamedTuple):
    """What DNT: 1 and Sec-GPC: 1 do, for each site: ``ignore``, ``anonymous`` or ``withhold``.

    Attributes:
        default: of every other site (the setting ``do_not_track``).
        dated: site -> ``((from_us, policy), ...)``, oldest first: what holds for hits received from that moment
            (µs UTC) on; ``""`` is the default. The registry's snapshot has it (`Snapshot.policies`).
    """

    default: str
    dated: Mapping[str, Sequence[tuple[int, str]]] = {}

    def of(self, site: str, received_at: int) -> str:
        """The policy of a site for a hit received at that moment (µs UTC).

        It depends on nothing else, so that every sink, also one that catches up, judges a hit alike.
        """
        found = next((policy for start, policy in reversed(self.dated.get(site, ())) if start <= received_at), "")
        return found or self.default
