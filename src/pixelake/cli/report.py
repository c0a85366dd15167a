"""`pixelake report`: a period of a site, to send or to print."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pixelake.build import reporting
from pixelake.cli.base import Misuse, program, settings_of
from pixelake.errors import Misasked, PixelakeError, QueryError
from pixelake.operate import folder

if TYPE_CHECKING:
    from pixelake.operate.report.gather import Report, Wanted
    from pixelake.warehouse.clocks import Clocks

DEFAULT: Final = "last-month"
STDOUT: Final = "-"
_PLACE: Final = "name a file in a folder that is there, or -"


@program.command()
@click.option("--site", help="Of this one; else of all together.")
@click.option("--from", "start", help="A date, or a time; included.")
@click.option("--to", "end", help="A date, or a time; excluded.")
@click.option("--period", help="today, yesterday, 7d, 30d, last-week, month, last-month, 12mo, year; else last-month.")
@click.option("--zone", help="On whose wall clock; else the site's.")
@click.option("--format", "form", type=click.Choice(["html", "pdf"]), help="Else as the name of the file ends; html.")
@click.option("--output", help="The file; -: standard output. Else report-<site>-<first day> in this folder.")
@click.pass_context
def report(  # noqa: PLR0917 - as many as there are options
    context: click.Context,
    site: str | None,
    start: str | None,
    end: str | None,
    period: str | None,
    zone: str | None,
    form: str | None,
    output: str | None,
) -> None:
    """A period of a site as one file: to send, to print, to keep. Beside a running server or without one.

    For example: pixelake report --site shop.example --period last-week --output shop.pdf
    """
    chosen = settings_of(context)
    folder.existing(chosen.data)
    kind = form or ("pdf" if (output or "").lower().endswith(".pdf") else "html")
    if output == STDOUT and kind == "pdf" and sys.stdout.isatty():
        raise Misuse("PDF is not for terminals", "write it to a file: --output report.pdf")
    if output != STDOUT:
        _check_place(Path(output or "."), is_file=output is not None)
    try:
        made = reporting.report(chosen, _want(site, start, end, period, zone))
    except Misasked as error:
        raise Misuse(str(error), error.hint) from error
    _write(made, kind, output)


def _want(
    site: str | None, start: str | None, end: str | None, named: str | None, zone: str | None
) -> "Callable[[Clocks, datetime], Wanted]":
    """Which report."""

    def want(clocks: "Clocks", now: datetime) -> "Wanted":
        from pixelake.operate.report.gather import Wanted
        from pixelake.warehouse.period import period
        from pixelake.warehouse.zones import Clock, fixed

        try:
            clock = Clock(fixed(zone)) if zone else clocks.of(site)
            begins, ends = period(start, end, named or (None if start or end else DEFAULT), clock, now)
        except QueryError as error:
            raise Misasked(str(error), error.hint) from None
        return Wanted(site, begins, ends, zone)

    return want


def _check_place(path: Path, *, is_file: bool) -> None:
    """Refuse a place that no file can be written to before a report is made for it."""
    folder_of = path.parent if is_file else path
    if "\0" in str(path) or not folder_of.is_dir() or (is_file and path.is_dir()):
        why = "there is no such folder" if not path.is_dir() else "it is a folder"
        raise PixelakeError(f"cannot write {str(path)!r}: {why}", _PLACE)


def _write(made: "Report", form: str, output: str | None) -> None:
    from pixelake.operate.report import page, paper, words

    told = paper.pdf(made) if form == "pdf" else page.page(made).encode()
    if output == STDOUT:
        sys.stdout.buffer.write(told)
        return
    path = Path(output or words.file_name(made, form))
    _put(path, told)
    click.echo(f"{path}: {words.site_of(made)}, {words.period_of(made)}")


def _put(path: Path, told: bytes) -> None:
    """Write the file, whole or not at all; one that is there is replaced."""
    beside = path.parent / f".pixelake-report.{os.getpid()}"
    try:
        beside.write_bytes(told)
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        why = error.strerror or error
        raise PixelakeError(f"cannot write {path}: {why}", _PLACE) from error
