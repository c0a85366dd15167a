"""What matters of each stack, where a mistake would lose hits, keep too much, or let somebody in."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from pixelake import settings, telemetry
from pixelake.aws import direct, terms
from pixelake.aws.cost import bill
from pixelake.aws.cost_inputs import told as figures
from pixelake.aws.local import topology
from pixelake.aws.local.faults import Faults
from pixelake.collect.client import Clients
from pixelake.collect.pixel import GIF
from pixelake.dialects.native import ROUTES
from tests.deploy.aws.conftest import DOMAIN, VARIANTS, Made, made

OF_STREAM = ("stream", "stream-waf", "edge", "fleet")
KEPT = {"Retain", "RetainExceptOnCreate"}


def function(made: Made, name: str) -> Any:
    """The properties of a function of ours."""
    (found,) = [
        each for each in made.of("Lambda::Function").values() if each.get("Description") == f"pixelake.aws.{name}"
    ]
    return found


def environment(made: Made, name: str) -> Mapping[str, Any]:
    """The settings of a function."""
    return function(made, name)["Environment"]["Variables"]


@pytest.mark.parametrize("name", VARIANTS)
def test_the_table(stacks: Mapping[str, Made], name: str) -> None:
    """Keys and time to live are as the program wants them; there are no backups, in which salts would live on."""
    table = stacks[name].one("DynamoDB::Table")
    assert [key["AttributeName"] for key in table["KeySchema"]] == list(terms.KEYS)
    assert table["TimeToLiveSpecification"] == {"AttributeName": terms.TTL, "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert "PointInTimeRecoverySpecification" not in table


@pytest.mark.parametrize("name", VARIANTS)
def test_buckets_are_closed(stacks: Mapping[str, Made], name: str) -> None:
    """No bucket is public or plain, and each is asked by TLS only."""
    found = stacks[name].of("S3::Bucket")
    for bucket in found.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
    policies = stacks[name].of("S3::BucketPolicy").values()
    assert sum("aws:SecureTransport" in str(policy) for policy in policies) == len(found)


@pytest.mark.parametrize("name", VARIANTS)
def test_what_stays(stacks: Mapping[str, Made], name: str) -> None:
    """The lake, the table, streams and queues outlive the stack; or else nothing does, and buckets are emptied."""
    keeps = VARIANTS[name].get("keep-data") != "false"
    resources = stacks[name].template["Resources"]
    kinds = ("AWS::DynamoDB::Table", "AWS::Kinesis::Stream", "AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::EC2::Volume")
    for title, each in resources.items():
        if each["Type"] in kinds and not title.startswith("Pixels"):
            assert (each.get("DeletionPolicy") in KEPT) is keeps, title
    emptied = [each["Properties"]["Bucket"]["Ref"] for each in resources.values() if "CustomResource" in each["Type"]]
    buckets = {title for title in stacks[name].of("S3::Bucket") if title.startswith("Pixels") or not keeps}
    assert set(emptied) == buckets


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_on_its_way_ends(stacks: Mapping[str, Made], name: str) -> None:
    """All that `gather` reads has whole addresses, and leaves the bucket; so do uploads that were never finished."""
    (lake,) = [each for title, each in stacks[name].of("S3::Bucket").items() if title.startswith("Lake")]
    rules = lake["LifecycleConfiguration"]["Rules"]
    ends = {each.get("Prefix", ""): each["ExpirationInDays"] for each in rules if "ExpirationInDays" in each}
    assert any("AbortIncompleteMultipartUpload" in each and "Prefix" not in each for each in rules)
    roles = [each["Properties"] for title, each in stacks[name].template["Resources"].items() if "GatherRole" in title]
    read = set(re.findall(r'"/((?:landing|errors|AWSLogs)[^"*]*)\*"', json.dumps(roles)))
    assert bool(read) == bool(roles)
    assert all(any(prefix.startswith(end) for end in ends if end) for prefix in read), (read, ends)


@pytest.mark.parametrize("name", VARIANTS)
def test_logs_end(stacks: Mapping[str, Made], name: str) -> None:
    """Every function has a log of its own, and every log an end."""
    logs = stacks[name].of("Logs::LogGroup")
    assert all(log["RetentionInDays"] for log in logs.values())
    used = [each["LoggingConfig"]["LogGroup"]["Ref"] for each in stacks[name].of("Lambda::Function").values()]
    assert len(set(used)) == len(used)
    assert set(used) <= set(logs)


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_logged(stacks: Mapping[str, Made], name: str) -> None:
    """Of each of our functions its own lines, and what Lambda says of calls that fail; the price counts no other."""
    for each in stacks[name].of("Lambda::Function").values():
        if each.get("Description", "").startswith("pixelake.aws."):
            told = each["LoggingConfig"]
            levels = (told["LogFormat"], told["ApplicationLogLevel"], told["SystemLogLevel"])
            assert levels == ("JSON", "INFO", terms.SYSTEM_LOGS)
    assert terms.SYSTEM_LOGS == "WARN"


def test_our_lines_pass_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    """Each has the keys that Lambda reads: a level that it keeps, and a timestamp of RFC 3339."""
    telemetry.log_to_stderr("info")
    for level in ("info", "warning", "error"):
        getattr(structlog.get_logger(), level)("something")
        told = json.loads(capsys.readouterr().err)
        assert told["level"] == level
        assert told["timestamp"].endswith("Z")
        assert datetime.fromisoformat(told["timestamp"]).tzinfo


@pytest.mark.parametrize("name", VARIANTS)
def test_functions_are_as_the_terms(stacks: Mapping[str, Made], name: str) -> None:
    """Memory and time limits, and the image's command."""
    for title, terms_ in terms.FUNCTIONS.items():
        for each in stacks[name].of("Lambda::Function").values():
            if each.get("Description") == f"pixelake.aws.{title}":
                assert (each["MemorySize"], each["Timeout"]) == (terms_.memory, terms_.timeout)
                handler = each.get("Handler") or each["ImageConfig"]["Command"][0]
                assert handler == f"pixelake.aws.{title}.handler"


