"""`pixelake goals` and `pixelake funnels`: what sites want people to do, and on which way."""

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import click

from pixelake import build
from pixelake.cli.base import FORMAT, Misuse, print_rows, program, settings_of
from pixelake.errors import PixelakeError, QueryError, SettingsError
from pixelake.operate import folder
from pixelake.operate.snippet import fault_of_site
from pixelake.registry.goals import Funnel, Goal

if TYPE_CHECKING:
    from pixelake.registry.sqlite import SqliteRegistry
    from pixelake.settings import Settings

T = TypeVar("T")

HINT: Final = "a filter, such as 'event is purchase' or 'path contains /thanks'"


@program.group()
def goals() -> None:
    """What sites want people to do. `pixelake query goals` tells how often they did."""


@goals.command("add")
@click.argument("site")
@click.argument("name")
@click.argument("filters", nargs=-1, required=True, metavar="FILTER...")
@click.option("--worth", help="What it is worth each time, for example 2.50.")
@click.pass_context
def goals_add(context: click.Context, site: str, name: str, filters: tuple[str, ...], worth: str | None) -> None:
    """Declare a goal of a site: an event that passes every FILTER reaches it. One of its name is replaced.

    For example: pixelake goals add shop.example signup 'event is pageview' 'path matches ^/welcome'
    """
    chosen, known = settings_of(context), _site(site)
    _check(chosen, [filters])
    _declare(chosen, lambda registry: registry.add_goal(known, Goal(name, filters, worth)))


@goals.command("list")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def goals_list(context: click.Context, form: str) -> None:
    """Every goal: its site, its name, its filters, what it is worth."""
    import pyarrow as pa

    chosen = settings_of(context)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        known = registry.snapshot().goals
    rows = [(site, *goal) for site, its in sorted(known.items()) for goal in its]
    columns = {
        "site": pa.array([row[0] for row in rows], pa.string()),
        "goal": pa.array([row[1] for row in rows], pa.string()),
        "filters": pa.array([" and ".join(row[2]) for row in rows], pa.string()),
        "worth": pa.array([row[3] for row in rows], pa.string()),
    }
    print_rows(pa.table(columns), form)


@goals.command("remove")
@click.argument("site")
@click.argument("name")
@click.pass_context
def goals_remove(context: click.Context, site: str, name: str) -> None:
    """Take a goal away. The events stay as they are."""
    known = _site(site)
    if not _declare(settings_of(context), lambda registry: registry.remove_goal(known, name)):
        raise PixelakeError(f"{known} has no goal {name!r}", "`pixelake goals list` shows them all")


@program.group()
def funnels() -> None:
    """Ways that people go, step by step. `pixelake query funnel` tells how far they came."""


@funnels.command("add")
@click.argument("site")
@click.argument("name")
@click.argument("steps", nargs=-1, required=True, metavar="FILTER...")
@click.pass_context
def funnels_add(context: click.Context, site: str, name: str, steps: tuple[str, ...]) -> None:
    """Declare a funnel of a site: each FILTER is a step, in this order. One of its name is replaced.

    For example: pixelake funnels add shop.example order 'path is /' 'event is add_to_cart' 'event is purchase'
    """
    from pixelake.warehouse.shop import LEAST_STEPS, MOST_STEPS

    chosen, known = settings_of(context), _site(site)
    if not LEAST_STEPS <= len(steps) <= MOST_STEPS:
        raise Misuse(f"{len(steps)} steps are no funnel", f"{LEAST_STEPS} to {MOST_STEPS} are")
    each = tuple((step,) for step in steps)
    _check(chosen, each)
    _declare(chosen, lambda registry: registry.add_funnel(known, Funnel(name, each)))


@funnels.command("list")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def funnels_list(context: click.Context, form: str) -> None:
    """Every step of every funnel: its site, its name, the step's number and filter."""
    import pyarrow as pa

    chosen = settings_of(context)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        known = registry.snapshot().funnels
    rows = [
        (site, funnel.name, number, " and ".join(step))
        for site, its in sorted(known.items())
        for funnel in its
        for number, step in enumerate(funnel.steps, 1)
    ]
    kinds = {"site": pa.string(), "funnel": pa.string(), "step": pa.int64(), "filter": pa.string()}
    columns = {name: pa.array([row[at] for row in rows], kind) for at, (name, kind) in enumerate(kinds.items())}
    print_rows(pa.table(columns), form)


@funnels.command("remove")
@click.argument("site")
@click.argument("name")
@click.pass_context
def funnels_remove(context: click.Context, site: str, name: str) -> None:
    """Take a funnel away. The events stay as they are."""
    known = _site(site)
    if not _declare(settings_of(context), lambda registry: registry.remove_funnel(known, name)):
        raise PixelakeError(f"{known} has no funnel {name!r}", "`pixelake funnels list` shows them all")


def _site(name: str) -> str:
    if fault := fault_of_site(name):
        raise Misuse(f"there can be no such site: {fault}", "name a host or a slug, for instance shop.example")
    return name.strip().lower()


def _check(chosen: "Settings", conditions: Sequence[Sequence[str]]) -> None:
    """Whether all of these are filters, and none names a person."""
    from pixelake.warehouse import shop

    folder.begun(chosen.data)
    with build.asked_lake(chosen) as lake:
        kinds = lake.standing().columns
    try:
        for texts in conditions:
            shop.declarable(texts, kinds)
    except QueryError as error:
        raise Misuse(str(error), error.hint or HINT) from None


def _declare(chosen: "Settings", change: Callable[["SqliteRegistry"], T]) -> T:
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        try:
            return change(registry)
        except SettingsError as error:
            raise Misuse(str(error), error.hint) from None
