"""`pixelake sites`: which there are, their badges and policies."""

import contextlib
from typing import Any

import click

from pixelake import build, settings
from pixelake.cli.base import FORMAT, Misuse, print_rows, program, settings_of
from pixelake.clock import SYSTEM
from pixelake.errors import PixelakeError
from pixelake.operate import folder
from pixelake.operate.snippet import fault_of_site
from pixelake.registry.base import POLICIES


@program.group()
def sites() -> None:
    """Sites, and which of them have a badge."""


@sites.command("list")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def sites_list(context: click.Context, form: str) -> None:
    """Every site: its time zone now, the count of its badge if it has one, what DNT and Sec-GPC do, days kept."""
    import pyarrow as pa

    chosen = settings_of(context)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        known = registry.snapshot()
    columns = {
        "site": sorted(known.sites),
        "zone": [known.sites[name].zone(SYSTEM.now()) for name in sorted(known.sites)],
        "badge": pa.array([known.badges.get(name) for name in sorted(known.sites)], pa.int64()),
        "policy": [
            (known.policies.get(name) or [(0, "")])[-1][1] or chosen.do_not_track for name in sorted(known.sites)
        ],
        "retention": pa.array(
            [known.retentions.get(name, chosen.lake_retention) or None for name in sorted(known.sites)], pa.int64()
        ),
    }
    print_rows(pa.table(columns), form)


def _site(named: str) -> str:
    """The site of that name, as it is kept."""
    if fault := fault_of_site(named):
        raise Misuse(f"there can be no such site: {fault}", "name a host or a slug, for instance shop.example")
    return named.strip().lower()


@sites.command("add")
@click.argument("site")
@click.option("--zone", help="Its IANA time zone; else the setting default_zone.")
@click.pass_context
def sites_add(context: click.Context, site: str, zone: str | None) -> None:
    """Declare a site, before its first hit or because `sites` is closed. Its rejects can be replayed then."""
    chosen = settings_of(context)
    name = _site(site)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        new = name not in registry.snapshot().sites
        if zone and new:
            registry.set_zone(name, zone)  # adds it too, but not if there is no such zone
        else:
            registry.add_sites([name])
        if name not in registry.snapshot().sites:
            raise PixelakeError(f"there is no room for {name}", "the registry has as many sites as it may")
    if zone and not new:
        raise PixelakeError(
            f"{name} is a site already, its zone stays", f"`pixelake sites set {name} --zone {zone}` changes it"
        )


@sites.command("set")
@click.argument("site")
@click.option("--zone", required=True, help="Its IANA time zone from now on.")
@click.pass_context
def sites_set(context: click.Context, site: str, zone: str) -> None:
    """Let another time zone hold for a site from now on. Days that are over keep the zone they had."""
    chosen = settings_of(context)
    name = _site(site)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        if name not in registry.snapshot().sites:
            raise PixelakeError(f"there is no site {name}", f"`pixelake sites add {name} --zone {zone}` declares it")
        registry.change_zone(name, zone)


@sites.command("badge")
@click.argument("site")
@click.option("--on/--off", "has", default=True, help="Give it one, or take it away.", show_default=True)
@click.pass_context
def sites_badge(context: click.Context, site: str, has: bool) -> None:
    """Give a site a badge: an image with a text or a count. The tag: `pixelake snippet --kind badge`."""
    chosen = settings_of(context)
    name = _site(site)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        registry.set_badge(name, has)


@sites.command("policy")
@click.argument("site")
@click.argument("value", type=click.Choice(["default", *POLICIES]))
@click.pass_context
def sites_policy(context: click.Context, site: str, value: str) -> None:
    """What DNT: 1 and Sec-GPC: 1 do on a site; `default`: what the setting do_not_track says."""
    chosen = settings_of(context)
    name = _site(site)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        registry.set_policy(name, "" if value == "default" else value)


class _Retention(click.ParamType[int | None]):
    """Whole days, or the word ``default``."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The days; None: the default."""
        if value == "default":
            return None
        found = click.IntRange(0, settings.MOST_DAYS).convert(value, param, ctx)
        return int(found)


@sites.command("retention")
@click.argument("site")
@click.argument("days", type=_Retention(), metavar="DAYS|default")
@click.pass_context
def sites_retention(context: click.Context, site: str, days: int | None) -> None:
    """Keep events of a site for so many days; 0: for ever; `default`: what the setting lake_retention says.

    What is older leaves the lake within a day, or at once by `pixelake maintain retain`.
    """
    chosen = settings_of(context)
    name = _site(site)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        registry.set_retention(name, days)
