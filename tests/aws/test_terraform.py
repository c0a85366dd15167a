"""The Terraform root of `stream` is what the CDK makes of it, resource by resource."""

import json
import re
import runpy
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pixelake.aws import terms
from tests.aws.terraform import ROOT, TERMS, Root

MISSING = "no CDK: pip install 'pixelake[deploy,dev]', and node"
"""Why a test is skipped."""
KINDS = {
    "AWS::ApiGatewayV2::Api": "aws_apigatewayv2_api",
    "AWS::ApiGatewayV2::Integration": "aws_apigatewayv2_integration",
    "AWS::ApiGatewayV2::Route": "aws_apigatewayv2_route",
    "AWS::ApiGatewayV2::Stage": "aws_apigatewayv2_stage",
    "AWS::Athena::NamedQuery": "aws_athena_named_query",
    "AWS::Athena::WorkGroup": "aws_athena_workgroup",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::CloudWatch::Dashboard": "aws_cloudwatch_dashboard",
    "AWS::DynamoDB::Table": "aws_dynamodb_table",
    "AWS::Events::Rule": "aws_cloudwatch_event_rule",
    "AWS::Glue::Database": "aws_glue_catalog_database",
    "AWS::Glue::Table": "aws_glue_catalog_table",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::Kinesis::Stream": "aws_kinesis_stream",
    "AWS::Lambda::EventSourceMapping": "aws_lambda_event_source_mapping",
    "AWS::Lambda::Function": "aws_lambda_function",
    "AWS::Lambda::Permission": "aws_lambda_permission",
    "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
    "AWS::S3::Bucket": "aws_s3_bucket",
    "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
    "AWS::SNS::Subscription": "aws_sns_topic_subscription",
    "AWS::SNS::Topic": "aws_sns_topic",
    "AWS::SNS::TopicPolicy": "aws_sns_topic_policy",
}
PARTS = {
    "aws_iam_role_policy": 4,
    "aws_cloudwatch_event_target": 1,
    "aws_s3_bucket_ownership_controls": 2,
    "aws_s3_bucket_public_access_block": 2,
    "aws_s3_bucket_server_side_encryption_configuration": 2,
    "aws_s3_bucket_lifecycle_configuration": 2,
}
"""What CloudFormation has as properties, and how many."""


