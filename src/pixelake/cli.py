"""The command line: one function per command, which parses, calls and prints.

Exit status 0: done; 1: failed; 2: misused; 130: interrupted (Ctrl-C). An error
is one line on stderr, with a hint in brackets.
"""

import contextlib
import math
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any, Final, NoReturn

import click
import msgspec

from pixelake import __version__, build, settings, supervise, telemetry
from pixelake.clock import SYSTEM
from pixelake.errors import PixelakeError, QueryError, SettingsError
from pixelake.operate import child, folder
from pixelake.operate.listen import everywhere, healthy, pixel_url, url_of
from pixelake.operate.snippet import KINDS, fault_of_site
from pixelake.operate.snippet import snippet as tag
from pixelake.registry.base import POLICIES
from pixelake.reject import REASONS
from pixelake.settings import Settings

NEWEST_REJECTS: Final = (
    "select received_at, stage, reason, detail, hit_id from rejects order by received_at desc limit ?"
)
VISITS_A_SECOND: Final = 6.0
"""Of the demo's visitors."""
MOST_DAYS: Final = 36_500
"""A hundred years."""
MOST_ROWS: Final = (1 << 63) - 1
HEALTH_SECONDS: Final = 3.0
"""An answer that takes longer is none."""
_EPILOG: Final = "Every setting is a flag of every command: `pixelake settings` lists them."
_FLAGS: Final = "pixelake.flags"
_FORMAT = click.Choice(["table", "csv", "json", "parquet"])


class _Misuse(click.UsageError):
    """A usage error with a hint of its own."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class _Interrupted(click.ClickException):
    """Ctrl-C. `click` would print an empty line for it."""

    exit_code = 128 + signal.SIGINT


class _Days(click.FloatRange):
    """A range of numbers that has no place for ``nan``, which is in none and yet passes all."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


class _Command(click.Command):
    """A command that takes every setting as a flag."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{"epilog": _EPILOG} | named)
        self.params.extend(_setting_options())


class _SqlCommand(_Command):
    """A command whose argument may begin with a comment, which is no option: it is given a blank in front."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        return super().parse_args(context, [re.sub(r"\A--[^\s=]*\s", r" \g<0>", each) for each in arguments])


