"""The script for who has an account: what can be shown of it without one."""

import io
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from deploy.aws import smoked
from deploy.aws.smoke_hits import Sent, Stored, send, stored
from deploy.aws.smoked import PATIENCE, Failed, Stack, asked_for, main, plan, synthesised
from pixelake.errors import SettingsError
from tests.crash.topologies import running
from tests.s3 import VARIABLES, Server, reached

SCRIPT = Path(__file__).parents[2] / "deploy" / "aws" / "smoke"
GIVEN = ["--code-bucket", "code", "--image-repository", "image"]
SMALL = {
    "Parameters": {"CodeBucket": {"Type": "String"}},
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "CodeBucket"}}}},
    "Outputs": {"Pixel": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}},
}
"""A stack that moto can make."""


def test_hits_on_this_machine(tmp_path: Path) -> None:
    """To the design that runs here: each that is accepted is stored, none twice; the script says so."""
    with running(tmp_path, "stream") as design:
        command = [str(SCRIPT), "check", "--pixel", design.pixel, "--lake", "s3://pixelake/lake", "--seconds", "120"]
        command += ["--hits", "300"]
        environment = {**os.environ, **design.environment}
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        counted = re.search(r"accepted (\d+), stored \d+: lost 0, twice 0", done.stdout)
        assert counted, done.stdout
        assert int(counted[1]) > 250  # a busy machine answers 503 now and then
        pages = {row["path"] for row in design.rows("events", ["path"])}
        one = min(pages)
        run = one.split("/")[1]
        others = stored_of(design.environment, Sent(run, frozenset({one, f"/{run}/1000"}), {}))
    unsent = len(pages - {f"/{run}/0", f"/{run}/1"})
    assert (others.lost, others.unsent, others.holds) == (1, unsent, True)
    assert not others.good


def stored_of(environment: Mapping[str, str], sent: Sent) -> Stored:
    """What is in the lake there."""
    with pytest.MonkeyPatch.context() as patch:
        reached(patch, environment)
        return stored("s3://pixelake/lake", sent)


class Pixel(BaseHTTPRequestHandler):
    """Answers 200, and keeps nothing; each third is refused."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(503 if int(self.path.rpartition("/")[2]) % 3 == 2 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def liar() -> Iterator[str]:
    """The address of a pixel that keeps nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pixel)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/pixel.gif"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_sent(liar: str) -> None:
    """Only what was answered 200 is accepted; others are counted by what came."""
    sent = send(liar, 9)
    assert sent.accepted == {f"/{sent.run}/{number}" for number in (0, 1, 3, 4, 6, 7)}
    assert sent.refused == {"503": 3}


