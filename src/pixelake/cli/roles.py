"""Commands that run something: everything, one role, the demo; and whether it answers, and the tag for it."""

import contextlib
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import click

from pixelake import build, settings, supervise, telemetry
from pixelake.cli.base import FLAGS, Misuse, program, say, settings_of
from pixelake.errors import PixelakeError
from pixelake.operate import folder
from pixelake.operate.apart import apart
from pixelake.operate.listen import everywhere, healthy, pixel_url, url_of
from pixelake.operate.snippet import KINDS, fault_of_site
from pixelake.operate.snippet import snippet as tag
from pixelake.settings import Settings

HEALTH_SECONDS: Final = 3.0
"""An answer that takes longer is none."""


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
    """Serve, with a sample page and made-up visitors, now and in the last ten weeks. --data names a folder to keep."""
    from pixelake.operate.demo import arriving, past, sample_page, send_visitors
    from pixelake.operate.demo_world import World

    named = "data" in context.meta.get(FLAGS, {})
    chosen = _settings_of_demo(context)
    with contextlib.ExitStack() as stack:
        if not named:
            chosen = replace(chosen, data=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pixelake-"))))
        apart(lambda: _check_demo(chosen))

        def ready(real: Settings) -> None:
            page = stack.enter_context(sample_page(tag(_here(real), "demo.example")))
            _greet(real, folder.ROLES)
            click.echo(f"Sample page: {page}")
            _mark(real)
            stack.enter_context(past(real))
            random = Random()  # noqa: S311 - visitors, not secrets
            send_visitors(_here(real), arriving(World(random), random))

        telemetry.log_to_stderr(chosen.log_level)
        supervise.serve(chosen, folder.ROLES, ready)


def _settings_of_demo(context: click.Context) -> Settings:
    """What flags say, and how the environment has it listen: nothing else may lead it to what is somebody's own."""
    from pixelake.operate import demo_alone
    from pixelake.operate.demo import in_front

    if name := demo_alone.forbidden(context.meta.get(FLAGS, {})):
        flag = "--" + name.replace("_", "-")
        raise Misuse(f"a demo does not take {flag}: it keeps to a folder of its own", "name that folder with --data")
    chosen = in_front(settings_of(context, demo_alone.heard(os.environ)))
    if aside := demo_alone.set_aside(os.environ, settings.FILE):
        say(f"the demo leaves {', '.join(aside)} aside", "what it should have is named by a flag")
    return chosen


def _check_demo(chosen: Settings) -> None:
    _check(chosen, folder.ROLES)
    build.check_demo(chosen)


def _mark(real: Settings) -> None:
    """Say in the registry that this folder is a demo's, and to whoever looks on that its past is made up."""
    from pixelake.operate.demo_world import MARK

    with contextlib.closing(build.registry(real)) as known:
        if MARK not in known.secrets(MARK):
            click.echo("The ten weeks before now are made up: in some seconds they are there, with the source `demo`.")
        known.secret(MARK)


def _serve(context: click.Context, roles: tuple[str, ...]) -> None:
    chosen = settings_of(context)
    apart(lambda: _check(chosen, roles))  # what it loads would stay in the supervisor: 50 MB
    telemetry.log_to_stderr(chosen.log_level)
    supervise.serve(chosen, roles, lambda real: _greet(real, roles))


def _check(chosen: Settings, roles: tuple[str, ...]) -> None:
    """Refuse what these roles could not start with."""
    build.check(chosen)
    build.check_registry(chosen)
    if roles != ("web",):
        build.check_stream(chosen)
    if "consume" in roles:
        build.check_enrichers(chosen)
        build.check_lake(chosen)


def _here(chosen: Settings) -> str:
    """How the pixel is reached from this machine."""
    return url_of(chosen, "collect")


def _tag(chosen: Settings, site: str, kind: str = "page") -> str:
    """The tag; says so on stderr if nobody but this machine can follow it."""
    if not chosen.public_url and everywhere(chosen.collect):
        say("the tag is for this machine alone", "name the address that others see with --public-url")
    return tag(pixel_url(chosen), site, kind)


def _greet(real: Settings, roles: tuple[str, ...]) -> None:
    """Everybody answers: say where."""
    if "collect" in roles:
        click.echo(f"Paste this into a page:\n\n  {_tag(real, 'SITE')}\n\nPixel: {pixel_url(real)}/pixel.gif")
    if "web" in roles:
        token = build.registry(real).secret("access_token")
        click.echo(f"Dashboard: {url_of(real, 'web')}/?token={token}")


@program.command()
@click.argument("roles", nargs=-1, type=click.Choice(supervise.LISTENING))
@click.pass_context
def health(context: click.Context, roles: tuple[str, ...]) -> None:
    """Whether the pixel (collect) and the dashboard (web) answer where the settings say. Without ROLES: both."""
    chosen = settings_of(context)
    settings.check(chosen)
    for role in roles or supervise.LISTENING:
        if not healthy(url_of(chosen, role), HEALTH_SECONDS):
            raise PixelakeError(f"nobody answers at {url_of(chosen, role)}", f"see the log, or name it with --{role}")


@program.command("snippet")
@click.option("--site", required=True, help="The site it counts for, for instance shop.example.")
@click.option("--kind", type=click.Choice(KINDS), default="page", show_default=True)
@click.pass_context
def snippet_tag(context: click.Context, site: str, kind: str) -> None:
    """The tag to paste."""
    chosen = settings_of(context)
    settings.check(chosen)
    if fault := fault_of_site(site):
        raise Misuse(f"--site cannot be used: {fault}", "name a host or a slug, for instance shop.example")
    click.echo(_tag(chosen, site, kind))
