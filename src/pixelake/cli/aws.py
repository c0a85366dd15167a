"""`pixelake aws`: the designs on AWS, here and there."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pixelake import build, settings, telemetry
from pixelake.aws import cost as costs
from pixelake.aws import cost_inputs
from pixelake.aws import limits as withstood
from pixelake.aws.cost_lines import DESIGNS as COSTS
from pixelake.aws.limits import DESIGNS as LIMITS
from pixelake.aws.terms import SPEED
from pixelake.build.judging import own_enrichers
from pixelake.cli.base import FLAGS, Days, Misuse, program, settings_of
from pixelake.errors import DataFolderError, PixelakeError, SettingsError
from pixelake.operate import folder as folders
from pixelake.operate.signals import taken
from pixelake.settings import Settings, parse_address

if TYPE_CHECKING:
    from pixelake.aws.local.topology import Topology

DESIGNS: Final = {"A": "stream", "B": "firehose", "C": "edge", "D": "queue"}
MARK: Final = "aws-local"
"""A file in the folder of a topology: which one it is."""
_OURS: Final = frozenset({"data", "collect", "web", "config", "stream", "lake", "live", "registry"})


@program.group("aws")
def aws() -> None:
    """The four designs on AWS."""


@aws.command("local")
@click.option(
    "--topology",
    type=click.Choice([*DESIGNS.values(), *DESIGNS], case_sensitive=False),
    required=True,
    help="A stream, B firehose, C edge, D queue.",
)
@click.option(
    "--payload", type=click.Choice(["2.0", "1.0"]), default="2.0", show_default=True, help="Of the events of A and B."
)
@click.option("--fault", "faults", multiple=True, metavar="NAME[=RATE]", help="What goes wrong, and how often.")
@click.option("--shards", type=click.IntRange(1, 32), default=2, show_default=True, help="Of each stream.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["parquet", "orc"]),
    default="parquet",
    help="Of the files of Firehose (B, C).",
)
@click.option(
    "--speed",
    type=click.FloatRange(1, 1_000),
    default=SPEED,
    show_default=True,
    help="How many seconds of the stacks (windows, buffers, visibility) are one here.",
)
@click.pass_context
def local(  # noqa: PLR0917 - an option each
    context: click.Context, topology: str, payload: str, faults: tuple[str, ...], shards: int, kind: str, speed: float
) -> None:
    """Run a design on this machine, with real HTTP, the real functions, and services that are simulated.

    Faults are throttle, partial, duplicate, crash and late: see the page on it. `pixelake sql --data DIR` reads its
    lake. Without --data all is gone at the end. What it cannot show, the docs say.
    """
    chosen = settings_of(context)
    settings.check(chosen)
    try:
        from pixelake.aws.local.faults import Faults, parsed
        from pixelake.aws.local.topology import Topology, Wanted
        from pixelake.transform.enrich.own import own_fields
    except ImportError as error:
        raise SettingsError(f"{error.name} is missing", "pip install 'pixelake[aws,s3,local]'") from None
    telemetry.log_to_stderr(chosen.log_level)
    rates, own = Faults(parsed(faults)), own_fields(own_enrichers(chosen))
    design = DESIGNS.get(topology.upper(), topology)
    with ExitStack() as stack:
        folder = _folder(context, chosen, design, stack)
        wanted = Wanted(
            topology=design,
            data=folder,
            collect=parse_address("collect", chosen.collect),
            faults=rates,
            payload=payload,
            shards=shards,
            format=kind,
            speed=speed,
            environment=_environment(context.meta.get(FLAGS, {})),
            own=own,
        )
        _run(Topology(wanted), chosen, folder)


_FIGURE = click.option(
    "--set", "told", multiple=True, metavar="NAME=NUMBER", help="Another figure: `aws cost --figures` lists them."
)


@aws.command("cost")
@click.option("--events-per-month", "events", type=Days(0, 1e13), help="How many; 1e9 is a billion.")
@click.option("--topology", "topologies", type=click.Choice(list(COSTS)), multiple=True, help="Its lines; else all.")
@_FIGURE
@click.option("--figures", is_flag=True, help="List the figures that it follows from, and say where they are from.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def cost(
    events: float | None, topologies: tuple[str, ...], told: tuple[str, ...], figures: bool, as_json: bool
) -> None:
    """What a month costs, by AWS's list prices: each line, what is fixed, what is free, what was published."""
    of = cost_inputs.told(told)
    if figures:
        click.echo("\n".join(cost_inputs.as_text(of)))
        return
    if events is None:
        raise Misuse("how many events?", "--events-per-month 1000000")
    bills = [costs.bill(design, events, of) for design in topologies or COSTS]
    click.echo(json.dumps(costs.as_json(bills)) if as_json else "\n".join(costs.as_text(bills, lines=bool(topologies))))


