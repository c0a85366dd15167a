"""The command line: one function per command, which parses, calls and prints; a file a room of commands.

Exit status 0: done; 1: failed; 2: misused; 130: interrupted (Ctrl-C). An error
is one line on stderr, with a hint in brackets.
"""

import contextlib
import os
import socket
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import click

from pixelake import build, machine, settings, telemetry
from pixelake.cli import (
    ask,
    aws,
    backup,
    erase,
    goals,
    keys,
    maintain,
    query,
    rejects,
    replay,
    report,
    roles,
    sites,
    transfer,
    users,
)
from pixelake.cli.base import Interrupted, Misuse, program, say
from pixelake.errors import PixelakeError, SettingsError
from pixelake.operate import child, folder

__all__ = ["main", "run"]

ROOMS = (roles, ask, query, report, rejects, sites, maintain, backup, transfer, replay, erase, keys, users, goals, aws)
"""Where commands come from: importing them is what adds them."""


def main() -> NoReturn:
    """Run the command line, or one role if this process is a child of the supervisor."""
    os.umask(0o077)  # whatever a command makes holds personal data or secrets: nobody else may read it
    told = child.assignment()
    if told:
        sys.exit(_obey(told))
    if not {*folder.ROLES, "serve", "demo"} & {*sys.argv[1:]}:
        machine.give_way(*child.BESIDE)  # a compaction, or a question of somebody's, must not hold up a collector
    if sys.stdout is None:
        sys.exit(_fail("standard output is closed", "send it to a file, or to /dev/null", 1))
    sys.exit(run(sys.argv[1:]))


def _obey(told: child.Assignment) -> int:
    """Run the role this child was told to; return its exit status."""
    child.obey(told)
    chosen = settings.load(told.settings, {}, Path(os.devnull))
    telemetry.log_to_stderr(chosen.log_level)
    telemetry.log_defects()
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
        return _fail("interrupted", "", Interrupted.exit_code)
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
    if isinstance(error, Misuse):
        return error.hint
    if isinstance(error, Interrupted):
        return ""
    if isinstance(error, click.NoSuchOption):
        close = get_close_matches(error.option_name, ["--" + name.replace("_", "-") for name in settings.NAMES], 1)
        return f"did you mean {close[0]}?" if close else "`pixelake settings` lists every setting"
    return "`pixelake --help` lists the commands"


def _fail(message: str, hint: str, status: int) -> int:
    say(message, hint)
    return status