@pytest.mark.parametrize("name", VARIANTS)
def test_functions_take_their_settings(stacks: Mapping[str, Made], name: str) -> None:
    """Each function starts with what the stack tells it."""
    for each in stacks[name].of("Lambda::Function").values():
        if each.get("Description", "").startswith("pixelake.aws."):
            told = {key: written(value) for key, value in each["Environment"]["Variables"].items()}
            settings.check(settings.load(environment=told))


def test_settings_of_all(stacks: Mapping[str, Made]) -> None:
    """What is chosen for the program reaches each function."""
    for name in ("ingest", "consume", "api", "keep"):
        assert environment(stacks["stream-gone"], name)["PIXELAKE_PRIVACY"] == "strict"


def written(value: Any) -> str:
    """A text of a template, with something in place of what AWS will fill in."""
    if isinstance(value, str):
        return value
    return "".join(map(written, value["Fn::Join"][1])) if "Fn::Join" in value else "x"


def test_who_the_viewer_is(stacks: Mapping[str, Made]) -> None:
    """Whichever address CloudFront asks from, what it says of the viewer is taken."""
    told = {key: written(value) for key, value in environment(stacks["queue"], "consume").items()}
    chosen = settings.load(environment=told)
    clients = Clients(chosen.trusted_proxies, chosen.client_header)
    for peer in ("130.176.1.2", "64.252.64.1", "2600:9000:21ed::1"):
        assert clients.client(peer, b"CloudFront-Viewer-Address: 203.0.113.9:4711\r\n") == "203.0.113.9"


@pytest.mark.parametrize("name", VARIANTS)
def test_alarms_are_told(stacks: Mapping[str, Made], name: str) -> None:
    """Each alarm says what is wrong, and tells the topic; of every function, stream and queue there is one."""
    alarms = stacks[name].of("CloudWatch::Alarm")
    assert all(each["AlarmActions"] and each["AlarmDescription"] for each in alarms.values())
    watched = {each.get("MetricName") for each in alarms.values()}
    wanted = {"Errors", "Throttles"}
    if stacks[name].of("Kinesis::Stream"):
        wanted |= {"GetRecords.IteratorAgeMilliseconds", "WriteProvisionedThroughputExceeded"}
    if stacks[name].of("SQS::Queue"):
        wanted |= {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}
    if stacks[name].of("KinesisFirehose::DeliveryStream"):
        wanted |= {"DeliveryToS3.DataFreshness", "FailedConversion.Records"}
    assert wanted <= watched