def test_nothing_is_stored(
    liar: str, moto: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with an error, and says what is lost."""
    reached(monkeypatch, moto.environment)
    lake = f"s3://{moto.bucket()}/lake"
    assert main(["check", "--pixel", liar, "--lake", lake, "--hits", "6", "--seconds", "1"]) == 1
    told = capsys.readouterr()
    assert "accepted 4, stored 0: lost 4, twice 0" in told.out
    assert "accepted is not stored" in told.err


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """No hit accepted is no success."""
    assert main(["check", "--pixel", "http://127.0.0.1:9/pixel.gif", "--lake", "s3://b/lake", "--hits", "3"]) == 1
    assert "no hit was answered 200" in capsys.readouterr().err


@pytest.mark.parametrize("found", [Stored(9, 1, 0, 0, True), Stored(9, 0, 1, 0, True), Stored(9, 0, 0, 1, True)])
def test_what_is_not_good(found: Stored) -> None:
    """A hit that is lost, there twice, or nobody's; or sums that do not agree."""
    assert not found.good
    assert Stored(9, 0, 0, 0, True).good
    assert not Stored(9, 0, 0, 0, False).good


@pytest.mark.parametrize(
    ("pixel", "lake"), [("px.example.com", "s3://b/l"), ("ftp://x/", "s3://b/l"), ("", "s3://b/l")]
)
def test_no_pixel(pixel: str, lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that is none is refused in a line."""
    assert main(["check", "--pixel", pixel, "--lake", lake]) == 1
    assert "is no address of a pixel" in capsys.readouterr().err


@pytest.mark.parametrize("lake", ["", "file:///tmp/x", "s3://", "s3://bucket", "s3://bucket/"])
def test_no_lake(lake: str) -> None:
    """So is a lake that is none."""
    with pytest.raises(SettingsError, match="is no lake in a bucket"):
        stored(lake, Sent("r", frozenset(), {}))


@pytest.mark.parametrize("topology", PATIENCE)
def test_all_is_said_before(topology: str) -> None:
    """The stack, where, how many hits, what it costs, and that it is deleted, or not."""
    text = "\n".join(plan(topology, "mine", "eu-west-1", 1_000, keep=False))
    assert all(told in text for told in (topology, "mine", "eu-west-1", "1,000 hits", "delete mine", "$"))
    assert "you pay for it" in "\n".join(plan(topology, "mine", "eu-west-1", 1_000, keep=True))


def test_standard_logs_have_an_hour() -> None:
    """The cheap edge is a choice of its own: its stack has logs in S3 and no stream, and its hits more than an hour."""
    assert PATIENCE["edge-standard"] > 3_600
    assert "5400 s at most" in "\n".join(plan("edge-standard", "mine", "us-east-1", 1_000, keep=False))
    pytest.importorskip("aws_cdk", reason="no CDK: pip install 'pixelake[deploy,dev]'")
    if not shutil.which("node"):
        pytest.skip("no node, on which the CDK runs")
    resources = json.loads(synthesised("edge-standard", "us-east-1"))["Resources"].values()
    kinds = {each["Type"] for each in resources}
    assert "AWS::Logs::Delivery" in kinds
    assert not kinds & {"AWS::Kinesis::Stream", "AWS::KinesisFirehose::DeliveryStream"}
    (data,) = (each for each in resources if each["Type"] == "AWS::DynamoDB::Table")
    assert data["DeletionPolicy"] == "Delete"
    with pytest.raises(SettingsError, match="logs are in us-east-1"):
        synthesised("edge-standard", "eu-west-1")


def test_without_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what it would do, then that it cannot, and how one can."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert main(["run", "--topology", "stream", *GIVEN]) == 1
    told = capsys.readouterr()
    assert "send 1,000 hits" in told.out
    assert "there are no credentials of AWS" in told.err
    assert "aws configure" in told.err


def test_it_asks(moto: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With credentials it says whose, and asks; without a yes nothing is done."""
    reached(monkeypatch, moto.environment)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["run", "--topology", "stream", *GIVEN]) == 1
    told = capsys.readouterr()
    assert "account 123456789012" in told.out
    assert "nothing was done" in told.err


def test_only_parameters_that_there_are() -> None:
    """`queue` has no zips, and no parameters of them; CloudFormation refuses what it does not know."""
    assert asked_for(json.dumps(SMALL), {"CodeBucket": "b", "CodeFolder": "f"}) == {"CodeBucket": "b"}
    assert asked_for("{}", {"CodeBucket": "b"}) == {}


@pytest.fixture
def cloudformation(moto: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of moto's CloudFormation."""
    reached(monkeypatch, moto.environment)
    return Session().create_client("cloudformation", region_name="us-east-1", endpoint_url=moto.url)


def test_a_stack_comes_and_goes(cloudformation: Any, moto: Server) -> None:
    """It is made with its parameters, tells its outputs, and leaves nothing."""
    stack = Stack(cloudformation, "smoke-one", 0.1)
    told = stack.deploy({"TemplateBody": json.dumps(SMALL)}, {"CodeBucket": "smoke-queue"})
    assert told["Pixel"].endswith(":smoke-queue")
    sqs = Session().create_client("sqs", region_name="us-east-1", endpoint_url=moto.url)
    assert sqs.get_queue_url(QueueName="smoke-queue")["QueueUrl"]
    stack.destroy()
    with pytest.raises(ClientError):
        sqs.get_queue_url(QueueName="smoke-queue")


def test_it_is_destroyed_also_if_hits_are_lost(
    cloudformation: Any, moto: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever came of the check, the stack goes; unless it is to be kept."""
    template = {
        **SMALL,
        "Outputs": {"Pixel": {"Value": "http://127.0.0.1:9/p.gif"}, "LakePlace": {"Value": "s3://b/l"}},
    }
    body = {"TemplateBody": json.dumps(template)}
    for keep in (False, True):
        name = f"smoke-keep-{keep}".lower()
        with pytest.raises(Failed, match="no hit was answered 200"):
            smoked._whole(Stack(cloudformation, name, 0.1), body, {"CodeBucket": name}, (3, 1.0), keep=keep)
        there = {each["StackName"]: each["StackStatus"] for each in cloudformation.list_stacks()["StackSummaries"]}
        assert there[name] == ("CREATE_COMPLETE" if keep else "DELETE_COMPLETE")


def test_a_name_that_is_taken(cloudformation: Any) -> None:
    """A stack that is there already is not touched."""
    stack = Stack(cloudformation, "smoke-taken", 0.1)
    stack.deploy({"TemplateBody": json.dumps(SMALL)}, {"CodeBucket": "smoke-taken"})
    with pytest.raises(ClientError, match="already exists"):
        Stack(cloudformation, "smoke-taken", 0.1).deploy({"TemplateBody": json.dumps(SMALL)}, {"CodeBucket": "other"})
    assert cloudformation.describe_stacks(StackName="smoke-taken")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