class _Group(click.Group):
    """A group that does too, so that flags may stand before and after the command's name.

    Help shows the settings named in `shown`; `pixelake settings` lists all.
    """

    command_class = _Command
    group_class = type

    def __init__(self, *arguments: Any, shown: tuple[str, ...] = (), **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params.extend(_setting_options(shown))

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except KeyboardInterrupt as interrupt:
            raise _Interrupted("interrupted") from interrupt


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
    epilog=_EPILOG,
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
    build.check(chosen)
    build.check_enrichers(chosen)
    with contextlib.ExitStack() as stack:
        if "data" not in context.meta.get(_FLAGS, {}):
            chosen = replace(chosen, data=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pixelake-"))))

        def ready(real: Settings) -> None:
            page = stack.enter_context(sample_page(tag(_here(real), "demo.example")))
            _greet(real, folder.ROLES)
            click.echo(f"Sample page: {page}")
            send_visitors(_here(real), VISITS_A_SECOND, Random())  # noqa: S311 - visitors, not secrets

        telemetry.log_to_stderr(chosen.log_level)
        supervise.serve(chosen, folder.ROLES, ready)


def _serve(context: click.Context, roles: tuple[str, ...]) -> None:
    chosen = _settings(context)
    build.check(chosen)
    if "consume" in roles:
        build.check_enrichers(chosen)
        build.check_lake(chosen)
    telemetry.log_to_stderr(chosen.log_level)
    supervise.serve(chosen, roles, lambda real: _greet(real, roles))


def _here(chosen: Settings) -> str:
    """How the pixel is reached from this machine."""
    return url_of(chosen, "collect")


def _tag(chosen: Settings, site: str, kind: str = "page") -> str:
    """The tag; says so on stderr if nobody but this machine can follow it."""
    if not chosen.public_url and everywhere(chosen.collect):
        _say("the tag is for this machine alone", "name the address that others see with --public-url")
    return tag(pixel_url(chosen), site, kind)


def _greet(real: Settings, roles: tuple[str, ...]) -> None:
    """Everybody answers: say where."""
    if "collect" in roles:
        click.echo(f"Paste this into a page:\n\n  {_tag(real, 'SITE')}\n\nPixel: {pixel_url(real)}/pixel.gif")
    if "web" in roles:
        token = build.registry(real).secret("access_token")
        click.echo(f"Dashboard: {url_of(real, 'web')}/?token={token}")


@program.command(cls=_SqlCommand)
@click.argument("question", metavar="SELECT")
@click.option("--format", "form", type=_FORMAT, default="table", show_default=True)
@click.pass_context
def sql(context: click.Context, question: str, form: str) -> None:
    """Read-only SQL over the tables `events` and `rejects`."""
    chosen = _settings(context)
    folder.existing(chosen.data)
    with build.asked_lake(chosen) as lake:
        _print(lake.sql(question), form)


@program.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Both sums: where every hit is, and what became of it. Beside a running server or without one."""
    from pixelake.operate.status import as_text

    chosen = _settings(context)
    folder.existing(chosen.data)
    found = build.status(chosen)
    if as_json:
        click.echo(msgspec.json.encode(found.as_dict()))
        return
    disk = shutil.disk_usage(chosen.data)
    lines = (click.style(line, fg="red") if line.startswith("!") else line for line in as_text(found).splitlines())
    click.echo("\n".join(lines))
    click.echo(
        f"  disk      {disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB free\n"
        f"  version   {__version__}, data version {folder.VERSION}, in {chosen.data}"
    )


@program.command()
@click.argument("roles", nargs=-1, type=click.Choice(supervise.LISTENING))
@click.pass_context
def health(context: click.Context, roles: tuple[str, ...]) -> None:
    """Whether the pixel (collect) and the dashboard (web) answer where the settings say. Without ROLES: both."""
    chosen = _settings(context)
    settings.check(chosen)
    for role in roles or supervise.LISTENING:
        if not healthy(url_of(chosen, role), HEALTH_SECONDS):
            raise PixelakeError(f"nobody answers at {url_of(chosen, role)}", f"see the log, or name it with --{role}")


@program.group()
def rejects() -> None:
    """Hits that are not events, and why."""


@rejects.command("list")
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), default=20, show_default=True)
@click.option("--format", "form", type=_FORMAT, default="table", show_default=True)
@click.pass_context
def rejects_list(context: click.Context, limit: int, form: str) -> None:
    """The newest rejects."""
    chosen = _settings(context)
    folder.existing(chosen.data)
    with build.asked_lake(chosen) as lake:
        _print(lake.ask(NEWEST_REJECTS, [limit]), form)


@rejects.command("show")
@click.argument("hit_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a reject of that name.")
@click.pass_context
def rejects_show(context: click.Context, hit_id: str, as_json: bool) -> None:
    """One reject: all its faults, and what is kept of the hit."""
    from pixelake.operate import rejects as lookup
    from pixelake.operate import render

    chosen = _settings(context)
    folder.existing(chosen.data)
    with build.asked_lake(chosen) as lake:
        found = lookup.find(lake, hit_id)
    if not found:
        raise QueryError(f"there is no reject {hit_id!r}", "`pixelake rejects list` shows the newest")
    for row in found:
        if as_json:
            click.echo(render.json_of(row))
            continue
        for name, value in row.items():
            click.echo(f"{name:<12} {render.inert(render.plain(value))}".rstrip())


@rejects.command("replay")
@click.option("--reason", help="Only those with this reason.")
@click.option("--site", help="Only those that are events of this site now.")
@click.option("--id", "hit_id", help="Only this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def rejects_replay(
    context: click.Context, reason: str | None, site: str | None, hit_id: str | None, as_json: bool
) -> None:
    """Judge rejects anew, by today's settings and schemas: what is an event now moves to the events, once.

    Beside a running server or without one. The live store does not see it.
    """
    from pixelake.operate.replay import Wanted, as_text

    _check_reason(reason)
    chosen = _settings(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with _bar("rejects") as told:
        found = build.replay(chosen, told).run(Wanted(reason, site.strip().lower() if site else None, hit_id))
    if hit_id is not None and not found.looked_at:
        raise QueryError(f"there is no reject {hit_id!r}", "`pixelake rejects list` shows the newest")
    click.echo(msgspec.json.encode(found.as_dict()) if as_json else as_text(found))


@rejects.command("purge")
@click.option("--reason", help="Those with this reason.")
@click.option("--older-than", "days", type=_Days(0, MOST_DAYS), help="Those received so many days ago.")
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def rejects_purge(context: click.Context, reason: str | None, days: float | None, every: bool, as_json: bool) -> None:
    """Remove rejects for good; they are counted as removed."""
    from pixelake.operate.rejects import Old, purge

    if every == (reason is not None or days is not None):
        raise _Misuse("which rejects?", "say --reason CODE, --older-than DAYS, both, or --all alone")
    _check_reason(reason)
    chosen = _settings(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with _bar("rejects removed") as told:
        removed = purge(build.lake(chosen), Old(reason, days), lambda done: told(done, done))
    click.echo(msgspec.json.encode({"removed": removed}) if as_json else f"{removed:,} rejects removed")


def _check_reason(reason: str | None) -> None:
    if reason is not None and reason not in REASONS:
        close = get_close_matches(reason, REASONS, 1)
        hint = f"did you mean {close[0]}?" if close else f"it is one of {', '.join(REASONS)}"
        raise _Misuse(f"there is no reason {reason!r}", hint)


@contextlib.contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """What tells how far a long work is, to a person who watches."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


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

    chosen = _settings(context)
    build.check(chosen)
    folder.begun(chosen.data)
    with _bar("files") as told:
        found = compact(build.lake(chosen), told)
    click.echo(msgspec.json.encode(found.as_dict()) if as_json else as_text(found))


@program.group()
def sites() -> None:
    """Sites, and which of them have a badge."""


@sites.command("list")
@click.option("--format", "form", type=_FORMAT, default="table", show_default=True)
@click.pass_context
def sites_list(context: click.Context, form: str) -> None:
    """Every site: its time zone now, the count its badge shows if it has one, and what DNT and Sec-GPC do."""
    import pyarrow as pa

    chosen = _settings(context)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        known = registry.snapshot()
    columns = {
        "site": sorted(known.sites),
        "zone": [known.sites[name].zone(SYSTEM.now()) for name in sorted(known.sites)],
        "badge": pa.array([known.badges.get(name) for name in sorted(known.sites)], pa.int64()),
        "policy": [
            (known.policies.get(name) or [(0, "")])[-1][1] or chosen.do_not_track for name in sorted(known.sites)
        ],
    }
    _print(pa.table(columns), form)


def _site(named: str) -> str:
    """The site of that name, as it is kept."""
    if fault := fault_of_site(named):
        raise _Misuse(f"there can be no such site: {fault}", "name a host or a slug, for instance shop.example")
    return named.strip().lower()


@sites.command("add")
@click.argument("site")
@click.option("--zone", help="Its IANA time zone; else the setting default_zone.")
@click.pass_context
def sites_add(context: click.Context, site: str, zone: str | None) -> None:
    """Declare a site, before its first hit or because `sites` is closed. Its rejects can be replayed then."""
    chosen = _settings(context)
    name = _site(site)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        new = name not in registry.snapshot().sites
        if zone and new:
            registry.set_zone(name, zone)  # adds it too, but not if there is no such zone
        else:
            registry.add_sites([name])
        if name not in registry.snapshot().sites:
            raise PixelakeError(f"there is no room for {name}", "the registry has as many sites as it may")
    if zone and not new:
        raise PixelakeError(f"{name} is a site already, its zone stays", "days that are over keep the zone they had")


@sites.command("badge")
@click.argument("site")
@click.option("--on/--off", "has", default=True, help="Give it one, or take it away.", show_default=True)
@click.pass_context
def sites_badge(context: click.Context, site: str, has: bool) -> None:
    """Give a site a badge: an image with a text or a count. The tag: `pixelake snippet --kind badge`."""
    chosen = _settings(context)
    name = _site(site)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        registry.set_badge(name, has)


@sites.command("policy")
@click.argument("site")
@click.argument("value", type=click.Choice(["default", *POLICIES]))
@click.pass_context
def sites_policy(context: click.Context, site: str, value: str) -> None:
    """What DNT: 1 and Sec-GPC: 1 do on a site; `default`: what the setting do_not_track says."""
    chosen = _settings(context)
    name = _site(site)
    folder.begun(chosen.data)
    with contextlib.closing(build.registry(chosen)) as registry:
        registry.set_policy(name, "" if value == "default" else value)


@program.command("snippet")
@click.option("--site", required=True, help="The site it counts for, for instance shop.example.")
@click.option("--kind", type=click.Choice(KINDS), default="page", show_default=True)
@click.pass_context
def snippet_tag(context: click.Context, site: str, kind: str) -> None:
    """The tag to paste."""
    chosen = _settings(context)
    settings.check(chosen)
    if fault := fault_of_site(site):
        raise _Misuse(f"--site cannot be used: {fault}", "name a host or a slug, for instance shop.example")
    click.echo(_tag(chosen, site, kind))


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
    if told:
        sys.exit(_obey(told))
    if sys.stdout is None:
        sys.exit(_fail("standard output is closed", "send it to a file, or to /dev/null", 1))
    sys.exit(run(sys.argv[1:]))


def _obey(told: child.Assignment) -> int:
    """Run the role this child was told to; return its exit status."""
    child.obey(told)
    chosen = settings.load(told.settings, {}, Path(os.devnull))
    telemetry.log_to_stderr(chosen.log_level)
    listener = None if told.listener is None else socket.socket(fileno=told.listener)
    try:
        build.ROLES[told.role](chosen, listener, lambda: child.ready(told))
    except PixelakeError as error:
        child.report(told, error)
        return os.EX_CONFIG if isinstance(error, SettingsError) else 1
    return 0


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
    except OSError as error:
        return _fail_output(error)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", "", _Interrupted.exit_code)
    return answer if isinstance(answer, int) else 0


def _fail_output(error: OSError) -> int:
    """What a command handles is a PixelakeError by now: left are its own output and files of nobody's."""
    with contextlib.suppress(OSError):  # Python must not try again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # whoever read us has seen enough
        return 1
    return _fail(f"cannot write {error.filename or 'the output'}: {error.strerror or error}", "look at its disk", 1)


def _message(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        return f"there is no option {error.option_name}"
    return error.format_message()


def _hint(error: click.ClickException) -> str:
    if isinstance(error, _Misuse):
        return error.hint
    if isinstance(error, _Interrupted):
        return ""
    if isinstance(error, click.NoSuchOption):
        close = get_close_matches(error.option_name, ["--" + name.replace("_", "-") for name in settings.NAMES], 1)
        return f"did you mean {close[0]}?" if close else "`pixelake settings` lists every setting"
    return "`pixelake --help` lists the commands"


def _fail(message: str, hint: str, status: int) -> int:
    _say(message, hint)
    return status


def _say(message: str, hint: str) -> None:
    line = " ".join(f"pixelake: {message.rstrip('.')}{f' ({hint})' if hint else ''}".split())
    with contextlib.suppress(OSError):
        click.echo(line, err=True)
