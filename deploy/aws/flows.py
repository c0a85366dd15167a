"""Streams and queues, and the mappings that call a function with what is in them."""

from typing import Final, NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from deploy.aws import reasons, rights
from deploy.aws.house import House
from pixelake.aws import terms

_DESTINATION: Final = "Serverless-LambdaEventSourceMappingDestination"


class Queues(NamedTuple):
    """A queue, and the one for its dead letters."""

    alive: sqs.Queue
    dead: sqs.Queue


def stream(house: House, title: str) -> kinesis.Stream:
    """A stream of Kinesis, with as many shards as are chosen, or on demand."""
    shards = house.options.shards
    made = kinesis.Stream(
        house,
        title,
        stream_mode=kinesis.StreamMode.PROVISIONED if shards else kinesis.StreamMode.ON_DEMAND,
        shard_count=shards or None,
        retention_period=Duration.hours(house.options.retention),
        encryption=kinesis.StreamEncryption.MANAGED,
        removal_policy=house.removal,
    )
    house.watch.stream(title, made)
    return made


def of_stream(  # noqa: PLR0917 - a mapping is made of these
    house: House, title: str, source: kinesis.Stream, target: lambda_.Function, of: terms.OfStream, failed: s3.Bucket
) -> None:
    """Let a stream call a function; what is given up goes to a bucket.

    Args:
        house: the stack.
        title: of the mapping.
        source: the stream.
        target: the function, whose role may read the stream and write that bucket.
        of: how often, how much, how long.
        failed: the bucket.
    """
    made = lambda_.EventSourceMapping(
        house,
        title,
        target=target,
        event_source_arn=source.stream_arn,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        batch_size=of.batch,
        max_batching_window=Duration.seconds(of.window),
        bisect_batch_on_error=True,
        retry_attempts=of.retries,
        max_record_age=Duration.seconds(of.age),
        report_batch_item_failures=True,
        metrics_config=lambda_.MetricsConfig(metrics=[lambda_.MetricType.EVENT_COUNT]),
    )
    resource = made.node.default_child
    resource.add_property_override("DestinationConfig.OnFailure.Destination", failed.bucket_arn)
    made.node.add_dependency(target.role)
    reasons.told(
        made, {_DESTINATION: "it has one: a bucket, written past the construct, which would allow more than it needs"}
    )
    house.watch.mapping(title, made)


def consumed(house: House, source: kinesis.Stream) -> None:
    """Let `consume` settle what is in a stream."""
    failed = house.failed()
    places = {"source": source.stream_arn, "failed": failed.bucket_arn, "failed-objects": failed.bucket_arn}
    made = house.function("consume", house.lake, places, [rights.OF_STREAM, *rights.GIVEN_UP])
    of_stream(house, "Consumed", source, made, terms.CONSUME, failed)


def queue(house: House, title: str, of: terms.OfQueue) -> Queues:
    """A queue; what was received too often goes to another, and stays there longer."""
    dead = sqs.Queue(
        house,
        f"{title}Dead",
        retention_period=Duration.seconds(of.dead),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        removal_policy=house.removal,
    )
    alive = sqs.Queue(
        house,
        title,
        visibility_timeout=Duration.seconds(of.visibility),
        retention_period=Duration.seconds(of.retention),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=of.receives),
        removal_policy=house.removal,
    )
    reasons.told(dead, {"Serverless-SQSRedrivePolicy": "it is the end of the way, with an alarm"})
    house.watch.queue(title, alive, dead)
    house.told(f"{title}DeadLetters", dead.queue_name, "Dead letters: pixelake aws redrive sqs://HERE sqs://QUEUE")
    return Queues(alive, dead)


def of_queue(house: House, title: str, source: sqs.Queue, target: lambda_.Function, of: terms.OfQueue) -> None:
    """Let a queue call a function, so many at once."""
    made = lambda_.EventSourceMapping(
        house,
        title,
        target=target,
        event_source_arn=source.queue_arn,
        batch_size=of.batch,
        max_batching_window=Duration.seconds(of.window) if of.window else None,
        max_concurrency=of.at_once,
        report_batch_item_failures=True,
        metrics_config=lambda_.MetricsConfig(metrics=[lambda_.MetricType.EVENT_COUNT]),
    )
    made.node.add_dependency(target.role)
    reasons.told(made, {_DESTINATION: "a queue keeps what fails itself, and then in the one for dead letters"})
    house.watch.mapping(title, made)