@pytest.mark.parametrize("name", ["stream", "edge"])
def test_mappings_of_streams(stacks: Mapping[str, Made], name: str) -> None:
    """From the oldest record on, halved where it fails, given up after a while, and then kept."""
    of = terms.CONSUME if name == "stream" else terms.AGGREGATE
    mapping = stacks[name].one("Lambda::EventSourceMapping") if name == "stream" else by_kinesis(stacks[name])
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0].startswith("Failed")
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (of.batch, of.window)
    assert (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) == (of.retries, of.age)


def by_kinesis(made: Made) -> Any:
    """The only mapping of a stream."""
    (found,) = [each for each in made.of("Lambda::EventSourceMapping").values() if "StartingPosition" in each]
    return found


@pytest.mark.parametrize(("name", "of"), [("queue", terms.HITS), ("firehose", terms.LANDED)])
def test_queues(stacks: Mapping[str, Made], name: str, of: terms.OfQueue) -> None:
    """What is received too often is dead, and kept longer than alive; the mapping has a bound, the function none."""
    alive, dead = sorted(stacks[name].of("SQS::Queue").values(), key=lambda each: "RedrivePolicy" not in each)
    assert alive["RedrivePolicy"]["maxReceiveCount"] == of.receives
    assert (alive["VisibilityTimeout"], alive["MessageRetentionPeriod"]) == (of.visibility, of.retention)
    assert dead["MessageRetentionPeriod"] == of.dead > of.retention
    mapping = stacks[name].one("Lambda::EventSourceMapping")
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": of.at_once}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert not any("ReservedConcurrentExecutions" in each for each in stacks[name].of("Lambda::Function").values())
    called = "consume" if name == "queue" else "gather"
    assert of.visibility >= 6 * function(stacks[name], called)["Timeout"]


@pytest.mark.parametrize("name", ["stream", "firehose"])
def test_the_api_takes_what_shards_take(stacks: Mapping[str, Made], name: str) -> None:
    """The collector's routes and no other, throttled to what the stream can take."""
    stages = stacks[name].of("ApiGatewayV2::Stage")
    (stage,) = [each for title, each in stages.items() if title.startswith("Pixel")]
    limits = stage["DefaultRouteSettings"]
    assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == (
        terms.THROTTLE.rate,
        terms.THROTTLE.burst,
    )
    routes = {
        each["RouteKey"] for title, each in stacks[name].of("ApiGatewayV2::Route").items() if title.startswith("Pixel")
    }
    ours = {f"{method.decode()} {route.path.decode()}" for route in ROUTES for method in route.methods}
    assert ours <= routes
    assert "$default" not in routes


