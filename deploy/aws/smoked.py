"""`deploy/aws/smoke`: a design on a real account, from nothing to nothing."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from botocore.session import Session

from deploy.aws import smoke_hits
from pixelake.aws.cost import bill
from pixelake.aws.cost_inputs import Inputs
from pixelake.errors import PixelakeError, SettingsError

HITS: Final = 1_000
PATIENCE: Final[Mapping[str, float]] = {
    "stream": 180.0,
    "queue": 180.0,
    "firehose": 420.0,
    "edge": 900.0,
    "edge-standard": 5_400.0,
}
"""Seconds until a hit is in the lake at the latest: buffers and windows, cold starts, and an hour for standard logs."""
CONTEXTS: Final[Mapping[str, Mapping[str, str]]] = {"edge-standard": {"topology": "edge", "logs": "standard"}}
"""What is chosen of a design that is one of another name."""
MOST: Final = 3_600
"""Seconds that a stack takes at most; one with CloudFront takes a quarter of an hour."""
HINT: Final = "aws configure, or AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
Tell = Callable[[str], None]


class Failed(PixelakeError):
    """The stack, or what came of the hits, is not as it should be."""


class Stack:
    """A stack of CloudFormation, made and taken away.

    Args:
        client: of CloudFormation.
        name: of the stack; one that is there already is not touched.
        delay: seconds between two looks.
    """

    def __init__(self, client: Any, name: str, delay: float = 10.0) -> None:
        self._client, self._name = client, name
        self._looks = {"Delay": delay, "MaxAttempts": max(2, round(MOST / delay))}

    def deploy(self, template: Mapping[str, str], parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Make it; returns its outputs.

        Args:
            template: ``TemplateURL`` or ``TemplateBody``.
            parameters: of the template.

        Raises:
            Failed: it was not made; what there was of it is taken away again.
        """
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        asked = {"Parameters": given, "Capabilities": ["CAPABILITY_IAM"], "OnFailure": "DELETE"}
        made = self._client.create_stack(StackName=self._name, **asked, **template)
        try:
            self._client.get_waiter("stack_create_complete").wait(StackName=self._name, WaiterConfig=self._looks)
        except WaiterError as error:
            reason = self._reason(made["StackId"], error)
            raise Failed(f"the stack was not made: {reason}", "look at its events in CloudFormation") from None
        (there,) = self._client.describe_stacks(StackName=self._name)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in there.get("Outputs", ())}

    def destroy(self) -> None:
        """Take it away, with all that it holds.

        Raises:
            Failed: something of it is left.
        """
        self._client.delete_stack(StackName=self._name)
        try:
            self._client.get_waiter("stack_delete_complete").wait(StackName=self._name, WaiterConfig=self._looks)
        except WaiterError as error:
            raise Failed(f"the stack {self._name} is still there: {error}", "delete it in CloudFormation") from None

    def _reason(self, stack: str, error: WaiterError) -> str:
        """Of the first part that failed. A stack that is deleted is only known by its id."""
        try:
            events = self._client.describe_stack_events(StackName=stack)["StackEvents"]
        except ClientError:
            return str(error)
        failed = [each for each in events if each.get("ResourceStatus") == "CREATE_FAILED"]
        return (
            f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', '')}" if failed else str(error)
        )


def plan(topology: str, name: str, region: str, hits: int, *, keep: bool) -> Sequence[str]:
    """All that will be done, in order."""
    an_hour = bill(topology, 0, Inputs()).fixed / 730
    return [
        f"1. make the template of `{topology}` here, with data that does not outlive it, and put it beside your code",
        f"2. make the stack {name} in {region} from it: roles, functions, buckets, a table and so on, as it says",
        f"3. send {hits:,} hits to its pixel, with made-up pages of {smoke_hits.SITE}",
        f"4. wait, {PATIENCE[topology]:.0f} s at most, until each that was answered 200 is in the lake, and once",
        "5. leave it there: you pay for it until you delete it" if keep else f"5. delete {name} with all that it holds",
        f"It costs some cents: about ${an_hour:.2f} an hour, and the hits. Nothing else of the account is touched.",
    ]


def whoami(session: Session, region: str) -> str:
    """Who we are to AWS.

    Raises:
        SettingsError: nobody, or nobody that AWS knows.
    """
    if session.get_credentials() is None:
        raise SettingsError("there are no credentials of AWS", HINT)
    try:
        told = session.create_client("sts", region_name=region).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise SettingsError(f"AWS does not know who this is: {error}", HINT) from None
    return f"{told['Arn']}, account {told['Account']}"


def synthesised(topology: str, region: str) -> str:
    """The template, of a stack whose data goes with it.

    Raises:
        SettingsError: the CDK is missing, or refuses.
    """
    try:
        from deploy.aws.app import app  # noqa: PLC0415 - the CDK is an extra
    except ImportError as error:
        raise SettingsError(f"{error.name} is missing", "pip install 'pixelake[deploy]'") from None
    with tempfile.TemporaryDirectory() as folder:
        context = {"topology": topology, **CONTEXTS.get(topology, {}), "region": region, "keep-data": "false"}
        app(Path(folder), context).synth()
        (path,) = Path(folder).glob("*.template.json")
        return json.dumps(json.loads(path.read_text("utf-8")), separators=(",", ":"))


