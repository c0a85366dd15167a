"""Commands that look: SQL, both sums, the settings."""

import sys

import click
import msgspec

from pixelake import build, settings
from pixelake.cli.base import FORMAT, SqlCommand, print_rows, program, settings_of
from pixelake.operate import folder
from pixelake.operate.turns import turn


@program.command(cls=SqlCommand)
@click.argument("question", metavar="SELECT")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def sql(context: click.Context, question: str, form: str) -> None:
    """Read-only SQL over the tables `events`, `rejects`, `visits` and `daily`."""
    chosen = settings_of(context)
    folder.existing(chosen.data)
    with turn(chosen.data), build.asked_lake(chosen) as lake:
        rows = lake.sql(question)
    print_rows(rows, form)  # a reader who pages through them keeps nobody waiting


@program.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--once", is_flag=True, help="Look once, also on a terminal, where it else goes on until Ctrl-C.")
@click.pass_context
def status(context: click.Context, as_json: bool, once: bool) -> None:
    """Both sums: where every hit is, and what became of it. Beside a running server or without one."""
    from rich.console import Console

    from pixelake.operate import screen

    chosen = settings_of(context)
    folder.existing(chosen.data)
    if as_json:
        click.echo(msgspec.json.encode(build.status(chosen).as_dict()))
        return
    if sys.stdout.isatty() and not once:
        screen.watch(lambda: screen.look(chosen.data, lambda: build.status(chosen)), Console())
        return
    found = build.status(chosen)
    for line in screen.lines(screen.look(chosen.data, lambda: found)):
        click.echo(click.style(line, fg="red") if line.startswith("!") else line)


@program.command("settings")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def settings_list(context: click.Context, form: str) -> None:
    """Every setting: its name, value, default, unit, and what it does."""
    import pyarrow as pa

    chosen = settings_of(context)
    print_rows(pa.Table.from_pylist(settings.listed(chosen)), form)
