"""The command line: one function per command, which parses, calls and prints.

Exit status 0: done; 1: failed; 2: misused. An error is one line on stderr,
with a hint in brackets.
"""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any, Final, NoReturn

import click
import msgspec
import structlog

from pixelake import __version__, build, settings, supervise
from pixelake.errors import PixelakeError, QueryError, SettingsError
from pixelake.operate import child, folder
from pixelake.operate.listen import reachable
from pixelake.operate.snippet import KINDS
from pixelake.operate.snippet import snippet as tag
from pixelake.settings import Settings

NEWEST_REJECTS: Final = (
    "select received_at, stage, reason, detail, hit_id from rejects order by received_at desc limit ?"
)
VISITS_A_SECOND: Final = 6.0
"""Of the demo's visitors."""
_FLAGS: Final = "pixelake.flags"
_FORMAT = click.Choice(["table", "csv", "json", "parquet"])


class _Misuse(click.UsageError):
    """A usage error with a hint of its own."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class _Command(click.Command):
    """A command that takes every setting as a flag."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params.extend(_setting_options())


class _Group(click.Group):
    """A group that does too, so that flags may stand before and after the command's name.

    Help shows the settings named in `shown`; `pixelake settings` lists all.
    """

    command_class = _Command
    group_class = type

    def __init__(self, *arguments: Any, shown: tuple[str, ...] = (), **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params.extend(_setting_options(shown))


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None and option.name:
        context.meta.setdefault(_FLAGS, {})[option.name.removeprefix("setting_")] = value


def _setting_options(shown: tuple[str, ...] = ()) -> list[click.Option]:
    """A flag for every setting, and for the configuration file; help shows only some."""
    options = [
        click.Option(
            ["--" + each.name.replace("_", "-"), f"setting_{each.name}"],
            metavar=f"<{each.metadata['unit'] or 'text'}>",
            help=each.metadata["help"],
            hidden=each.name not in shown,
            expose_value=False,
            callback=_keep,
        )
        for each in fields(Settings)
    ]
    config = click.Option(
        ["--config", "setting_config"],
        metavar="<file>",
        help="TOML file of settings; else $PIXELAKE_CONFIG, else ./pixelake.toml",
        hidden=not shown,
        expose_value=False,
        callback=_keep,
    )
    return [config, *options]


def _settings(context: click.Context) -> Settings:
    flags = dict(context.meta.get(_FLAGS, {}))
    config = flags.pop("config", None)
    try:
        settings.load(flags, {}, Path(os.devnull))
    except SettingsError as error:
        raise _Misuse(str(error), error.hint) from error
    return settings.load(flags, config=Path(config) if config else None)


@click.group(
    cls=_Group,
    shown=("data", "collect", "web", "workers"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every setting is a flag of every command: `pixelake settings` lists them.",
)
@click.version_option(__version__, package_name="pixelake", message="pixelake %(version)s")
def program() -> None:
    """A tracking pixel you can trust: it answers once the hit is on disk, and the lake is yours."""


@program.command()
@click.pass_context
def serve(context: click.Context) -> None:
    """Everything on this machine: collectors, the consumer, the dashboard."""
    _serve(context, folder.ROLES)


@program.command()
@click.pass_context
def collect(context: click.Context) -> None:
    """The public pixel alone."""
    _serve(context, ("collect",))


@program.command()
@click.pass_context
def consume(context: click.Context) -> None:
    """The consumer alone: from the stream into the lake and the live store."""
    _serve(context, ("consume",))


@program.command()
@click.pass_context
def web(context: click.Context) -> None:
    """The dashboard and its API alone."""
    _serve(context, ("web",))


@program.command()
@click.pass_context
def demo(context: click.Context) -> None:
    """Serve, with a sample page and generated visitors. In a folder of its own unless --data names one."""
    from pixelake.operate.demo import sample_page, send_visitors

    chosen = _settings(context)
    with contextlib.ExitStack() as stack:
        if "data" not in context.meta.get(_FLAGS, {}):
            chosen = replace(chosen, data=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pixelake-"))))

        def ready(real: Settings) -> None:
            page = stack.enter_context(sample_page(tag(_here(real), "demo.example")))
            _greet(real, folder.ROLES)
            click.echo(f"Sample page: {page}")
            send_visitors(_here(real), VISITS_A_SECOND, Random())  # noqa: S311 - visitors, not secrets

        _configure_logs(chosen.log_level)
        supervise.serve(chosen, folder.ROLES, ready)


def _serve(context: click.Context, roles: tuple[str, ...]) -> None:
    chosen = _settings(context)
    _configure_logs(chosen.log_level)
    supervise.serve(chosen, roles, lambda real: _greet(real, roles))


def _here(chosen: Settings) -> str:
    """How the pixel is reached from this machine."""
    return f"http://{reachable(chosen.collect)}"


def _greet(real: Settings, roles: tuple[str, ...]) -> None:
    """Everybody answers: say where."""
    url = real.public_url or _here(real)
    if "collect" in roles:
        click.echo(f"Paste this into a page:\n\n  {tag(url, 'SITE')}\n\nPixel: {url}/pixel.gif")
    if "web" in roles:
        token = build.registry(real).secret("access_token")
        click.echo(f"Dashboard: http://{reachable(real.web)}/?token={token}")


@program.command()
@click.argument("question", metavar="SELECT")
@click.option("--format", "form", type=_FORMAT, default="table", show_default=True)
@click.pass_context
def sql(context: click.Context, question: str, form: str) -> None:
    """Read-only SQL over the tables `events` and `rejects`."""
    chosen = _settings(context)
    folder.existing(chosen.data)
    with build.lakehouse(chosen) as lake:
        _print(lake.sql(question), form)


@program.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Both sums: where every hit is, and what became of it. Beside a running server or without one."""
    chosen = _settings(context)
    folder.existing(chosen.data)
    found = build.status(chosen)
    if as_json:
        click.echo(msgspec.json.encode(found.as_dict()))
        return
    disk = shutil.disk_usage(chosen.data)
    click.echo(
        f"{_mark(found.hits_hold)} hits      {found.accepted:,} accepted = {found.in_stream:,} in the stream"
        f" + {found.settled:,} settled\n"
        f"{_mark(found.outcomes_hold)} outcomes  {found.outcomes:,} = {found.in_lake:,} in the lake"
        f" + {found.rejected:,} rejected + {found.withheld:,} withheld + {found.removed:,} removed\n"
        f"  lag       {found.lag_seconds:.1f} s\n"
        f"  stream    its oldest hit is {found.oldest_hit_age_seconds:.0f} s old\n"
        f"  disk      {disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB free\n"
        f"  version   {__version__}, data version {folder.VERSION}, in {chosen.data}"
    )


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"


@program.group()
def rejects() -> None:
    """Hits that are not events, and why."""


@rejects.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--format", "form", type=_FORMAT, default="table", show_default=True)
@click.pass_context
def rejects_list(context: click.Context, limit: int, form: str) -> None:
    """The newest rejects."""
    chosen = _settings(context)
    folder.existing(chosen.data)
    with build.lakehouse(chosen) as lake:
        _print(lake.ask(NEWEST_REJECTS, [limit]), form)


@rejects.command("show")
@click.argument("hit_id")
@click.pass_context
def rejects_show(context: click.Context, hit_id: str) -> None:
    """One reject: all its faults, and the hit as it arrived."""
    from pixelake.operate import render

    chosen = _settings(context)
    folder.existing(chosen.data)
    with build.lakehouse(chosen) as lake:
        found = lake.ask("select * from rejects where hit_id = ?", [hit_id])
    if not found.num_rows:
        raise QueryError(f"there is no reject {hit_id!r}", "`pixelake rejects list` shows the newest")
    for row in render.rows_of(found):
        for name, value in row.items():
            click.echo(f"{name:<12} {render.inert(render.plain(value))}".rstrip())


@program.command("snippet")
@click.option("--site", required=True, help="The site it counts for, for instance shop.example.")
@click.option("--kind", type=click.Choice(KINDS), default="page", show_default=True)
@click.pass_context
def snippet_tag(context: click.Context, site: str, kind: str) -> None:
    """The tag to paste."""
    click.echo(tag(_settings(context).collect_url, site, kind))


@program.command("settings")
@click.option("--format", "form", type=_FORMAT, default="table", show_default=True)
@click.pass_context
def settings_list(context: click.Context, form: str) -> None:
    """Every setting: its name, value, default, unit, and what it does."""
    import pyarrow as pa

    chosen = _settings(context)
    _print(pa.Table.from_pylist(settings.listed(chosen)), form)


def _print(rows: Any, form: str) -> None:
    from pixelake.operate import render

    if form == "parquet" and sys.stdout.isatty():
        raise _Misuse("Parquet is not for terminals", "write it to a file: ... --format parquet > rows.parquet")
    render.render(rows, form, sys.stdout, sys.stdout.buffer)


def main() -> NoReturn:
    """Run the command line, or one role if this process is a child of the supervisor."""
    told = child.assignment()
    sys.exit(_obey(told) if told else run(sys.argv[1:]))


def _obey(told: child.Assignment) -> int:
    """Run the role this child was told to; return its exit status."""
    child.obey(told)
    chosen = settings.load(told.settings, {}, Path(os.devnull))
    _configure_logs(chosen.log_level)
    listener = None if told.listener is None else socket.socket(fileno=told.listener)
    try:
        build.ROLES[told.role](chosen, listener)
    except PixelakeError as error:
        child.report(told, error)
        return 1
    return 0


def _configure_logs(level: str) -> None:
    """Log to stderr: a line of JSON each, or coloured text if a person watches. Nothing personal is ever logged."""
    pretty = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def run(arguments: list[str]) -> int:
    """Run one command; return the exit status."""
    try:
        answer = program.main(arguments, "pixelake", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        return _fail(_message(error), _hint(error), error.exit_code)
    except PixelakeError as error:
        return _fail(str(error), error.hint, 1)
    except BrokenPipeError:
        # whoever read us has seen enough; Python must not try again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (click.Abort, KeyboardInterrupt):
        return 1
    return answer if isinstance(answer, int) else 0


def _message(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        return f"there is no option {error.option_name}"
    return error.format_message()


def _hint(error: click.ClickException) -> str:
    if isinstance(error, _Misuse):
        return error.hint
    if isinstance(error, click.NoSuchOption):
        close = get_close_matches(error.option_name, ["--" + name.replace("_", "-") for name in settings.NAMES], 1)
        return f"did you mean {close[0]}?" if close else "`pixelake settings` lists every setting"
    return "`pixelake --help` lists the commands"


def _fail(message: str, hint: str, status: int) -> int:
    line = " ".join(f"pixelake: {message.rstrip('.')}{f' ({hint})' if hint else ''}".split())
    print(line, file=sys.stderr)  # noqa: T201 - the one line
    return status