@pytest.fixture(scope="module")
def root() -> Root:
    """The root, read."""
    return Root()


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What the CDK makes of `stream`, by the names that it gives."""
    pytest.importorskip("aws_cdk", reason=MISSING)
    if not shutil.which("node"):
        pytest.skip(MISSING)
    from deploy.aws.app import app

    out = tmp_path_factory.mktemp("cdk")
    app(out, {"topology": "stream"}).synth()
    found: Mapping[str, Any] = json.loads((out / "pixelake-stream.template.json").read_text("utf-8"))["Resources"]
    return found


def properties(resources: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """Of all resources of a kind."""
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


def test_the_terms_are_the_programs() -> None:
    """The file of variables is what the script writes now: change `pixelake.aws.terms`, run it again."""
    pytest.importorskip("aws_cdk", reason=MISSING)
    script = runpy.run_path(str(ROOT / "terms.py"))
    assert TERMS.read_text("utf-8") == script["text"]()


def test_a_change_of_the_terms_is_one_of_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """No number of the program is written a second time."""
    pytest.importorskip("aws_cdk", reason=MISSING)
    monkeypatch.setattr(terms, "SHARDS", 7)
    told = runpy.run_path(str(ROOT / "terms.py"))["told"]()
    assert (told["shards"], told["throttle"]) == (7, {"rate": 7_000, "burst": 7_000})


def test_it_is_written_as_terraform_writes() -> None:
    """`terraform fmt` has nothing to say, where there is one."""
    terraform = shutil.which("terraform")
    if not terraform:
        pytest.skip("no Terraform")
    command = [terraform, "fmt", "-check", "-diff", str(ROOT)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_that_is_named_is_there(root: Root) -> None:
    """Each variable, local value and resource that an expression names is declared, and each variable is used."""
    text = "\n".join(path.read_text("utf-8") for path in ROOT.glob("*.tf"))
    assert set(re.findall(r"\blocal\.(\w+)", text)) == set(root.locals)
    assert set(re.findall(r"\bvar\.(\w+)", text)) == set(re.findall(r'variable "(\w+)"', text))
    declared = {(block.kind, block.name) for block in root.resources}
    assert set(re.findall(r"(?<!data\.)\b(aws_\w+)\.(\w+)", text)) <= declared
    declared = {(block.kind, block.name) for block in root.data}
    assert set(re.findall(r"\bdata\.(aws_\w+)\.(\w+)", text)) <= declared
    told = set(root.variables["terms"])
    assert set(re.findall(r"\bvar\.terms\.(\w+)", text)) == told


def test_the_same_kinds_as_often(root: Root, resources: Mapping[str, Any]) -> None:
    """Whatever the one makes, the other makes as often; the rest are parts of these."""
    made = Counter(KINDS[each["Type"]] for each in resources.values())
    assert root.kinds() == made + Counter(PARTS)


def test_the_stream_and_its_mapping(root: Root, resources: Mapping[str, Any]) -> None:
    """Shards, retention and encryption; batch, window, retries, age, halving, and where it is given up."""
    (stream,) = properties(resources, "AWS::Kinesis::Stream")
    mine = root.one("aws_kinesis_stream", "hits")
    assert root.value(mine["shard_count"]) == stream["ShardCount"]
    assert root.value(mine["retention_period"]) == stream["RetentionPeriodHours"]
    encryption = {"EncryptionType": mine["encryption_type"], "KeyId": mine["kms_key_id"]}
    assert encryption == stream["StreamEncryption"]
    assert mine["stream_mode_details"][0]["stream_mode"] == stream["StreamModeDetails"]["StreamMode"]
    (mapping,) = properties(resources, "AWS::Lambda::EventSourceMapping")
    mine = root.one("aws_lambda_event_source_mapping", "consumed")
    names = {
        "batch_size": "BatchSize",
        "maximum_batching_window_in_seconds": "MaximumBatchingWindowInSeconds",
        "maximum_retry_attempts": "MaximumRetryAttempts",
        "maximum_record_age_in_seconds": "MaximumRecordAgeInSeconds",
        "bisect_batch_on_function_error": "BisectBatchOnFunctionError",
        "starting_position": "StartingPosition",
        "function_response_types": "FunctionResponseTypes",
    }
    assert {theirs: root.value(mine[name]) for name, theirs in names.items()} == {
        theirs: mapping[theirs] for theirs in names.values()
    }
    assert mine["metrics_config"][0]["metrics"] == mapping["MetricsConfig"]["Metrics"]
    assert "failed" in mine["destination_config"][0]["on_failure"][0]["destination_arn"]
    assert "Failed" in json.dumps(mapping["DestinationConfig"])


def test_the_functions(root: Root, resources: Mapping[str, Any]) -> None:
    """Handler, memory, timeout, kind of package, environment; logs are kept as long."""
    theirs = {each["Description"].rpartition(".")[2]: each for each in properties(resources, "AWS::Lambda::Function")}
    mine = root.one("aws_lambda_function", "function")
    functions = root.variables["terms"]["functions"]
    assert set(root.each(mine)) == set(theirs) == set(functions)
    for name, each in theirs.items():
        its = functions[name]
        assert (its["memory"], its["timeout"]) == (each["MemorySize"], each["Timeout"])
        assert its["zip"] == ("Handler" in each)
        assert [f"pixelake.aws.{name}.handler"] == each.get("ImageConfig", {}).get("Command", [each.get("Handler")])
    assert all("python3.13" in str(mine["runtime"]) for each in theirs.values() if each.get("Runtime") == "python3.13")
    variables = {name: set(each["Environment"]["Variables"]) for name, each in theirs.items()}
    places = set(root.locals["places"])
    assert variables["consume"] == variables["keep"] == places
    assert variables["ingest"] == set(root.locals["environment"]["ingest"])
    assert variables["api"] == places | {"PIXELAKE_WEB_HOSTS"}
    names = {
        "log_format": "LogFormat",
        "application_log_level": "ApplicationLogLevel",
        "system_log_level": "SystemLogLevel",
    }
    (logs,) = mine["logging_config"]
    for each in theirs.values():
        assert {of: logs[name] for name, of in names.items()} == {
            of: each["LoggingConfig"][of] for of in names.values()
        }
    days = {each["RetentionInDays"] for each in properties(resources, "AWS::Logs::LogGroup")}
    assert days == {root.variables["log_days"]}


def test_the_rights(root: Root, resources: Mapping[str, Any]) -> None:
    """Each function may do the same, and nobody may do all of anything."""
    theirs = {}
    for name, each in resources.items():
        if each["Type"] == "AWS::IAM::Role":
            document = each["Properties"]["Policies"][0]["PolicyDocument"]
            theirs[name.partition("Role")[0].lower()] = Counter(_actions(document["Statement"]))
    assert {name: Counter(_mine(root, name)) for name in theirs} == theirs


def _actions(statements: list[Mapping[str, Any]]) -> Iterator[str]:
    for each in statements:
        told = each["Action"]
        yield from [told] if isinstance(told, str) else told


def _mine(root: Root, function: str) -> Iterator[str]:
    """Actions of a function's policy."""
    for each in root.variables["terms"]["rights"][function]:
        yield from each["actions"]


