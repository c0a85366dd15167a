"""Files of hits come in: access logs of web servers and of CloudFront, and what `pixelake export` wrote.

Beside a running server or without one. What is cut short is begun again with the
same command, and goes on behind the last line that is in the lake.
"""

from collections.abc import Callable, Sequence
from typing import BinaryIO, Final, NamedTuple, Protocol

from pixelake.collect.logs import access, cloudfront
from pixelake.collect.logs.line import Format
from pixelake.collect.logs.visits import Wanted, routes_of
from pixelake.dialects.base import Dialect
from pixelake.errors import SettingsError
from pixelake.operate.import_logs import FOLDER, House, LogImport, abandon
from pixelake.operate.import_report import Imported, Report, Told, as_text
from pixelake.operate.import_rows import Held, RowImport
from pixelake.operate.lines import Source, opened
from pixelake.operate.parquet_lines import source_of
from pixelake.operate.snippet import fault_of_site

__all__ = ["FORMATS", "House", "Imported", "Options", "Report", "abandon", "as_text", "check", "run"]

NDJSON: Final = "ndjson"
REALTIME: Final = "cloudfront-realtime"
STANDARD: Final = "cloudfront-standard"
FORMATS: Final = (NDJSON, "combined", "nginx", REALTIME, STANDARD)
"""What can be read."""


class Options(NamedTuple):
    """How files are read.

    Attributes:
        form: one of `FORMATS`.
        site: of the pages in a log; empty: the host that its lines tell.
        everything: whether what is no page's view counts, too.
        log_format: of a log, as its server's configuration has it; empty: the one named `form`.
        fields: of a log of CloudFront, with commas between; empty: those that the format has by itself.
    """

    form: str
    site: str = ""
    everything: bool = False
    log_format: str = ""
    fields: str = ""


class Importer(Protocol):
    """Reads one kind of file."""

    def run(self, source: Source, told: Told) -> Imported:
        """Import what is not there yet."""
        ...


def check(options: Options) -> Format | None:
    """How lines of a log are read; None for an export.

    Raises:
        SettingsError: the options do not fit together, or nobody could say whose pages a log tells of.
    """
    if options.form == NDJSON:
        if options.site or options.everything or options.log_format or options.fields:
            raise SettingsError("an export is read as it is", "--site, --all, --log-format and --fields are for logs")
        return None
    if options.site and (fault := fault_of_site(options.site)):
        raise SettingsError(f"--site cannot be used: {fault}", "name a host or a slug, for instance shop.example")
    form = _of_cloudfront(options) if options.form in (REALTIME, STANDARD) else _of_server(options)
    is_json = options.form == "nginx" and not options.log_format
    if not (options.site or form.has_host or is_json):
        raise SettingsError("the lines of this format do not tell their site", "name it: --site shop.example")
    return form


def _of_server(options: Options) -> Format:
    if options.fields:
        raise SettingsError("only logs of CloudFront are told by their fields", "say --log-format '...' of a server's")
    if options.log_format:
        return access.custom(options.log_format)
    return access.nginx() if options.form == "nginx" else access.combined()


def _of_cloudfront(options: Options) -> Format:
    if options.log_format:
        raise SettingsError("a log of CloudFront has no --log-format", "name its fields: --fields timestamp,c-ip,...")
    make = cloudfront.realtime if options.form == REALTIME else cloudfront.standard
    return make(options.fields.split(",")) if options.fields else make()


def run(
    house: House,
    names: Sequence[str],
    options: Options,
    *,
    dialects: Sequence[Dialect],
    streamed: Callable[[], Held],
    stdin: BinaryIO,
    told: Told,
) -> Report:
    """Import files, one after the other.

    Args:
        house: where to.
        names: of the files; ``-`` is `stdin`.
        options: how they are read.
        dialects: whose routes are pixels.
        streamed: tells from which position on a stream of this installation holds each partition.
        stdin: what comes through a pipe; it is written down first.
        told: hears how many lines of a file are done, and how many there are.

    Raises:
        SettingsError: see `check`.
        SourceError: a file cannot be read, or is not what it should be; those before it are done.
        PixelakeError: the lake or the registry cannot be used now; begin again.
    """
    form = check(options)
    importer: Importer
    if form is None:
        importer = RowImport(house, streamed)
    else:
        site = options.site.strip().lower()
        importer = LogImport(house, form, Wanted(site, routes_of(dialects), options.everything))
    spool = house.folder / FOLDER
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = []
    make = source_of if options.form == STANDARD else Source
    for name in names:
        with opened(name, spool, stdin, make) as source:
            found.append(importer.run(source, told))
    return Report(found)
