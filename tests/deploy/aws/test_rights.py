"""What functions may, held against what they do: each call that was seen is allowed, and nothing that never is."""

import json
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from moto.moto_api._internal.models import moto_api_backend
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from pixelake.aws import terms
from pixelake.aws.local.actions import Needed, needed
from pixelake.aws.local.faults import Faults
from pixelake.aws.local.function import Function
from pixelake.aws.local.topology import TOPOLOGIES, Topology, Wanted
from pixelake.build import functions, stores
from tests.aws.deliveries import line, of_kinesis
from tests.aws.requests import as_2, sample
from tests.deploy.aws.conftest import Made
from tests.s3 import reached

ROOT = Path(__file__).parents[3]
SITE = "s.example"
BY_AWS = re.compile(r"logs:|kinesis:(Describe|Get|List)|sqs:|s3:(PutObject|ListBucket) failed")
"""What Lambda itself does in the name of a function: it reads what the function is called with, puts what was given up,
and writes the log. AWS's own policies for execution roles list these."""


class Right(NamedTuple):
    """An action, and on what: a kind of thing; in a bucket how keys begin, up to the first slash."""

    action: str
    on: str


# --- what is allowed


def allowed(made: Made, name: str) -> set[Right]:
    """What the policy of a function's role allows it, but for what AWS does in its name."""
    (function,) = [
        each for each in made.of("Lambda::Function").values() if each.get("Description") == f"pixelake.aws.{name}"
    ]
    role = made.template["Resources"][function["Role"]["Fn::GetAtt"][0]]["Properties"]
    assert "ManagedPolicyArns" not in role
    (policy,) = role["Policies"]
    found = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        on = where(made, statement)
        for action in listed(statement["Action"]):
            if not BY_AWS.match(f"{action} {on}"):
                found.add(Right(action, on))
    return found


def where(made: Made, statement: Mapping[str, Any]) -> str:
    """On what."""
    resource = statement["Resource"]
    parts = resource["Fn::Join"][1] if "Fn::Join" in resource else [resource]
    title = parts[0]["Fn::GetAtt"][0]
    kind = made.template["Resources"][title]["Type"]
    if kind == "AWS::S3::Bucket":
        if title.startswith("Failed"):
            return "failed"
        if "Condition" in statement:
            (prefix,) = listed(statement["Condition"]["StringLike"]["s3:prefix"])
            return str(prefix).removesuffix("*")
        return str(parts[1]).removeprefix("/").removesuffix("*")
    return KINDS[kind]


KINDS = {
    "AWS::DynamoDB::Table": "table",
    "AWS::Kinesis::Stream": "stream",
    "AWS::KinesisFirehose::DeliveryStream": "stream",
    "AWS::SQS::Queue": "queue",
    "AWS::Logs::LogGroup": "log",
}
ON = {"dynamodb": "table", "kinesis": "stream", "firehose": "stream", "sqs": "queue"}


def listed(value: Any) -> list[Any]:
    """A value, or several."""
    return value if isinstance(value, list) else [value]


# --- what is done


def done(needed_: set[Needed], name: str) -> set[Right]:
    """What a function was seen to do."""
    found = set()
    for each in needed_:
        service = each.action.partition(":")[0]
        if each.who == name:
            found.add(Right(each.action, ON.get(service, each.on)))
    return found


def ran(design: str, folder: Path) -> set[Needed]:
    """What the functions of a design needed: for hits, some twice; for what is due in some days; for a dashboard."""
    made = Topology(
        Wanted(
            topology=design,
            data=folder,
            collect=("127.0.0.1", 0),
            faults=Faults({"duplicate": 0.5}),
            speed=120.0,
            environment={"PIXELAKE_LAKE_HISTORY": "60", "PIXELAKE_SITES": "closed"},
        )
    )
    made.start()
    try:
        api = Api(made)
        api.ask("site", {"site": SITE})
        if design == "firehose":
            made.put(terms.ERRORS, "processing-failed/strange", b"what nobody can read")
        for number in (1, 2, 2):
            visit(made.pixel, number)
        made.settle()
        visit(made.pixel, 2)
        made.settle()
        if design == "stream":
            together(made)
            kept(made)
            looked_at(made, api, folder)
        return set(made.cloud.needed)
    finally:
        made.close()
        moto_api_backend.reset()  # what moto holds belongs to the process


