"""`pixelake maintain`: what keeps the lake small and quick to read."""

import click
import msgspec

from pixelake import build
from pixelake.cli.base import bar, program, settings_of
from pixelake.operate import folder


@program.group()
def maintain() -> None:
    """What keeps the lake small and quick to read."""


@maintain.command("compact")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def maintain_compact(context: click.Context, as_json: bool) -> None:
    """Make few large files of the many small ones of each hour, the open one too; no row changes.

    Beside a running server or without one.
    """
    from pixelake.operate.compaction import as_text, compact

    chosen = settings_of(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with bar("files") as told:
        found = compact(build.lake(chosen), told)
    click.echo(msgspec.json.encode(found.as_dict()) if as_json else as_text(found))
