"""What all commands share: their form, every setting as a flag, how rows and progress are shown."""

import contextlib
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final

import click

from pixelake import __version__, settings
from pixelake.errors import SettingsError
from pixelake.operate.inert import inert
from pixelake.settings import Settings

EPILOG: Final = "Every setting is a flag of every command: `pixelake settings` lists them."
FLAGS: Final = "pixelake.flags"
"""Where the flags of a call are kept, in click's context."""
FORMAT: Final = click.Choice(["table", "csv", "json", "parquet", "arrow"])
MOST_ROWS: Final = (1 << 63) - 1
MOST_DAYS: Final = 36_500
"""A hundred years."""


class Misuse(click.UsageError):
    """A usage error with a hint of its own."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Interrupted(click.ClickException):
    """Ctrl-C. `click` would print an empty line for it."""

    exit_code = 128 + signal.SIGINT


class Days(click.FloatRange):
    """A range of numbers that has no place for ``nan``, which is in none and yet passes all."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


class Command(click.Command):
    """A command that takes every setting as a flag."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{"epilog": EPILOG} | named)
        self.params.extend(_setting_options())


class SqlCommand(Command):
    """A command whose argument may begin with a comment, which is no option: it is given a blank in front."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """See click; only comments are told apart from options."""
        return super().parse_args(context, [re.sub(r"\A--[^\s=]*\s", r" \g<0>", each) for each in arguments])


class Group(click.Group):
    """A group that does too, so that flags may stand before and after the command's name.

    Help shows the settings named in `shown`; `pixelake settings` lists all.
    """

    command_class = Command
    group_class = type

    def __init__(self, *arguments: Any, shown: tuple[str, ...] = (), **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params.extend(_setting_options(shown))

    def invoke(self, context: click.Context) -> Any:
        """Run the command; Ctrl-C ends it without an empty line."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt as interrupt:
            raise Interrupted("interrupted") from interrupt


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None and option.name:
        context.meta.setdefault(FLAGS, {})[option.name.removeprefix("setting_")] = value


@cache
def _setting_options(shown: tuple[str, ...] = ()) -> Sequence[click.Option]:
    """A flag for every setting, and for the configuration file; help shows only some. All commands share them."""
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
    return config, *options


def settings_of(context: click.Context, instead: Mapping[str, str] | None = None) -> Settings:
    """The settings of this call: file, environment, flags; or such an environment, without a file, and flags.

    Raises:
        Misuse: a flag cannot be.
        SettingsError: the file, or the environment.
    """
    flags = dict(context.meta.get(FLAGS, {}))
    config = flags.pop("config", None)
    try:
        settings.load(flags, {}, Path(os.devnull))
    except SettingsError as error:
        raise Misuse(str(error), error.hint) from error
    if instead is not None:
        return settings.load(flags, instead, Path(os.devnull))
    return settings.load(flags, config=Path(config) if config else None)


@click.group(
    cls=Group,
    shown=("data", "collect", "web", "workers"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, package_name="pixelake", message="pixelake %(version)s")
def program() -> None:
    """A tracking pixel you can trust: it answers once the hit is on disk, and the lake is yours."""


@contextlib.contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
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


def print_rows(rows: Any, form: str) -> None:
    """Show the rows of a table on stdout, in one of `FORMAT`."""
    from pixelake.operate import render

    if form in {"parquet", "arrow"} and sys.stdout.isatty():
        name = form.capitalize()
        raise Misuse(f"{name} is not for terminals", f"write it to a file: ... --format {form} > rows.{form}")
    render.render(rows, form, sys.stdout, sys.stdout.buffer)


def say(message: str, hint: str) -> None:
    """Tell something on stderr, in one line. What a terminal might obey stands as an escape: it may quote a row."""
    line = inert(" ".join(f"pixelake: {message.rstrip('.')}{f' ({hint})' if hint else ''}".split()))
    with contextlib.suppress(OSError):
        click.echo(line, err=True)