def visit(pixel: str, number: int, site: str = SITE) -> None:
    """A hit that is accepted; its event has a name."""
    url = urlsplit(pixel)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=60)
    for _ in range(20):
        address = f"{url.path}?site={site}&url=https://{site}/{number}&event_id=e{number}"
        connection.request("GET", address, headers={"User-Agent": "Mozilla/5.0 Chrome/130.0"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            break
    else:
        raise AssertionError("no hit was accepted")
    connection.close()


def together(made: Topology) -> None:
    """Two instances get one batch at once, as may happen, until one of them has to take back what it wrote."""
    consume = made.function("consume", instances=2)
    with ThreadPoolExecutor(2) as threads:
        for turn in range(30):
            batch = of_kinesis([line(number) for number in range(turn * 5, turn * 5 + 5)], first=turn * 5 + 1)
            list(threads.map(consume.call, [batch, batch]))
            if Needed("consume", "s3:DeleteObject", "lake/") in made.cloud.needed:
                return
    raise AssertionError("they never met")


def kept(made: Topology) -> None:
    """What is due in two days is done, and in four, when nobody reads any more what was replaced."""
    for days in (2, 4):
        environment = {**made.environment, "AWS_ACCESS_KEY_ID": "keep", "DAYS_LATER": str(days)}
        later = Function("keep", "tests.aws.later", environment)
        try:
            assert {"salts", "vacuum"} <= set(later.call(sample("scheduled"))["done"])
        finally:
            later.close()


class Api:
    """The dashboard of a design, as an owner asks it."""

    def __init__(self, made: Topology) -> None:
        self._call = made.function("api").call
        with pytest.MonkeyPatch.context() as patch:
            reached(patch, made.cloud.environment)
            token = stores.registry(functions.settings(made.environment)).secret("access_token")
        headers = (("Host", "127.0.0.1"), ("User-Agent", "Mozilla/5.0"), ("Authorization", f"Bearer {token}"))
        self._headers = (*headers, ("Content-Type", "application/json"))

    def ask(self, path: str, body: object = None, method: str = "") -> Any:
        """What it answers, if it is no failure."""
        path, _, query = path.partition("?")
        sent = b"" if body is None else json.dumps(body).encode()
        method = method or ("POST" if sent else "GET")
        answer = self._call(as_2(f"/api/v1/{path}", query, self._headers, sent, method=method))
        assert answer["statusCode"] < 300, answer
        return answer


def looked_at(made: Topology, api: Api, folder: Path) -> None:
    """Panels, live too; a query is saved; hits of a site that nobody had declared are judged anew."""
    for question in ("overview", "pages", "newest"):
        api.ask(f"{question}?site={SITE}&period=today")
    api.ask(f"now?site={SITE}")
    api.ask("queries/mine", {"sql": "select 1"}, "PUT")
    visit(made.pixel, 9, "late.example")
    deadline = time.monotonic() + 60
    while not (found := rejects(folder)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    api.ask("site", {"site": "late.example"})
    for hit_id in found:
        api.ask(f"replay/{hit_id}", {})
    assert not rejects(folder)


def rejects(folder: Path) -> set[str]:
    """Names of hits of sites that nobody has declared."""
    try:
        table = DeltaTable(str(folder / "lake" / "rejects")).to_pyarrow_table(columns=["hit_id", "reason"])
    except TableNotFoundError:
        return set()
    return {each["hit_id"] for each in table.to_pylist() if each["reason"] == "unknown_site"}


# --- and both


def test_functions_may_what_they_do(
    stacks: Mapping[str, Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policies of the templates: each call of a function is allowed, and nothing that none of them makes."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PIXELAKE_DATA", str(tmp_path / "scratch"))
    did: defaultdict[str, set[Right]] = defaultdict(set)
    may: defaultdict[str, set[Right]] = defaultdict(set)
    for design in TOPOLOGIES:
        calls = ran(design, tmp_path / design)
        for name in terms.FUNCTIONS:
            if found := done(calls, name):
                granted = allowed(stacks[design], name)
                assert found <= granted, (design, name)
                did[name] |= found
                may[name] |= granted
    assert did.keys() == terms.FUNCTIONS.keys()
    # these write by the same code, some of which only one of them came to: after 32 batches, or at a conflict
    for on, names in {"table": ("consume", "gather"), terms.LAKE: ("consume", "gather", "api")}.items():
        shared = {each for name in names for each in did[name] if each.on == on}
        for name in names:
            did[name] |= shared
    assert did == may


# --- how a call is read


@pytest.mark.parametrize(
    ("method", "path", "body", "wanted"),
    [
        ("GET", "/b/lake/x", b"", {("s3:GetObject", "lake/")}),
        ("HEAD", "/b/lake/x", b"", {("s3:GetObject", "lake/")}),
        ("PUT", "/b/lake/x", b"...", {("s3:PutObject", "lake/")}),
        ("POST", "/b/lake/x?uploads", b"", {("s3:PutObject", "lake/")}),
        ("DELETE", "/b/lake/x", b"", {("s3:DeleteObject", "lake/")}),
        ("DELETE", "/b/lake/x?uploadId=1", b"", {("s3:AbortMultipartUpload", "lake/")}),
        ("GET", "/b?list-type=2&prefix=lake%2Fevents%2F", b"", {("s3:ListBucket", "lake/")}),
        (
            "POST",
            "/b?delete",
            b"<Delete><Object><Key>lake/x</Key></Object><Object><Key>logs/y</Key></Object></Delete>",
            {("s3:DeleteObject", "lake/"), ("s3:DeleteObject", "logs/")},
        ),
        ("PATCH", "/b/lake/x", b"", {("s3:PATCH object", "lake/")}),
    ],
)
def test_what_a_request_to_s3_needs(method: str, path: str, body: bytes, wanted: set[tuple[str, str]]) -> None:
    """As the authorization reference says."""
    assert {(each.action, each.on) for each in needed(request("s3", method, path, body), body)} == wanted


def test_what_a_transaction_needs() -> None:
    """The action of each of its parts."""
    parts = [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "t"}}, {"Delete": {"TableName": "u"}}]
    body = json.dumps({"TransactItems": parts}).encode()
    found = needed(request("dynamodb", "POST", "/", body, "DynamoDB_20120810.TransactWriteItems"), body)
    names = {(each.action, each.on) for each in found}
    assert names == {("dynamodb:PutItem", "t"), ("dynamodb:ConditionCheckItem", "t"), ("dynamodb:DeleteItem", "u")}
    assert {each.who for each in found} == {"somebody"}


def test_who_signs_nothing_needs_nothing() -> None:
    """It is nobody of ours."""
    assert needed(Request(EnvironBuilder(path="/b/lake/x").get_environ()), b"") == set()


def request(service: str, method: str, path: str, body: bytes, target: str = "") -> Request:
    """One that is signed as botocore signs."""
    asked = AWSRequest(method, f"http://127.0.0.1{path}", {"X-Amz-Target": target} if target else {}, body)
    SigV4Auth(Credentials("somebody", "secret"), service, "us-east-1").add_auth(asked)
    return Request(EnvironBuilder(path=path, method=method, headers=dict(asked.headers), data=body).get_environ())