def asked_for(template: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """Those parameters that a template has: CloudFormation refuses others."""
    known = json.loads(template).get("Parameters", {})
    return {name: value for name, value in given.items() if name in known}


def checked(pixel: str, lake: str, hits: int, seconds: float, tell: Tell) -> None:
    """Send hits, and look what came of them.

    Raises:
        Failed: what was accepted is not stored, or more than once.
    """
    began = time.monotonic()
    sent = smoke_hits.send(pixel, hits)
    tell(
        f"{len(sent.accepted)} of {hits} hits answered 200 in {time.monotonic() - began:.0f} s; others: {sent.refused}"
    )
    if not sent.accepted:
        raise Failed("no hit was answered 200", "the log of the first function says why, if it was asked at all")
    found = smoke_hits.waited(lake, sent, seconds, tell, max(3.0, seconds / 300))
    tell(f"accepted {len(sent.accepted)}, stored {found.events}: lost {found.lost}, twice {found.doubled}")
    if not found.good:
        raise Failed("accepted is not stored", f"see the functions' logs; the run is {sent.run}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def smoke() -> None:
    """Deploy a design, send it hits, check that each is there once, destroy it."""


@smoke.command("check")
@click.option("--pixel", required=True, metavar="URL", help="The output Pixel of a stack; or what `aws local` prints.")
@click.option("--lake", required=True, metavar="URL", help="The output LakePlace of a stack: s3://bucket/lake.")
@click.option("--hits", type=click.IntRange(1, 100_000), default=HITS, show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 7_200), default=180.0, show_default=True, help="To wait at most.")
def check(pixel: str, lake: str, hits: int, seconds: float) -> None:
    """Only the hits, to what runs already, also on this machine (AWS_ENDPOINT_URL)."""
    checked(pixel, lake, hits, seconds, click.echo)
    click.echo("good")


@smoke.command("run")
@click.option("--topology", type=click.Choice(list(PATIENCE)), required=True)
@click.option("--code-bucket", required=True, help="Where deploy/aws/package has put the functions, in that region.")
@click.option("--code-folder", default="pixelake/", show_default=True, help="The beginning of their keys.")
@click.option("--image-repository", required=True, help="Of ECR: where it has put the image.")
@click.option("--image-tag", default="latest", show_default=True)
@click.option("--region", default="us-east-1", show_default=True)
@click.option("--name", default="pixelake-smoke", show_default=True, help="Of the stack.")
@click.option("--hits", type=click.IntRange(1, 100_000), default=HITS, show_default=True)
@click.option("--keep", is_flag=True, help="Do not destroy it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def run(  # noqa: PLR0917 - an option each
    topology: str,
    code_bucket: str,
    code_folder: str,
    image_repository: str,
    image_tag: str,
    region: str,
    name: str,
    hits: int,
    keep: bool,
    yes: bool,
) -> None:
    """All of it, on your account. It says what it will do, and asks."""
    click.echo("\n".join(plan(topology, name, region, hits, keep=keep)))
    session = Session()
    click.echo(f"As {whoami(session, region)}.")
    if not yes:
        click.confirm("Go on?", abort=True)
    key = f"{code_folder}{name}.template.json"
    s3 = session.create_client("s3", region_name=region)
    template = synthesised(topology, region)
    s3.put_object(Bucket=code_bucket, Key=key, Body=template.encode())
    address = f"https://{code_bucket}.s3.{region}.amazonaws.com/{key}"
    named = {"CodeBucket": code_bucket, "CodeFolder": code_folder}
    imaged = {"ImageRepository": image_repository, "ImageTag": image_tag}
    stack = Stack(session.create_client("cloudformation", region_name=region), name)
    parameters = asked_for(template, {**named, **imaged})
    try:
        _whole(stack, {"TemplateURL": address}, parameters, (hits, PATIENCE[topology]), keep=keep)
    finally:
        s3.delete_object(Bucket=code_bucket, Key=key)
    click.echo("good")


def _whole(
    stack: Stack, template: Mapping[str, str], parameters: Mapping[str, str], of: tuple[int, float], *, keep: bool
) -> None:
    """Make it, check it, and take it away, whatever came of the check."""
    click.echo("Deploying ...")
    told = stack.deploy(template, parameters)
    try:
        checked(told["Pixel"], told["LakePlace"], *of, click.echo)
    finally:
        if not keep:
            click.echo("Destroying ...")
            stack.destroy()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; one line and a hint if it fails."""
    try:
        smoke.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("nothing was done", err=True)
        return 1
    except (PixelakeError, BotoCoreError, ClientError) as error:
        click.echo(f"{error}. {getattr(error, 'hint', HINT)}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
