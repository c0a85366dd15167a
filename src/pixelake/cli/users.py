"""`pixelake users`: who may log in to the dashboard; `pixelake shares`: the links that show a site without a log-in."""

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import click

from pixelake import build
from pixelake.cli.base import FORMAT, Misuse, print_rows, program, settings_of
from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import PixelakeError, SettingsError
from pixelake.operate import folder
from pixelake.operate.snippet import fault_of_site
from pixelake.registry.access import ROLES, Book, user_name

LONGEST: Final = 10_000
"""Characters that are read of a password on standard input."""


@contextlib.contextmanager
def _book(context: click.Context) -> Iterator[Book]:
    """Users and links of the data folder."""
    chosen = settings_of(context)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        try:
            yield registry.access
        except SettingsError as error:
            raise Misuse(str(error), error.hint) from None


def _password(name: str) -> str:
    """The hash of a password that is asked for without an echo, or is the first line of standard input."""
    from pixelake.registry import passwords

    if sys.stdin.isatty():
        told = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        told = sys.stdin.readline(LONGEST).rstrip("\r\n")
    try:
        return passwords.hashed(passwords.check(told, name))
    except SettingsError as error:
        raise Misuse(str(error), error.hint) from None


def _sites(names: tuple[str, ...]) -> list[str] | None:
    for name in names:
        if fault := fault_of_site(name):
            raise Misuse(f"there can be no such site: {fault}", "name a host or a slug, for instance shop.example")
    return [name.strip().lower() for name in names] or None


def _time(micros: int) -> datetime | None:
    return datetime.fromtimestamp(micros / SECOND, UTC).replace(microsecond=0) if micros else None


@program.group()
def users() -> None:
    """People who may log in to the dashboard."""


@users.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="An owner changes things.")
@click.option("--site", "sites", multiple=True, help="A site that a viewer sees; may be given again. Else all.")
@click.pass_context
def users_add(context: click.Context, name: str, role: str, sites: tuple[str, ...]) -> None:
    """Make a user. The password is asked for, or is the first line of standard input."""
    named = _sites(sites)
    with _book(context) as book:
        made = book.add_user(name, role, named, _password(user_name(name) or ""))
    click.echo(f"{made} may log in, as {'an owner' if role == 'owner' else 'a viewer'}")


@users.command("list")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def users_list(context: click.Context, form: str) -> None:
    """Every user: the role, the sites (none: all), when it was made, and how many sessions there are."""
    import pyarrow as pa

    with _book(context) as book:
        door = book.door()
    known = door.users.values()
    now = SYSTEM.now()
    open_now = [session.user for session in door.sessions.values() if session.holds(now)]
    columns = {
        "name": pa.array([user.name for user in known], pa.string()),
        "role": pa.array([user.role for user in known], pa.string()),
        "sites": pa.array(
            [None if user.sites is None else ", ".join(sorted(user.sites)) for user in known], pa.string()
        ),
        "created": pa.array([_time(user.created) for user in known], pa.timestamp("us", "UTC")),
        "sessions": pa.array([open_now.count(user.name) for user in known], pa.int64()),
    }
    print_rows(pa.table(columns), form)


@users.command("passwd")
@click.argument("name")
@click.pass_context
def users_passwd(context: click.Context, name: str) -> None:
    """Give a user another password, and end all sessions of that one."""
    known = user_name(name) or ""
    with _book(context) as book:
        if known not in book.door().users:
            raise _nobody(name)
        if not book.set_password(known, _password(known)):
            raise _nobody(name)
    click.echo(f"{known} has another password, and is logged out everywhere")


@users.command("remove")
@click.argument("name")
@click.pass_context
def users_remove(context: click.Context, name: str) -> None:
    """Take a user away: within a second whoever is logged in by that name is out."""
    with _book(context) as book:
        if not book.remove_user(user_name(name) or ""):
            raise _nobody(name)


def _nobody(name: str) -> PixelakeError:
    return PixelakeError(f"there is no user {name[:80]!r}", "`pixelake users list` shows them all")


@program.group()
def shares() -> None:
    """Links that show a site without a log-in. An owner makes them in the dashboard, under Account."""


@shares.command("list")
@click.option("--format", "form", type=FORMAT, default="table", show_default=True)
@click.pass_context
def shares_list(context: click.Context, form: str) -> None:
    """Every link: its id, what it is for, and when it expires. Its address is not kept."""
    import pyarrow as pa

    with _book(context) as book:
        known = book.door().shares.values()
    moment = pa.timestamp("us", "UTC")
    columns = {
        "id": pa.array([share.id for share in known], pa.string()),
        "name": pa.array([share.name for share in known], pa.string()),
        "site": pa.array([share.site for share in known], pa.string()),
        "created": pa.array([_time(share.created) for share in known], moment),
        "expires": pa.array([_time(share.expires) for share in known], moment),
        "password": pa.array([bool(share.password) for share in known], pa.bool_()),
        "frames": pa.array([", ".join(share.ancestors) or None for share in known], pa.string()),
    }
    print_rows(pa.table(columns), form)


@shares.command("remove")
@click.argument("known", metavar="ID")
@click.pass_context
def shares_remove(context: click.Context, known: str) -> None:
    """Let a link hold no longer: within a second nobody is answered by it."""
    with _book(context) as book:
        if not book.remove_share(known):
            raise PixelakeError(f"there is no link {known[:80]!r}", "`pixelake shares list` shows them all")
