"""`pixelake keys`: the tokens by which programs ask the API."""

import contextlib
from datetime import UTC, datetime

import click

from pixelake import build
from pixelake.cli.base import FORMAT, Misuse, print_rows, program, settings_of
from pixelake.clock import SECOND
from pixelake.errors import PixelakeError, SettingsError
from pixelake.operate import folder
from pixelake.operate.snippet import fault_of_site


@program.group()
def keys() -> None:
    """Tokens for programs that ask the API."""


@keys.command("add")
@click.argument("kind", type=click.Choice(["api"]))
@click.option("--name", required=True, help="What it is called: letters, digits, `.`, `_` and `-`.")
@click.option("--site", help="The only site that it reads; else all, and what is of none.")
@click.pass_context
def keys_add(context: click.Context, kind: str, name: str, site: str | None) -> None:  # noqa: ARG001 - there is one yet
    """Make a token and print it. It is told this once: only a hash of it is kept.

    It may read, and nothing else: `Authorization: Bearer TOKEN`.
    """
    chosen = settings_of(context)
    if site is not None and (fault := fault_of_site(site)):
        raise Misuse(f"there can be no such site: {fault}", "name a host or a slug, for instance shop.example")
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        try:
            token = registry.add_token(name, site.strip().lower() if site else None)
        except SettingsError as error:
            raise Misuse(str(error), error.hint) from None
    click.echo(token)


@keys.command("list")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def keys_list(context: click.Context, form: str) -> None:
    """Every token there is or was: what it reads, when it was made, last used (to the hour) and taken away."""
    import pyarrow as pa

    chosen = settings_of(context)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        known = registry.tokens()
    moment = pa.timestamp("us", "UTC")
    columns = {
        "name": pa.array([token.name for token in known], pa.string()),
        "kind": pa.array(["api" for _ in known], pa.string()),
        "site": pa.array([token.site for token in known], pa.string()),
        **{
            name: pa.array([_time(getattr(token, name)) for token in known], moment)
            for name in ("created", "used", "revoked")
        },
    }
    print_rows(pa.table(columns), form)


def _time(micros: int) -> datetime | None:
    return datetime.fromtimestamp(micros / SECOND, UTC).replace(microsecond=0) if micros else None


@keys.command("remove")
@click.argument("name")
@click.pass_context
def keys_remove(context: click.Context, name: str) -> None:
    """Take a token away: within a second or two nobody is answered by it."""
    chosen = settings_of(context)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        if not registry.remove_token(name):
            raise PixelakeError(f"there is no token {name!r}", "`pixelake keys list` shows them all")
