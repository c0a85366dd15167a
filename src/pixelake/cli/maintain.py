"""`pixelake maintain`: what keeps the lake small, lawful and quick to read."""

import contextlib
from collections.abc import Sequence

import click
import msgspec

from pixelake import build
from pixelake.cli.base import bar, program, settings_of
from pixelake.errors import PixelakeError
from pixelake.operate import folder
from pixelake.operate.turns import turn

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@program.group(invoke_without_command=True)
@JSON
@click.pass_context
def maintain(context: click.Context, as_json: bool) -> None:
    """What keeps the lake small: `serve` does it by itself. Without a task: those that are due now.

    Beside a running server or without one.
    """
    if context.invoked_subcommand is None:
        _run(context, None, as_json)


@maintain.command("compact")
@JSON
@click.pass_context
def maintain_compact(context: click.Context, as_json: bool) -> None:
    """Make few large files of the many small ones, the open hour's too; no row changes."""
    _run(context, ["compact"], as_json)


@maintain.command("retain")
@JSON
@click.pass_context
def maintain_retain(context: click.Context, as_json: bool) -> None:
    """Remove events and rejects older than lake_retention, rejects_retention and the ages of sites say."""
    _run(context, ["retain"], as_json)


@maintain.command("rollup")
@click.option("--rebuild", is_flag=True, help="Count every day again, whether it holds or not.")
@JSON
@click.pass_context
def maintain_rollup(context: click.Context, rebuild: bool, as_json: bool) -> None:
    """Count days that are over, so that questions need not look at their rows; also those that changed."""
    _run(context, ["rebuild" if rebuild else "rollup"], as_json)


@maintain.command("vacuum")
@JSON
@click.pass_context
def maintain_vacuum(context: click.Context, as_json: bool) -> None:
    """Remove files that were replaced longer ago than lake_history, and old entries of the log."""
    _run(context, ["vacuum"], as_json)


@maintain.command("salts")
@JSON
@click.pass_context
def maintain_salts(context: click.Context, as_json: bool) -> None:
    """Destroy the salts of days that are long over, at the second look."""
    _run(context, ["salts"], as_json)


@maintain.command("all")
@JSON
@click.pass_context
def maintain_all(context: click.Context, as_json: bool) -> None:
    """Every task, whether it is due or not."""
    from pixelake.operate.maintain import TASKS

    _run(context, list(TASKS), as_json)


def _run(context: click.Context, names: Sequence[str] | None, as_json: bool) -> None:
    """Do the tasks of these names, or those that are due; fail if one of them did."""
    from pixelake.operate.maintain import BY_HAND, due, run

    chosen = settings_of(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with turn(chosen.data), contextlib.closing(build.registry(chosen)) as registry:
        house = build.house(chosen, registry)
        tasks = due(house) if names is None else [BY_HAND[name] for name in names]
        with bar("maintenance") as told:
            done = run(house, tasks, told, by_hand=names is not None)
    alone = len(names or ()) == 1
    failed = [each for each in done if each.error]
    if alone and failed:
        raise PixelakeError(failed[0].error, failed[0].hint)
    if as_json:
        figures = {each.task: each.as_dict() for each in done}
        click.echo(msgspec.json.encode(done[0].figures if alone else figures))
    else:
        click.echo("\n".join([done[0].text] if alone else [each.as_line() for each in done]) or "nothing is due")
    if failed:
        raise PixelakeError(f"{', '.join(each.task for each in failed)} failed", failed[0].hint)
