"""The function that fills and empties buckets of a stack, as it stands in the template, against moto."""

import json
import sys
from base64 import b64encode
from types import ModuleType
from typing import Any

import boto3
import pytest

from pixelake.collect.pixel import GIF
from tests.deploy.aws.conftest import Made
from tests.s3 import Server

Answers = list[tuple[str, str]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, moto: Server) -> Answers:
    """What CloudFormation is answered: a status, and the name of the resource."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    told: Answers = []
    module = ModuleType("cfnresponse")
    module.SUCCESS, module.FAILED = "SUCCESS", "FAILED"  # type: ignore[attr-defined]

    def send(_event: object, _context: object, status: str, _data: object, **more: str) -> None:
        told.append((status, more["physicalResourceId"]))

    module.send = send  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cfnresponse", module)
    return told


@pytest.fixture
def handler(stacks: dict[str, Made], answers: Answers) -> Any:
    """The function of a template."""
    functions = stacks["edge"].of("Lambda::Function").values()
    (text,) = [each["Code"]["ZipFile"] for each in functions if "ZipFile" in each["Code"]]
    assert len(text) <= 4_096
    names: dict[str, Any] = {}
    exec(compile(text, "index.py", "exec"), names)
    return names["handler"]


def event(kind: str, **told: str) -> dict[str, Any]:
    """Of CloudFormation."""
    return {"RequestType": kind, "ResourceProperties": {"ServiceToken": "arn", **told}}


def test_filled_and_emptied(handler: Any, answers: Answers) -> None:
    """The object is there from the start; when the bucket is deleted nothing is in it, versions neither."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="k-content")
    client.put_bucket_versioning(Bucket="k-content", VersioningConfiguration={"Status": "Enabled"})
    told = {"Bucket": "k-content", "Key": "pixel.gif", "Body": b64encode(GIF).decode(), "ContentType": "image/gif"}
    handler(event("Create", **told), None)
    handler(event("Update", **told), None)
    found = client.get_object(Bucket="k-content", Key="pixel.gif")
    assert (found["Body"].read(), found["ContentType"]) == (GIF, "image/gif")
    handler(event("Delete", **told), None)
    client.delete_bucket(Bucket="k-content")
    assert answers == [("SUCCESS", "k-content")] * 3, json.dumps(answers)


def test_a_bucket_that_is_not_there(handler: Any, answers: Answers) -> None:
    """It is told as failed, and not waited for."""
    handler(event("Delete", Bucket="k-none"), None)
    assert answers == [("FAILED", "k-none")]


def test_nothing_is_put_where_nothing_is_wanted(handler: Any, answers: Answers) -> None:
    """Buckets of the lake begin empty."""
    boto3.client("s3").create_bucket(Bucket="k-lake")
    handler(event("Create", Bucket="k-lake"), None)
    assert boto3.client("s3").list_objects_v2(Bucket="k-lake")["KeyCount"] == 0
    assert answers == [("SUCCESS", "k-lake")]
