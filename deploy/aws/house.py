"""What every design has: the bucket, the table, alarms, functions, and the one that keeps the lake."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from aws_cdk import (
    Aws,
    BootstraplessSynthesizer,
    CfnOutput,
    CfnParameter,
    CustomResource,
    Duration,
    RemovalPolicy,
    Stack,
    Tags,
)
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from deploy.aws import reasons, rights, watch
from deploy.aws.options import Options
from deploy.aws.rights import Right
from pixelake.aws import terms

ZIPS: Final = frozenset({"ingest", "aggregate", "transform"})
"""Small enough for a zip; the others are one image, started with their own handler."""
RUNTIME: Final = lambda_.Runtime.PYTHON_3_13
ARCHITECTURES: Final = {"x86_64": lambda_.Architecture.X86_64, "arm64": lambda_.Architecture.ARM_64}
SYSTEM_LOGS: Final = {"INFO": lambda_.SystemLogLevel.INFO, "WARN": lambda_.SystemLogLevel.WARN}
LOG_DAYS: Final = logs.RetentionDays.ONE_MONTH
COOL: Final = 30
"""Days until an object of the lake may become cheaper to keep, and dearer to read."""
LANDED_DAYS: Final = 30
"""What Firehose has landed is in the lake long before, and no erasure reaches it here."""
FAILED_DAYS: Final = 90
ANSWERS, ANSWER_DAYS = "answers/", 7
"""Of Athena."""
OF_SCHEDULE: Final = {"Serverless-EventBusDLQ": "the next call, in some minutes, does what this one did not"}
CONTENT: Final = Path(__file__).with_name("content.py").read_text("utf-8")


class House(Stack):
    """A stack with a lake; a topology puts its own way of a hit into it.

    Args:
        scope: the application.
        options: what is chosen.
    """

    def __init__(self, scope: Construct, options: Options) -> None:
        super().__init__(
            scope,
            options.name,
            synthesizer=BootstraplessSynthesizer(),
            suppress_template_indentation=True,
            analytics_reporting=False,
            description=f"pixelake {options.topology}: a tracking pixel, and the lake behind it",
        )
        self.options = options
        Tags.of(self).add("application", "pixelake")
        Tags.of(self).add("topology", options.topology)
        self.removal = RemovalPolicy.RETAIN if options.keep_data else RemovalPolicy.DESTROY
        self.watch = watch.Watch(self, options.name)
        self.bucket = self._bucket("Lake", self._rules())
        self.table = self._table()
        self.lake = {
            "PIXELAKE_LAKE": f"s3://{self.bucket.bucket_name}/{terms.LAKE.rstrip('/')}",
            "PIXELAKE_REGISTRY": f"dynamodb://{self.table.table_name}",
            "PIXELAKE_LIVE": f"dynamodb://{self.table.table_name}",
        }

    def told(self, name: str, value: str, description: str) -> None:
        """An output of the stack."""
        CfnOutput(self, name, value=value, description=description)

    # --- what is deployed

    @cached_property
    def code_bucket(self) -> str:
        """A parameter, as all that only who deploys can know."""
        return CfnParameter(
            self, "CodeBucket", description="The bucket, in this region, with what deploy/aws/package has made."
        ).value_as_string

    @cached_property
    def code_folder(self) -> str:
        """How its keys begin there."""
        return CfnParameter(
            self, "CodeFolder", default="pixelake/", description="The beginning of its keys there, with a slash."
        ).value_as_string

    @cached_property
    def _image(self) -> tuple[str, str]:
        """The repository and the tag of the image of those functions that are too large for a zip."""
        repository = CfnParameter(
            self, "ImageRepository", description="The repository of ECR, in this account and region, with the image."
        )
        tag = CfnParameter(self, "ImageTag", default="latest", description="The tag or the digest of the image.")
        return repository.value_as_string, tag.value_as_string

    def function(
        self,
        name: str,
        environment: Mapping[str, str],
        places: Mapping[str, str],
        more: Sequence[Right] = (),
    ) -> lambda_.Function:
        """A function of `pixelake.aws`, its role, its log and its alarms.

        Args:
            name: of the module.
            environment: its settings.
            places: ARNs of what its rights name, beside the bucket and the table.
            more: rights beside those of `rights.RIGHTS`.
        """
        title, terms_ = name.capitalize(), terms.FUNCTIONS[name]
        log = logs.LogGroup(self, f"{title}Log", retention=LOG_DAYS, removal_policy=RemovalPolicy.DESTROY)
        known = {
            "table": self.table.table_arn,
            "bucket": self.bucket.bucket_arn,
            "objects": self.bucket.bucket_arn,
            "log": log.log_group_arn,
            **places,
        }
        role = self.role(title, "lambda.amazonaws.com", [rights.LOG, *rights.RIGHTS[name], *more], known)
        common: dict[str, Any] = {
            "role": role,
            "log_group": log,
            "logging_format": lambda_.LoggingFormat.JSON,  # only so have logs a level
            "system_log_level_v2": SYSTEM_LOGS[terms.SYSTEM_LOGS],
            "application_log_level_v2": lambda_.ApplicationLogLevel.INFO,
            "memory_size": terms_.memory,
            "timeout": Duration.seconds(terms_.timeout),
            "environment": {**self.options.environment, **environment},
            "architecture": ARCHITECTURES[self.options.architecture],
            "description": f"pixelake.aws.{name}",
        }
        handler = f"pixelake.aws.{name}.handler"
        made = self._zip(title, name, handler, common) if name in ZIPS else self._imaged(title, handler, common)
        _plain(made)
        self.watch.function(name, made)
        return made

    def _zip(self, title: str, name: str, handler: str, common: Mapping[str, Any]) -> lambda_.Function:
        bucket = s3.Bucket.from_bucket_name(self, f"{title}Code", self.code_bucket)
        code = lambda_.Code.from_bucket(bucket, f"{self.code_folder}{name}.zip")
        return lambda_.Function(self, title, runtime=RUNTIME, handler=handler, code=code, **common)

    def _imaged(self, title: str, handler: str, common: Mapping[str, Any]) -> lambda_.Function:
        name, tag = self._image
        repository = ecr.Repository.from_repository_name(self, f"{title}Image", name)
        code = lambda_.DockerImageCode.from_ecr(repository, tag_or_digest=tag, cmd=[handler])
        return lambda_.DockerImageFunction(self, title, code=code, **common)

    def role(self, title: str, service: str, allowed: Sequence[Right], places: Mapping[str, str]) -> iam.Role:
        """A role that only a service of this account may take, with exactly these rights."""
        principal = iam.ServicePrincipal(service)
        account = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        assumed = principal if service in _WITHOUT_SOURCE else principal.with_conditions(account)
        policy = iam.PolicyDocument(statements=list(rights.statements(allowed, places)))
        made = iam.Role(self, f"{title}Role", assumed_by=assumed, inline_policies={"own": policy} if allowed else None)
        reasons.wildcards(self, made, allowed, places)
        return made

    # --- what is kept

    def _rules(self) -> list[s3.LifecycleRule]:
        gone = {terms.LANDING: LANDED_DAYS, terms.ERRORS: FAILED_DAYS, terms.LOGS: LANDED_DAYS, ANSWERS: ANSWER_DAYS}
        if self.options.logs == "standard":
            gone[terms.LOGS_OF_AWS] = LANDED_DAYS  # with whole addresses
        cool = s3.Transition(storage_class=s3.StorageClass.INTELLIGENT_TIERING, transition_after=Duration.days(COOL))
        return [
            s3.LifecycleRule(id="unfinished", abort_incomplete_multipart_upload_after=Duration.days(1)),
            s3.LifecycleRule(id="lake", prefix=terms.LAKE, transitions=[cool]),
            *(
                s3.LifecycleRule(id=prefix.rstrip("/"), prefix=prefix, expiration=Duration.days(days))
                for prefix, days in gone.items()
            ),
        ]

    def _bucket(self, title: str, rules: list[s3.LifecycleRule]) -> s3.Bucket:
        made = s3.Bucket(
            self,
            title,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=rules,
            removal_policy=self.removal,
        )
        reasons.told(made, reasons.OF_BUCKETS)
        if not self.options.keep_data:
            self.holds(made)
        return made

    def failed(self) -> s3.Bucket:
        """A bucket for what mappings give up. Lambda chooses the keys, so it is one of its own."""
        rule = s3.LifecycleRule(id="given-up", expiration=Duration.days(FAILED_DAYS))
        made = self._bucket("Failed", [rule])
        self.told("GivenUp", f"s3://{made.bucket_name}/aws/lambda/", "What mappings gave up: pixelake aws redrive")
        return made

    def holds(self, bucket: s3.Bucket, **told: str) -> None:
        """Let a bucket be emptied before it is deleted; and hold an object from the start, if one is told.

        Args:
            bucket: whose removal policy is `DESTROY`.
            told: `Key`, `Body` in base64, and `ContentType` of the object.
        """
        title = bucket.node.id
        properties = {"Bucket": bucket.bucket_name, **told}
        token = self._content(title, bucket).function_arn
        CustomResource(self, f"{title}Content", service_token=token, properties=properties)

    def _content(self, title: str, bucket: s3.Bucket) -> lambda_.Function:
        log = logs.LogGroup(self, f"{title}ContentLog", retention=LOG_DAYS, removal_policy=RemovalPolicy.DESTROY)
        allowed = (rights.LOG, *rights.CONTENT)
        places = {"log": log.log_group_arn, "bucket": bucket.bucket_arn, "objects": bucket.bucket_arn}
        made = lambda_.Function(
            self,
            f"{title}ContentFunction",
            runtime=RUNTIME,
            handler="index.handler",
            code=lambda_.Code.from_inline(CONTENT),
            role=self.role(f"{title}Content", "lambda.amazonaws.com", allowed, places),
            log_group=log,
            timeout=Duration.minutes(15),
            memory_size=256,
        )
        _plain(made)
        return made

    def _table(self) -> dynamodb.Table:
        key, sort = (dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING) for name in terms.KEYS)
        made = dynamodb.Table(
            self,
            "Table",
            partition_key=key,
            sort_key=sort,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=terms.TTL,
            removal_policy=self.removal,
        )
        reasons.told(made, reasons.OF_TABLE)
        self.watch.table(made)
        return made

    # --- who looks at it, and who cleans

    def keep(self) -> None:
        """The function that keeps the lake, and its schedule."""
        made = self.function("keep", self.lake, {})
        rate = events.Schedule.rate(Duration.seconds(terms.KEEP_EVERY))
        rule = events.Rule(self, "KeepEvery", schedule=rate, targets=[targets.LambdaFunction(made, retry_attempts=0)])
        reasons.told(rule, OF_SCHEDULE)


def _plain(made: lambda_.Function) -> None:
    """Say why some rules do not hold; and leave out that it depends on its role, which its ARN says already."""
    reasons.told(made, reasons.OF_FUNCTIONS)
    made.node.default_child.add_deletion_override("DependsOn")


_WITHOUT_SOURCE: Final = frozenset({"lambda.amazonaws.com", "ec2.amazonaws.com"})
"""They tell no source when they take a role."""
