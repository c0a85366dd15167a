"""Commands that look: SQL, both sums, the settings."""

import shutil

import click
import msgspec

from pixelake import __version__, build, settings
from pixelake.cli.base import FORMAT, SqlCommand, print_rows, program, settings_of
from pixelake.operate import folder


@program.command(cls=SqlCommand)
@click.argument("question", metavar="SELECT")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def sql(context: click.Context, question: str, form: str) -> None:
    """Read-only SQL over the tables `events` and `rejects`."""
    chosen = settings_of(context)
    folder.existing(chosen.data)
    with build.asked_lake(chosen) as lake:
        print_rows(lake.sql(question), form)


@program.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Both sums: where every hit is, and what became of it. Beside a running server or without one."""
    from pixelake.operate.status import as_text

    chosen = settings_of(context)
    folder.existing(chosen.data)
    found = build.status(chosen)
    if as_json:
        click.echo(msgspec.json.encode(found.as_dict()))
        return
    disk = shutil.disk_usage(chosen.data)
    lines = (click.style(line, fg="red") if line.startswith("!") else line for line in as_text(found).splitlines())
    click.echo("\n".join(lines))
    click.echo(
        f"  disk      {disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB free\n"
        f"  version   {__version__}, data version {folder.VERSION}, in {chosen.data}"
    )


@program.command("settings")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def settings_list(context: click.Context, form: str) -> None:
    """Every setting: its name, value, default, unit, and what it does."""
    import pyarrow as pa

    chosen = settings_of(context)
    print_rows(pa.Table.from_pylist(settings.listed(chosen)), form)
