"""`pixelake replay`: a span of the stream judged anew."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import msgspec

from pixelake import build
from pixelake.cli.base import Misuse, bar, program, settings_of
from pixelake.cli.transfer import Moment
from pixelake.clock import SYSTEM
from pixelake.operate import folder

_AGO: Final = re.compile(r"(\d{1,6}) ?([smhdw])(?: ago)?", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Since(Moment):
    """A day or a moment, or how long ago it was: ``24h``, ``30m``, ``7d``."""

    name = "day, moment or age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment, or a usage error."""
        ago = _AGO.fullmatch(str(value))
        if ago is None:
            return super().convert(value, param, ctx)
        now = _EPOCH + timedelta(microseconds=SYSTEM.now())
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            self.fail(f"{value!r} is before all calendars", param, ctx)


@program.command("replay")
@click.option("--from", "start", type=Since(), required=True, help="Hits received from then on: ISO 8601, or 24h.")
@click.option(
    "--to", "end", type=Since(end=True), help="Received before then; a day counts as a whole.  [default: now]"
)
@click.option("--site", help="Only hits with an event of this site, as it is or as it would be.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def replay(context: click.Context, start: datetime, end: datetime | None, site: str | None, as_json: bool) -> None:
    """Judge what the stream still holds anew, by today's settings, lists and schemas: old rows for new, in one commit.

    Beside a running server, which should know the new rules already, or without one. What has left the lake does not
    come back. The live store, badges and plain files do not see it.
    """
    from pixelake.operate.rerun import Wanted, as_text
    from pixelake.stream.sqlite_range import Span

    span = Span(_micros(start), SYSTEM.now() if end is None else _micros(end))
    if span.begin >= span.end:
        raise Misuse("the span ends before it begins", "--from is the earlier one; both are UTC unless they say")
    chosen = settings_of(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with bar("rows") as told:
        found = build.rerun(chosen, told).run(Wanted(span, site.strip().lower() if site else None))
    click.echo(msgspec.json.encode(found.as_dict()) if as_json else as_text(found))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
