"""`pixelake backup`, `backups`, `restore`: all of it, elsewhere and back."""

import click
import msgspec

from pixelake import build
from pixelake.cli.base import bar, program, settings_of
from pixelake.errors import BackupError
from pixelake.operate import folder


@program.command("backup")
@click.argument("place")
@click.option("--keep", type=click.IntRange(min=1), help="Of the backups there, keep only so many: the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def backup(context: click.Context, place: str, keep: int | None, as_json: bool) -> None:
    """Copy everything to PLACE, a folder or s3://bucket/prefix, beside a running server or without one.

    A later backup copies only what is new. Hits, salts and secrets are in it: keep it as safe as the data folder.
    """
    from pixelake.operate.backup import as_text

    chosen = settings_of(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with bar("bytes") as told:
        found = build.backup(chosen, place, told, keep or 0)
    click.echo(msgspec.json.encode(found.as_dict()) if as_json else as_text(found))


@program.command("backups")
@click.argument("place")
@click.option("--check", "as_check", is_flag=True, help="Read all of them, and tell which are whole.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def backups(place: str, as_check: bool, as_json: bool) -> None:
    """List the backups in PLACE, a folder or s3://bucket/prefix."""
    if not as_check:
        stamps = build.backups(place)
        click.echo(msgspec.json.encode({"backups": stamps}) if as_json else "\n".join(stamps or ["no backup yet"]))
        return
    with bar("bytes") as told:
        found = build.check_backups(place, told)
    if as_json:
        click.echo(msgspec.json.encode(found.as_dict()))
    else:
        for stamp in sorted([*found.whole, *found.faults]):
            click.echo(f"{stamp}  {found.faults.get(stamp, 'whole')}")
    if found.faults:
        raise BackupError(f"{len(found.faults)} backups are not whole", "make a new one; restore one that is")


@program.command("restore")
@click.argument("place")
@click.option("--at", default="", metavar="STAMP", help="The backup's name, or its beginning; else the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def restore(context: click.Context, place: str, at: str, as_json: bool) -> None:
    """Make a data folder, new or empty (--data), of a backup in PLACE, a folder or s3://bucket/prefix."""
    from pixelake.operate.restore import as_text

    chosen = settings_of(context)
    build.check(chosen)
    with bar("bytes") as told:
        found = build.restore(chosen, place, told, at)
    click.echo(msgspec.json.encode(found.as_dict()) if as_json else as_text(found))
