"""`pixelake export` and `import`: rows of the lake as a file, and files of hits into the lake."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pixelake import build
from pixelake.cli.base import Misuse, bar, program, settings_of
from pixelake.errors import SettingsError
from pixelake.operate import folder

if TYPE_CHECKING:
    from pixelake.operate.person import Person

_DATE = len("2026-02-10")
_FORMATS = ("ndjson", "combined", "nginx", "cloudfront-realtime", "cloudfront-standard")


class Moment(click.ParamType):  # type: ignore[type-arg] # generic in newer ones only
    """A day or a moment, in ISO 8601; UTC if it does not say otherwise. A day that ends something ends with it."""

    name = "day or moment"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment, or a usage error."""
        try:
            moment = datetime.fromisoformat(value)
            if self._end and len(value) == _DATE:
                moment += timedelta(days=1)
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a day nor a moment: write 2026-02-10, or 2026-02-10T21:00", param, ctx)


@program.command("export")
@click.option("--from", "start", type=Moment(), help="Received from then on.")
@click.option("--to", "end", type=Moment(end=True), help="Received before then; a day counts as a whole.")
@click.option("--site", help="Only events of this site.")
@click.option("--user", help="Only what is held about this user, as `pixelake erase` finds it.")
@click.option("--visitor", help="The same of a `visitor_id`.")
@click.option("--table", type=click.Choice(["events", "rejects"]), default="events", show_default=True)
@click.option(
    "--format", "form", type=click.Choice(["ndjson", "csv", "json", "parquet"]), default="ndjson", show_default=True
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file; else, or with -, standard output.")
@click.pass_context
def export(
    context: click.Context,
    *,
    start: datetime | None,
    end: datetime | None,
    site: str | None,
    user: str | None,
    visitor: str | None,
    table: str,
    form: str,
    output: Path | None,
) -> None:
    """Write out events or rejects in order of time; as ndjson without any loss: `pixelake import` reads it.

    Of one version of the lake, beside a running server or without one.
    """
    from pixelake.operate.export import Wanted, as_text
    from pixelake.warehouse.walk import Select

    output = None if str(output) == "-" else output
    if output is None and form == "parquet" and sys.stdout.isatty():
        raise Misuse("Parquet is not for terminals", "write it to a file: ... --format parquet -o rows.parquet")
    person = _person(user, visitor)
    chosen = settings_of(context)
    folder.existing(chosen.data)
    wanted = Wanted(table, form, Select(start, end, site.strip().lower() if site else None))
    with bar("rows") as told:
        out = sys.stdout.buffer if output is None else output
        if person is None:
            found = build.export(chosen, wanted, out, told)
        else:
            found = build.export_person(chosen, person, wanted, out, told)
    click.echo(as_text(found), err=True)


def _person(user: str | None, visitor: str | None) -> "Person | None":
    from pixelake.operate.person import Person

    if user is not None and visitor is not None:
        raise Misuse("who?", "say --user ID or --visitor ID")
    if user is None and visitor is None:
        return None
    return Person("user", user) if user is not None else Person("visitor", visitor or "")


@program.command("import")
@click.argument("files", nargs=-1)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="What the files are; - is a pipe.")
@click.option("--log-format", default="", help="Of a log, as in nginx.conf: '$remote_addr ... \"$request\" ...'")
@click.option("--fields", default="", help="Of a log of CloudFront, those chosen there: timestamp,c-ip,...")
@click.option("--site", default="", help="Whose pages a log tells of; else the host that its lines tell.")
@click.option("--all", "everything", is_flag=True, help="Also what is no page's view, as events `request`.")
@click.option("--abort", is_flag=True, help="Give up imports that were not finished: destroy the keys of their people.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def import_(
    context: click.Context,
    *,
    files: tuple[str, ...],
    form: str | None,
    log_format: str,
    fields: str,
    site: str,
    everything: bool,
    abort: bool,
    as_json: bool,
) -> None:
    """Import exports (ndjson), access logs (combined, nginx) and CloudFront's logs, gzipped or not: each line once.

    Beside a running server or without one. What is cut short goes on with the same command.
    """
    from pixelake.operate.imports import Options, as_text, check

    if abort == bool(files):
        raise Misuse("which files?", "name some, and their --format; or say --abort alone")
    chosen = settings_of(context)
    build.check(chosen)
    if abort:
        folder.begun(chosen.data)
        count = build.abandon_imports(chosen)
        click.echo(msgspec.json.encode({"abandoned": count}) if as_json else f"{count:,} imports given up")
        return
    if form is None and not log_format:
        raise Misuse("what are the files?", f"say --format, one of {', '.join(_FORMATS)}, or --log-format")
    options = Options(form or "nginx", site, everything, log_format, fields)
    try:
        check(options)
    except SettingsError as error:
        raise Misuse(str(error), error.hint) from error
    chosen.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.begun(chosen.data)
    with bar("lines") as told:
        found = build.import_files(chosen, files, options, sys.stdin.buffer, told)
    click.echo(msgspec.json.encode(found.as_dict()) if as_json else as_text(found))
