"""Firehose to S3, in columns, and `gather`, which brings what has landed into the lake."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from deploy.aws import athena, flows, reasons, rights
from deploy.aws.house import LOG_DAYS, House
from deploy.aws.rights import Right
from pixelake.aws import terms
from pixelake.warehouse.glue import LANDING_TABLE

_MiB: Final = 1 << 20
_RETRIES: Final = 3
_SERDES: Final[Mapping[str, Mapping[str, Any]]] = {
    "parquet": {"parquet_ser_de": {"compression": "SNAPPY"}},
    "orc": {"orc_ser_de": {"compression": "SNAPPY"}},
}
TO_S3: Final = Right(("s3:PutObject", "s3:AbortMultipartUpload"), "objects", terms.LANDING)
FAILED_TO_S3: Final = Right(("s3:PutObject", "s3:AbortMultipartUpload"), "objects", terms.ERRORS)
TRANSFORM: Final = Right(("lambda:InvokeFunction",), "transform")
READ_SCHEMA: Final = (
    Right(("glue:GetTableVersions", "glue:GetTable"), "catalogue"),
    Right(("glue:GetTableVersions", "glue:GetTable"), "database"),
    Right(("glue:GetTableVersions", "glue:GetTable"), "landing"),
)
SAY: Final = Right(("logs:PutLogEvents",), "delivery-log")
_P = firehose.CfnDeliveryStream


class Delivered(NamedTuple):
    """A stream of Firehose."""

    name: str
    arn: str


def delivery(house: House, source: kinesis.Stream | None = None, log_fields: str = "") -> Delivered:
    """Firehose, its function, the tables, and what gathers the files that it writes.

    Args:
        house: the stack.
        source: a stream to read; else hits are put.
        log_fields: of the lines of CloudFront's log, if these are the records.
    """
    settings = {**house.lake, **({"PIXELAKE_LOG_FIELDS": log_fields} if log_fields else {})}
    without_live = {name: text for name, text in settings.items() if name != "PIXELAKE_LIVE"}
    transform = house.function("transform", without_live, {})
    landing = athena.catalogue(house, landing=True)[LANDING_TABLE]
    made = _firehose(house, source, transform, landing)
    gather(house, settings, (terms.LANDING, terms.ERRORS))
    house.watch.delivery(made.ref)
    return Delivered(made.ref, made.attr_arn)


def gather(house: House, settings: Mapping[str, str], prefixes: tuple[str, ...]) -> None:
    """The function that brings files into the lake, and the queue that tells it of them.

    Args:
        house: the stack.
        settings: of the function.
        prefixes: of the objects that it brings.
    """
    landed = flows.queue(house, "Landed", terms.LANDED)
    allowed = [rights.OF_QUEUE, *rights.of_landed(prefixes)]
    made = house.function("gather", settings, {"source": landed.alive.queue_arn}, allowed)
    flows.of_queue(house, "Gathered", landed.alive, made, terms.LANDED)
    _notify(house, landed.alive, prefixes)


def _notify(house: House, queue: sqs.Queue, prefixes: tuple[str, ...]) -> None:
    """Let the bucket tell a queue of its new objects.

    The bucket is named by its account alone: it must know the queue before it is there itself.
    """
    queue.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("s3.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[queue.queue_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
    )
    told = [
        {
            "Event": "s3:ObjectCreated:*",
            "Queue": queue.queue_arn,
            "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": prefix}]}},
        }
        for prefix in prefixes
    ]
    bucket = house.bucket.node.default_child
    bucket.add_property_override("NotificationConfiguration", {"QueueConfigurations": told})
    bucket.add_resource_dependency(queue.node.find_child("Policy").node.default_child)


# --- Firehose


def _firehose(
    house: House, source: kinesis.Stream | None, transform: lambda_.Function, landing: glue.CfnTable
) -> firehose.CfnDeliveryStream:
    log = logs.LogGroup(house, "DeliveryLog", retention=LOG_DAYS, removal_policy=RemovalPolicy.DESTROY)
    stream = logs.LogStream(house, "DeliveryLogStream", log_group=log, removal_policy=RemovalPolicy.DESTROY)
    role = _role(house, source, transform, landing, log)
    of = terms.FIREHOSE
    to = _P.ExtendedS3DestinationConfigurationProperty(
        bucket_arn=house.bucket.bucket_arn,
        role_arn=role.role_arn,
        prefix=terms.LANDING + terms.FOLDERS,
        error_output_prefix=terms.ERRORS + terms.ERROR_TYPE + terms.FOLDERS,
        compression_format="UNCOMPRESSED",
        buffering_hints=_P.BufferingHintsProperty(interval_in_seconds=of.seconds, size_in_m_bs=of.size // _MiB),
        processing_configuration=_processing(transform),
        data_format_conversion_configuration=_conversion(house, role.role_arn, landing),
        cloud_watch_logging_options=_P.CloudWatchLoggingOptionsProperty(
            enabled=True, log_group_name=log.log_group_name, log_stream_name=stream.log_stream_name
        ),
    )
    read = (
        _P.KinesisStreamSourceConfigurationProperty(kinesis_stream_arn=source.stream_arn, role_arn=role.role_arn)
        if source
        else None
    )
    made = _P(
        house,
        "Delivery",
        delivery_stream_type="KinesisStreamAsSource" if source else "DirectPut",
        kinesis_stream_source_configuration=read,
        # of records that are put: those of a stream are encrypted by it
        delivery_stream_encryption_configuration_input=None
        if source
        else _P.DeliveryStreamEncryptionConfigurationInputProperty(key_type="AWS_OWNED_CMK"),
        extended_s3_destination_configuration=to,
    )
    if source:
        reasons.told(made, {"AwsSolutions-KDF1": "it reads a stream, which encrypts its records itself"})
    return made


def _role(
    house: House,
    source: kinesis.Stream | None,
    transform: lambda_.Function,
    landing: glue.CfnTable,
    log: logs.LogGroup,
) -> iam.Role:
    allowed = [TO_S3, FAILED_TO_S3, TRANSFORM, *READ_SCHEMA, SAY, *([rights.OF_FIREHOSE] if source else [])]
    places = {
        "objects": house.bucket.bucket_arn,
        "transform": transform.function_arn,
        "catalogue": _glue("catalog"),
        "database": _glue(f"database/{landing.database_name}"),
        "landing": _glue(f"table/{landing.database_name}/{LANDING_TABLE}"),
        "delivery-log": f"{log.log_group_arn.removesuffix(':*')}",
        **({"source": source.stream_arn} if source else {}),
    }
    return house.role("Delivery", "firehose.amazonaws.com", allowed, places)


def _glue(what: str) -> str:
    return f"arn:{Aws.PARTITION}:glue:{Aws.REGION}:{Aws.ACCOUNT_ID}:{what}"


def _processing(transform: lambda_.Function) -> firehose.CfnDeliveryStream.ProcessingConfigurationProperty:
    of = terms.FIREHOSE
    parameters = {
        "LambdaArn": transform.function_arn,
        "NumberOfRetries": str(_RETRIES),
        "BufferSizeInMBs": str(of.gathered // _MiB),
        "BufferIntervalInSeconds": str(round(of.gather)),
    }
    processor = _P.ProcessorProperty(
        type="Lambda",
        parameters=[
            _P.ProcessorParameterProperty(parameter_name=name, parameter_value=value)
            for name, value in parameters.items()
        ],
    )
    return _P.ProcessingConfigurationProperty(enabled=True, processors=[processor])


def _conversion(house: House, role: str, landing: glue.CfnTable) -> Any:
    """JSON to columns, by the schema of the table."""
    return _P.DataFormatConversionConfigurationProperty(
        enabled=True,
        input_format_configuration=_P.InputFormatConfigurationProperty(
            deserializer=_P.DeserializerProperty(
                # names stay as they are: the small letters that it makes by default would merge keys of maps
                open_x_json_ser_de=_P.OpenXJsonSerDeProperty(case_insensitive=False)
            )
        ),
        output_format_configuration=_P.OutputFormatConfigurationProperty(
            serializer=_P.SerializerProperty(**_SERDES[house.options.format])
        ),
        schema_configuration=_P.SchemaConfigurationProperty(
            database_name=landing.database_name,
            table_name=landing.ref,
            region=Aws.REGION,
            role_arn=role,
            version_id="LATEST",
        ),
    )
