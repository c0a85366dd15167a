"""What functions of AWS work with: the stages of the roles, without a disk that outlives a call.

What they share lies elsewhere: the registry and the store of event ids in a
table, the lake in a bucket.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pixelake import settings as given
from pixelake.build import check
from pixelake.build.judging import judge, rules
from pixelake.build.places import lake_place, partition_of
from pixelake.build.stores import decoder, lake, live_store, registry
from pixelake.build.transfer import gate
from pixelake.errors import SettingsError
from pixelake.operate import folder
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.stream.messages import Decode
    from pixelake.transform.judge import Judge
    from pixelake.transform.queue import Settler

SCRATCH: Final = Path("/tmp/pixelake")  # noqa: S108 - the one folder that a function may write to; nobody else is there
_SHARED: Final = ("registry", "lake")


@dataclass(frozen=True, slots=True)
class Stages:
    """What reads messages, judges hits, and settles outcomes of a queue or stream: by its kind and its name."""

    decode: "Decode"
    judge: "Judge"
    settler: "Callable[[str, str], Settler]"


def settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a function: by default of this process.

    Raises:
        SettingsError: one is wrong, or what functions share has no place.
    """
    environment = os.environ if environment is None else environment
    chosen = given.load(environment=environment)
    for name in _SHARED:
        if not getattr(chosen, name):
            variable = f"{given.ENVIRONMENT_PREFIX}{name.upper()}"
            raise SettingsError(f"{variable} is not set: functions share no disk", "see the page on functions of AWS")
    if f"{given.ENVIRONMENT_PREFIX}DATA" not in environment:
        chosen = replace(chosen, data=SCRATCH)
    chosen.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.begun(chosen.data)  # so that large questions, and roll-ups, may spill into it
    check(chosen)
    return chosen


def stages(chosen: Settings) -> Stages:
    """What settles hits, by these settings.

    Raises:
        SettingsError: something that they name is missing or wrong.
        PixelakeError: the registry or the lake cannot be used now.
    """
    from pixelake.transform.enrich.own import own_fields
    from pixelake.transform.feed import Late, Plan
    from pixelake.transform.queue import Settler
    from pixelake.warehouse.past import Past
    from pixelake.warehouse.schema import events_schema

    by, shared = rules(chosen), registry(chosen)
    make = partial(
        Settler,
        bar=gate(chosen, shared).bar,
        lake=lake(chosen, by.own),
        past=Past(lake_place(chosen), events_schema(own_fields(by.own))),
        plans=[Plan(name="live", sink=Late(lambda: live_store(chosen)), window=0, rows=0)] if chosen.live else [],
    )
    settler = cache(lambda kind, name: make(partition=partition_of(kind, name, shared.secret)))
    return Stages(decoder(chosen), judge(chosen, by), settler)
