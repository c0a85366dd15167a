"""`pixelake rejects`: what is no event, and why; judged anew, or removed."""

from difflib import get_close_matches
from typing import Final

import click
import msgspec

from pixelake import build
from pixelake.cli.base import FORMAT, MOST_DAYS, MOST_ROWS, Days, Misuse, bar, print_rows, program, settings_of
from pixelake.errors import QueryError
from pixelake.operate import folder
from pixelake.reject import REASONS

NEWEST_REJECTS: Final = (
    "select received_at, stage, reason, detail, hit_id from rejects order by received_at desc limit ?"
)


@program.group()
def rejects() -> None:
    """Hits that are not events, and why."""


@rejects.command("list")
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), default=20, show_default=True)
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def rejects_list(context: click.Context, limit: int, form: str) -> None:
    """The newest rejects."""
    chosen = settings_of(context)
    folder.existing(chosen.data)
    with build.asked_lake(chosen) as lake:
        print_rows(lake.ask(NEWEST_REJECTS, [limit]), form)


@rejects.command("show")
@click.argument("hit_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a reject of that name.")
@click.pass_context
def rejects_show(context: click.Context, hit_id: str, as_json: bool) -> None:
    """One reject: all its faults, and what is kept of the hit."""
    from pixelake.operate import rejects as lookup
    from pixelake.operate import render
    from pixelake.operate.inert import inert

    chosen = settings_of(context)
    folder.existing(chosen.data)
    with build.asked_lake(chosen) as lake:
        found = lookup.find(lake, hit_id)
    if not found:
        raise QueryError(f"there is no reject {hit_id!r}", "`pixelake rejects list` shows the newest")
    for row in found:
        if as_json:
            click.echo(render.json_of(row))
            continue
        for name, value in row.items():
            click.echo(f"{name:<12} {inert(render.plain(value))}".rstrip())


@rejects.command("replay")
@click.option("--reason", help="Only those with this reason.")
@click.option("--site", help="Only those that are events of this site now.")
@click.option("--id", "hit_id", help="Only this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def rejects_replay(
    context: click.Context, reason: str | None, site: str | None, hit_id: str | None, as_json: bool
) -> None:
    """Judge rejects anew, by today's settings and schemas: what is an event now moves to the events, once.

    Beside a running server or without one. The live store does not see it.
    """
    from pixelake.operate.replay import Wanted, as_text

    _check_reason(reason)
    chosen = settings_of(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with bar("rejects") as told:
        found = build.replay(chosen, told).run(Wanted(reason, site.strip().lower() if site else None, hit_id))
    if hit_id is not None and not found.looked_at:
        raise QueryError(f"there is no reject {hit_id!r}", "`pixelake rejects list` shows the newest")
    click.echo(msgspec.json.encode(found.as_dict()) if as_json else as_text(found))


@rejects.command("purge")
@click.option("--reason", help="Those with this reason.")
@click.option("--older-than", "days", type=Days(0, MOST_DAYS), help="Those received so many days ago.")
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def rejects_purge(context: click.Context, reason: str | None, days: float | None, every: bool, as_json: bool) -> None:
    """Remove rejects for good; they are counted as removed."""
    from pixelake.operate.rejects import Old, purge

    if every == (reason is not None or days is not None):
        raise Misuse("which rejects?", "say --reason CODE, --older-than DAYS, both, or --all alone")
    _check_reason(reason)
    chosen = settings_of(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with bar("rejects removed") as told:
        removed = purge(build.lake(chosen), Old(reason, days), lambda done: told(done, done))
    click.echo(msgspec.json.encode({"removed": removed}) if as_json else f"{removed:,} rejects removed")


def _check_reason(reason: str | None) -> None:
    if reason is not None and reason not in REASONS:
        close = get_close_matches(reason, REASONS, 1)
        hint = f"did you mean {close[0]}?" if close else f"it is one of {', '.join(REASONS)}"
        raise Misuse(f"there is no reason {reason!r}", hint)