def test_shards_and_throttle(stacks: Mapping[str, Made]) -> None:
    """Two shards, or on demand; encrypted, for a day."""
    stream = stacks["stream"].one("Kinesis::Stream")
    assert stream["ShardCount"] == terms.SHARDS
    assert stream["RetentionPeriodHours"] == terms.RETENTION_HOURS
    assert stream["StreamEncryption"]["EncryptionType"] == "KMS"
    assert stacks["stream-domain"].one("Kinesis::Stream")["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}


@pytest.mark.parametrize(("name", "kind"), [("firehose", "Parquet"), ("firehose-orc", "Orc"), ("edge", "Parquet")])
def test_firehose(stacks: Mapping[str, Made], name: str, kind: str) -> None:
    """Buffers, folders of the calendar's year, errors apart, columns by the table that the program knows."""
    stream = stacks[name].one("KinesisFirehose::DeliveryStream")
    to, of = stream["ExtendedS3DestinationConfiguration"], terms.FIREHOSE
    assert to["BufferingHints"] == {"IntervalInSeconds": of.seconds, "SizeInMBs": of.size >> 20}
    assert to["Prefix"] == terms.LANDING + terms.FOLDERS
    assert "YYYY" not in to["Prefix"]
    assert to["ErrorOutputPrefix"].startswith(terms.ERRORS + terms.ERROR_TYPE)
    conversion = to["DataFormatConversionConfiguration"]
    assert [*conversion["OutputFormatConfiguration"]["Serializer"]] == [f"{kind}SerDe"]
    parameters = to["ProcessingConfiguration"]["Processors"][0]["Parameters"]
    told = {each["ParameterName"]: each["ParameterValue"] for each in parameters}
    assert told["BufferSizeInMBs"] == str(of.gathered >> 20)
    (landing,) = [
        t["TableInput"] for t in stacks[name].of("Glue::Table").values() if t["TableInput"]["Name"] == "landing"
    ]
    assert landing["Parameters"]["classification"] == kind.lower()
    assert landing["Parameters"]["projection.enabled"] == "true"
    assert not stacks[name].of("Glue::Crawler")


def test_who_is_told_of_files(stacks: Mapping[str, Made]) -> None:
    """The bucket tells the queue of what Firehose lands and what it could not, and of nothing of the lake."""
    prefixes = {"firehose": {terms.LANDING, terms.ERRORS}, "edge-standard": {terms.LOGS_OF_AWS}}
    for name, wanted in prefixes.items():
        (bucket,) = [each for each in stacks[name].of("S3::Bucket").values() if "NotificationConfiguration" in each]
        told = bucket["NotificationConfiguration"]["QueueConfigurations"]
        assert {each["Filter"]["S3Key"]["Rules"][0]["Value"] for each in told} == wanted


@pytest.mark.parametrize("name", ["edge", "edge-standard", "edge-waf", "queue", "queue-whole"])
def test_cloudfront(stacks: Mapping[str, Made], name: str) -> None:
    """No error is kept; GET and HEAD alone; TLS; the firewall where one is wanted; its own count is on the board."""
    assert "AWS/CloudFront" in json.dumps(stacks[name].one("CloudWatch::Dashboard"))
    told = stacks[name].one("CloudFront::Distribution")["DistributionConfig"]
    assert {each["ErrorCachingMinTTL"] for each in told["CustomErrorResponses"]} == {0}
    assert {each["ErrorCode"] for each in told["CustomErrorResponses"]} >= {403, 404, 500, 502, 503, 504}
    for behaviour in (told["DefaultCacheBehavior"], *told.get("CacheBehaviors", ())):
        assert behaviour["AllowedMethods"] == ["GET", "HEAD"]
        assert behaviour["ViewerProtocolPolicy"] == "redirect-to-https"
    assert ("WebACLId" in told) is (VARIANTS[name].get("waf") == "true")


def test_viewers_keep_nothing(stacks: Mapping[str, Made]) -> None:
    """The edge keeps the image and viewers do not, so that each view is a line of the log, with its id."""
    told = json.dumps(stacks["edge"].one("CloudFront::ResponseHeadersPolicy"))
    assert '"Header": "Cache-Control", "Override": true, "Value": "no-store"' in told
    log = stacks["edge"].one("CloudFront::RealtimeLogConfig")
    assert log["SamplingRate"] == 100
    assert {"x-edge-request-id", "sc-status", "cs-method", "cs-referer"} <= set(log["Fields"])
    behaviour = stacks["edge"].one("CloudFront::Distribution")["DistributionConfig"]["CacheBehaviors"][0]
    assert behaviour["PathPattern"] == "/pixel.gif"
    assert "Fn::GetAtt" in behaviour["RealtimeLogConfigArn"]
    assert environment(stacks["edge"], "transform")["PIXELAKE_LOG_FIELDS"] == ",".join(log["Fields"])


def test_the_image_is_the_collectors(stacks: Mapping[str, Made]) -> None:
    """What lies in the bucket is what every other way answers."""
    resources = stacks["edge"].template["Resources"].values()
    (told,) = [each["Properties"] for each in resources if "CustomResource" in each["Type"]]
    from base64 import b64decode

    assert (told["Key"], b64decode(told["Body"])) == ("pixel.gif", GIF)


def test_the_queue_is_asked_as_the_program_says(stacks: Mapping[str, Made]) -> None:
    """Each path and method has the template, refuses other types, and answers as it does on this machine."""
    methods = stacks["queue"].of("ApiGateway::Method").values()
    assert len(methods) == len(direct.PATHS) * len(direct.METHODS)
    for method in methods:
        integration = method["Integration"]
        assert method["ApiKeyRequired"] is True
        assert integration["PassthroughBehavior"] == "NEVER"
        assert integration["RequestTemplates"] == {direct.CONTENT_TYPE: direct.template()}
        answers = {each["StatusCode"]: each for each in integration["IntegrationResponses"]}
        for answer in direct.ANSWERS:
            found = answers[str(answer.status)]
            assert found.get("SelectionPattern", "") == answer.pattern
            assert found["ContentHandling"] == "CONVERT_TO_BINARY"
            assert found["ResponseTemplates"] == {direct.CONTENT_TYPE: answer.body}
    api = stacks["queue"].one("ApiGateway::RestApi")
    assert api["BinaryMediaTypes"] == ["*/*"]
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    own = {
        each["ResponseType"]: each["StatusCode"] for each in stacks["queue"].of("ApiGateway::GatewayResponse").values()
    }
    assert own == {each.kind: str(each.status) for each in direct.OTHERWISE}


def test_nobody_goes_around_cloudfront(stacks: Mapping[str, Made]) -> None:
    """The API answers who shows its key, which is made with the stack; so who the viewer is may be believed."""
    distribution = stacks["queue"].one("CloudFront::Distribution")["DistributionConfig"]
    (header,) = distribution["Origins"][0]["OriginCustomHeaders"]
    assert header["HeaderName"] == "x-api-key"
    assert header["HeaderValue"] == stacks["queue"].one("ApiGateway::ApiKey")["Value"]
    assert "resolve:secretsmanager" in json.dumps(header["HeaderValue"])
    policy = stacks["queue"].one("CloudFront::OriginRequestPolicy")["OriginRequestPolicyConfig"]
    assert "CloudFront-Viewer-Address" in policy["HeadersConfig"]["Headers"]
    told = environment(stacks["queue"], "consume")
    assert told["PIXELAKE_CLIENT_HEADER"] == "cloudfront-viewer-address"


def test_a_second_region(stacks: Mapping[str, Made]) -> None:
    """CloudFront asks the other API where the first one fails."""
    told = stacks["queue-whole"].one("CloudFront::Distribution")["DistributionConfig"]
    (group,) = told["OriginGroups"]["Items"]
    assert 503 in group["FailoverCriteria"]["StatusCodes"]["Items"]
    keys = {str(each["DomainName"]): each["OriginCustomHeaders"][0]["HeaderValue"] for each in told["Origins"]}
    assert keys[VARIANTS["queue-whole"]["second-api"]] == {"Ref": "SecondApiKey"}
    assert stacks["queue-whole"].template["Parameters"]["SecondApiKey"]["NoEcho"] is True


def test_a_firewall(stacks: Mapping[str, Made]) -> None:
    """AWS's rules, a rate, both lists of addresses; before the stage of a REST API."""
    rules = {each["Name"]: each for each in stacks["stream-waf"].one("WAFv2::WebACL")["Rules"]}
    assert {"blocked-ipv4", "blocked-ipv6", "rate", "AWSManagedRulesSQLiRuleSet"} <= set(rules)
    priced = {item.name: item.units for item in bill("stream", 0, figures(["waf=1", "waf_lists=2"])).items}
    assert priced["firewall: rules"] == len(rules)
    assert len({each["Priority"] for each in rules.values()}) == len(rules)
    assert stacks["stream-waf"].one("WAFv2::WebACLAssociation")
    stage = stacks["stream-waf"].one("ApiGateway::Stage")
    (every,) = [each for each in stage["MethodSettings"] if each["HttpMethod"] == "*"]
    assert every["ThrottlingRateLimit"] == terms.THROTTLE.rate


def test_a_domain(stacks: Mapping[str, Made]) -> None:
    """It has its certificate, and leads to the pixel."""
    assert stacks["stream-domain"].one("ApiGatewayV2::DomainName")["DomainName"] == DOMAIN["domain"]
    assert stacks["stream-domain"].one("ApiGatewayV2::ApiMapping")
    told = stacks["queue-whole"].one("CloudFront::Distribution")["DistributionConfig"]
    assert told["Aliases"] == [DOMAIN["domain"]]
    assert stacks["stream-domain"].template["Outputs"]["Pixel"]["Value"] == f"https://{DOMAIN['domain']}/pixel.gif"


def test_a_machine_goes_and_its_hits_stay(stacks: Mapping[str, Made]) -> None:
    """A group of one machine for each volume, in its zone, which begins by attaching it."""
    volumes, groups = stacks["fleet-s3"].of("EC2::Volume"), stacks["fleet-s3"].of("AutoScaling::AutoScalingGroup")
    assert len(volumes) == len(groups) == 2
    assert all(each["Encrypted"] for each in volumes.values())
    assert all((each["MinSize"], each["MaxSize"]) == ("1", "1") for each in groups.values())
    starts = json.dumps(stacks["fleet-s3"].of("EC2::LaunchTemplate"))
    assert all(f'{{"Ref": "{name}"}}' in starts for name in volumes)
    assert "@" not in starts.replace("@aws", "")


def test_what_machines_cost(stacks: Mapping[str, Made]) -> None:
    """Those that settle write the live page as often as it is priced, unless told else, and have no metrics to pay."""
    (told,) = {
        line
        for each in stacks["fleet-s3"].of("EC2::LaunchTemplate").values()
        for line in written(each["LaunchTemplateData"]["UserData"]["Fn::Base64"]).splitlines()
        if "LIVE_WINDOW" in line
    }
    assert float(told.rpartition("=")[2]) == terms.LIVE_WINDOW
    for name, wanted in {"fleet": True, "fleet-s3": False}.items():
        made = stacks[name].of("EC2::LaunchTemplate").values()
        assert {each["LaunchTemplateData"]["Monitoring"]["Enabled"] for each in made} == {wanted}
        metrics = {item.name for item in bill(name, 1e9, figures([])).items} & {"machines: metrics"}
        assert bool(metrics) is wanted
    for each in stacks["fleet-s3-gone"].of("EC2::LaunchTemplate").values():
        assert "Environment=PIXELAKE_LIVE_WINDOW=60\n" in written(each["LaunchTemplateData"]["UserData"]["Fn::Base64"])


@pytest.mark.parametrize("name", ["fleet", "fleet-s3"])
def test_machines_are_let_go_first(stacks: Mapping[str, Made], name: str) -> None:
    """The balancer drains a machine, tells who the client is, and ends TLS; only it reaches the machines."""
    target = stacks[name].one("ElasticLoadBalancingV2::TargetGroup")
    attributes = {each["Key"]: each["Value"] for each in target["TargetGroupAttributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "60"
    assert attributes["preserve_client_ip.enabled"] == "true"
    assert stacks[name].one("ElasticLoadBalancingV2::Listener")["Protocol"] == "TLS"
    inside = [each for each in stacks[name].of("EC2::SecurityGroup").values() if "asked by" in each["GroupDescription"]]
    assert "SecurityGroupIngress" not in inside[0]


def test_collectors_keep_nothing(stacks: Mapping[str, Made]) -> None:
    """They put packed hits into Kinesis, and there is no volume to lose; more of them come when they are busy."""
    starts = json.dumps(stacks["fleet"].one("EC2::LaunchTemplate"))
    assert "?aggregate=on" in starts
    assert "pixelake collect" in starts
    assert not stacks["fleet"].of("EC2::Volume")
    group = stacks["fleet"].one("AutoScaling::AutoScalingGroup")
    assert (group["MinSize"], group["MaxSize"]) == ("2", "8")
    assert stacks["fleet"].one("AutoScaling::ScalingPolicy")


# --- one place for numbers


def test_one_place(
    node: None, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of the terms is seen in the template, and in what runs on this machine."""
    monkeypatch.setattr(terms, "CONSUME", replace(terms.CONSUME, batch=321, window=7.0, retries=2, age=3_600.0))
    monkeypatch.setattr(terms, "THROTTLE", terms.Throttle(rate=77, burst=78))
    monkeypatch.setattr(terms, "throttle", lambda _: terms.THROTTLE)
    stack = made(tmp_path_factory.mktemp("changed"), VARIANTS["stream"])
    mapping = stack.one("Lambda::EventSourceMapping")
    there = (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"], mapping["MaximumRetryAttempts"])
    assert there == (321, 7, 2)
    limits = [each["DefaultRouteSettings"]["ThrottlingRateLimit"] for each in stack.of("ApiGatewayV2::Stage").values()]
    assert 77 in limits

    seen: list[Any] = []
    monkeypatch.setattr(topology, "OfStream", lambda _client, _stream, _call, how, **_: seen.append(how))
    monkeypatch.setattr(topology, "Throttled", lambda _answer, how: seen.append(how))
    monkeypatch.setattr(topology.Topology, "runs", lambda *_: None)
    wanted = topology.Wanted(topology="stream", data=tmp_path, collect=("127.0.0.1", 0), faults=Faults({}), speed=1.0)
    here = topology.Topology(wanted)
    here.cloud.start()
    try:
        topology._stream(here)
    finally:
        here._ends.close()
        here.cloud.stop()
    assert (seen[0].batch_size, seen[0].window, seen[0].retries, seen[0].age) == (321, 7.0, 2, 3_600.0)
    assert seen[1] == terms.Throttle(rate=77, burst=78)