@aws.command("limits")
@click.option("--events-per-second", "rate", type=Days(0, 1e9), required=True, help="How many.")
@click.option("--topology", "topologies", type=click.Choice(list(LIMITS)), multiple=True, help="Else all.")
@_FIGURE
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def limits(rate: float, topologies: tuple[str, ...], told: tuple[str, ...], as_json: bool) -> None:
    """What gives out at which rate, the first one first; how many shards a rate needs; what to do about it."""
    of, designs = cost_inputs.told(told), topologies or tuple(LIMITS)
    if as_json:
        click.echo(json.dumps(withstood.as_json(rate, of, designs)))
    else:
        click.echo("\n".join(withstood.as_text(rate, of, designs)))


@aws.command("glue")
@click.option("--database", default="pixelake", show_default=True, help="Of the catalogue; it is made if need be.")
@click.option("--landing", default="", metavar="s3://BUCKET/PREFIX", help="What Firehose delivers, if it does.")
@click.pass_context
def glue(context: click.Context, database: str, landing: str) -> None:
    """Tell the catalogue of AWS (Glue) of the lake's tables, or of what has changed: no crawler is needed.

    The lake is the one of --lake; Athena and whoever reads the catalogue sees it.
    """
    for name in build.registered(settings_of(context), database, landing):
        click.echo(f"{database}.{name}")


@aws.command("synth")
@click.option(
    "--topology",
    type=click.Choice([*DESIGNS.values(), "fleet", *DESIGNS], case_sensitive=False),
    required=True,
    help="A stream, B firehose, C edge, D queue, or the fleet.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="A folder; else deploy/aws/out/TOPOLOGY.")
@click.option("--set", "told", multiple=True, metavar="NAME=VALUE", help="An option of the stack: see the page on it.")
def synth(topology: str, out: Path | None, told: tuple[str, ...]) -> None:
    """Write the CloudFormation template of a design, from the sources, without asking AWS anything."""
    from pixelake.aws.synth import parameters
    from pixelake.aws.synth import synth as run

    given = dict(each.partition("=")[::2] for each in told)
    template = run({"topology": DESIGNS.get(topology.upper(), topology.lower()), **given}, out)
    click.echo(template)
    for name, what in parameters(template).items():
        click.echo(f"  {name}: {what}")


@aws.command("redrive")
@click.argument("origin")
@click.argument("goal")
def redrive(origin: str, goal: str) -> None:
    """Send what was given up back, once its cause is mended: from ORIGIN to GOAL.

    From sqs://dead-letter-queue to sqs://queue, or from s3://bucket/prefix, an on-failure destination, to
    kinesis://stream. What is there already is merged by its hit_id.
    """
    try:
        from pixelake.aws.redrive import redrive as run
    except ImportError as error:
        raise SettingsError(f"{error.name} is missing", "pip install 'pixelake[aws]'") from None
    click.echo(f"{run(origin, goal)} sent back")


def _folder(context: click.Context, chosen: Settings, design: str, stack: ExitStack) -> Path:
    """Where it keeps its bucket: a folder of its own."""
    if "data" not in context.meta.get(FLAGS, {}):
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pixelake-aws-")))
    if folders.is_begun(chosen.data):
        folders.existing(chosen.data)  # of another version it refuses
    mark = chosen.data / MARK
    known = mark.read_text().strip() if mark.is_file() else ""
    if known != design and (known or folders.is_begun(chosen.data)):
        what = f"the topology {known}" if known else "hits of an installation"
        raise DataFolderError(f"{chosen.data} holds {what}", "name another folder with --data")
    stack.enter_context(folders.occupied(chosen.data, ("collect", "consume")))
    mark.write_text(design + "\n")
    return chosen.data.absolute()


def _environment(flags: Mapping[str, str]) -> Mapping[str, str]:
    """Settings of this call, as functions get them."""
    kept = {name: text for name, text in flags.items() if name not in _OURS}
    if config := flags.get("config"):
        kept["config"] = str(Path(config).absolute())
    return {settings.ENVIRONMENT_PREFIX + name.upper(): text for name, text in kept.items()}


def _run(made: "Topology", chosen: Settings, folder: Path) -> None:
    with taken(signal.SIGINT, signal.SIGTERM) as signals:
        try:
            made.start()
        except OSError as error:
            raise PixelakeError(f"cannot listen on {chosen.collect}: {error}", "name another with --collect") from None
        try:
            click.echo(f"Pixel: {made.pixel}")
            click.echo(f"Lake: {folder / 'lake'}")
            click.echo("AWS: " + " ".join(f"{name}={value}" for name, value in made.cloud.environment.items()))
            with _dashboard(made.environment, chosen, folder):
                signals.wait(None)
                click.echo("Settling what has come ...", err=True)
        finally:
            made.close()


@contextmanager
def _dashboard(environment: Mapping[str, str], chosen: Settings, folder: Path) -> Iterator[None]:
    """The dashboard, in a process of its own, which says where it is."""
    command = [sys.executable, "-m", "pixelake", "web", "--data", str(folder), "--web", chosen.web]
    process = subprocess.Popen(command, env=dict(environment), start_new_session=True)  # noqa: S603 - ourselves
    try:
        yield
    finally:
        process.terminate()
        process.wait()
