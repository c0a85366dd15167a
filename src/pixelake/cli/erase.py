"""`pixelake erase`: a person leaves everything."""

import contextlib
import sys
from collections.abc import Callable, Iterator

import click
import msgspec

from pixelake import build
from pixelake.cli.base import Misuse, bar, program, settings_of
from pixelake.errors import PixelakeError
from pixelake.operate import folder


@program.command("erase")
@click.option("--user", help="The id that was sent as `user`; `-` reads it from standard input.")
@click.option("--visitor", help="A `visitor_id`; `-` reads it from standard input.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def erase(context: click.Context, user: str | None, visitor: str | None, as_json: bool) -> None:
    """Take a person out of everything that is kept, and print a proof of it.

    Every event of theirs, and every row and hit that holds the id in its text, if it has 8 characters or more: events,
    rejects, live store, plain files, stream, old files. Beside a running server, or without one if all is in the lake.
    What is cut short is finished by the same command.
    """
    from pixelake.operate.erase_proof import as_text
    from pixelake.operate.person import Person

    if (user is None) == (visitor is None):
        raise Misuse("who?", "say --user ID or --visitor ID")
    name = _read(user if visitor is None else visitor)
    chosen = settings_of(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with _bars() as told:
        proof = build.erase(chosen, Person("visitor" if user is None else "user", name), told)
    click.echo(msgspec.json.encode(proof.as_dict()) if as_json else as_text(proof))
    if not proof.is_clean:
        raise PixelakeError(
            f"{len(proof.found):,} files still hold the id",
            "if the person was active meanwhile, erase again; else report it",
        )


def _read(name: str | None) -> str:
    """The id; from standard input it is in no list of processes and no history."""
    return sys.stdin.readline().rstrip("\r\n") if name == "-" else name or ""


@contextlib.contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for what is being done, one after the other, to a person who watches."""
    with contextlib.ExitStack() as shown:
        now: list[tuple[str, Callable[[int, int], None]]] = []

        def told(what: str, done: int, total: int) -> None:
            if not now or now[0][0] != what:
                shown.close()
                now[:] = [(what, shown.enter_context(bar(what)))]
            now[0][1](done, total)

        yield told