def test_the_places_of_rights(root: Root, resources: Mapping[str, Any]) -> None:
    """Each is on a part of the stack, and below the same keys; whoever lists a bucket, lists some keys only."""
    theirs: Counter[str] = Counter()
    for each in properties(resources, "AWS::IAM::Role"):
        for statement in each["Policies"][0]["PolicyDocument"]["Statement"]:
            theirs[_below(statement["Resource"])] += 1
            theirs.update(statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", []))
    rights = [each for of in root.variables["terms"]["rights"].values() for each in of]
    mine = Counter(each["below"] for each in rights) + Counter(each["listed"] for each in rights if each["listed"])
    assert mine == theirs
    assert {each["on"] for each in rights} <= {"log", *root.locals["arns"]}
    assert {each["listed"] for each in rights if "s3:ListBucket" in each["actions"]} == {"lake/*", "aws/lambda/*"}


def _below(resource: Any) -> str:
    """What follows the ARN."""
    found = resource.get("Fn::Join") if isinstance(resource, dict) else None
    return str(found[1][-1]) if found else ""


def test_the_apis(root: Root, resources: Mapping[str, Any]) -> None:
    """The routes, and how many requests a second each API lets through."""
    keys = Counter(each["RouteKey"] for each in properties(resources, "AWS::ApiGatewayV2::Route"))
    apis = root.locals["apis"].values()
    assert Counter(route for api in apis for route in root.value(api["routes"])) == keys
    settings = [each["DefaultRouteSettings"] for each in properties(resources, "AWS::ApiGatewayV2::Stage")]
    theirs = sorted((each["ThrottlingRateLimit"], each["ThrottlingBurstLimit"]) for each in settings)
    assert sorted((root.value(api["rate"]), root.value(api["burst"])) for api in apis) == theirs
    integrations = properties(resources, "AWS::ApiGatewayV2::Integration")
    mine = root.one("aws_apigatewayv2_integration", "api")
    assert {(each["IntegrationType"], each["PayloadFormatVersion"]) for each in integrations} == {
        (mine["integration_type"], mine["payload_format_version"])
    }


def test_what_is_kept(root: Root, resources: Mapping[str, Any]) -> None:
    """Keys and time to live of the table; encryption, privacy and the end of what lies in the buckets."""
    (table,) = properties(resources, "AWS::DynamoDB::Table")
    assert [each["AttributeName"] for each in table["KeySchema"]] == root.variables["terms"]["keys"]
    assert table["TimeToLiveSpecification"]["AttributeName"] == root.variables["terms"]["ttl"]
    assert "PointInTimeRecoverySpecification" not in table
    assert "point_in_time_recovery" not in root.one("aws_dynamodb_table", "table")
    assert root.one("aws_dynamodb_table", "table")["billing_mode"] == table["BillingMode"]
    buckets = properties(resources, "AWS::S3::Bucket")
    assert all(all(each["PublicAccessBlockConfiguration"].values()) for each in buckets)
    shut = root.one("aws_s3_bucket_public_access_block", "bucket")
    assert [value for name, value in shut.items() if name not in {"bucket", "for_each"}] == [True] * 4
    ends = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for each in buckets
        for rule in each["LifecycleConfiguration"]["Rules"]
        if "Prefix" in rule and "ExpirationInDays" in rule
    }
    assert {f"{name}/": days for name, days in root.locals["forgotten"].items()} == ends


def test_the_alarms(root: Root, resources: Mapping[str, Any]) -> None:
    """What rings, when, and what it says."""
    names = ("Namespace", "MetricName", "Statistic", "Threshold", "EvaluationPeriods", "AlarmDescription")
    theirs = Counter(tuple(each[name] for name in names) for each in properties(resources, "AWS::CloudWatch::Alarm"))
    assert Counter(_alarms(root)) == theirs
    rest = {
        (each["ComparisonOperator"], each["TreatMissingData"], each["Period"])
        for each in properties(resources, "AWS::CloudWatch::Alarm")
    }
    alarms = [block.body for block in root.resources if block.kind == "aws_cloudwatch_metric_alarm"]
    assert {(each["comparison_operator"], each["treat_missing_data"], each["period"]) for each in alarms} == rest


def _alarms(root: Root) -> Iterator[tuple[object, ...]]:
    for each in root.locals["alarms"].values():
        yield tuple(each[name] for name in ("namespace", "metric", "statistic", "above", "periods", "says"))
    for kind in ("errors", "throttles"):
        body = root.one("aws_cloudwatch_metric_alarm", kind)
        plain = (
            body["namespace"],
            body["metric_name"],
            body["statistic"],
            body["threshold"],
            body["evaluation_periods"],
        )
        for name in root.each(body):
            yield (*plain, body["alarm_description"].replace("${each.key}", name))


def test_the_catalogue(root: Root, resources: Mapping[str, Any]) -> None:
    """The tables with their columns; the bytes that a question may read; how often `keep` runs."""
    told = [each["TableInput"] for each in properties(resources, "AWS::Glue::Table")]
    theirs = {each["Name"]: (each["Parameters"], each["StorageDescriptor"]["Columns"]) for each in told}
    tables = root.variables["terms"]["tables"].items()
    assert {name: (table["parameters"], table["columns"]) for name, table in tables} == theirs
    (group,) = properties(resources, "AWS::Athena::WorkGroup")
    assert root.variables["scanned_bytes"] == group["WorkGroupConfiguration"]["BytesScannedCutoffPerQuery"]
    (rule,) = properties(resources, "AWS::Events::Rule")
    assert rule["ScheduleExpression"] == f"rate({root.variables['terms']['keep_every']} minutes)"


def test_the_saved_queries(root: Root, resources: Mapping[str, Any]) -> None:
    """The same questions, over the tables of the same database."""
    mine = root.one("aws_athena_named_query", "question")
    written = r"""${replace(each.value.sql, "FROM lake.", "FROM \"${aws_glue_catalog_database.lake.name}\".")}"""
    assert mine["query"] == written
    (database,) = properties(resources, "AWS::Glue::Database")
    name = database["DatabaseInput"]["Name"]
    assert name == root.variables["name"].replace("-", "_")
    told = {
        title: (each["description"], name, each["sql"].replace("FROM lake.", f'FROM "{name}".'))
        for title, each in root.locals["saved"].items()
    }
    assert told == {
        each["Name"]: (each["Description"], each["Database"], each["QueryString"])
        for each in properties(resources, "AWS::Athena::NamedQuery")
    }


def test_the_folder_has_what_it_needs() -> None:
    """Nothing of a state or of a provider is among the files."""
    kept = {".tf", ".json", ".py", ".md"}
    assert {path.suffix for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")} <= kept
