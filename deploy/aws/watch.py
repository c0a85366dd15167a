"""Alarms, the topic that tells them, and a dashboard of CloudWatch: whatever loses hits rings."""

from typing import Any, Final

from aws_cdk import Aws, CfnCondition, CfnOutput, CfnParameter, Duration, Fn, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from deploy.aws import reasons

BEHIND: Final = Duration.minutes(15)
"""What is older has a cause."""
ABOVE: Final = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
QUIET: Final = cloudwatch.TreatMissingData.NOT_BREACHING
MINUTES: Final = Duration.minutes(5)

OF_MAIL: Final = {
    "Serverless-SNSRedrivePolicy": "a mail that is not delivered has no second way; the alarm stays on the board"
}


class Watch:
    """What is looked at in a stack.

    Args:
        stack: to put it into.
        name: of the dashboard.
    """

    def __init__(self, stack: Stack, name: str) -> None:
        self._stack = stack
        self._board = cloudwatch.Dashboard(stack, "Board", dashboard_name=f"{name}-{Aws.REGION}")
        self._topic = sns.Topic(stack, "Alarms", enforce_ssl=True)
        self._topic.add_to_resource_policy(  # a policy of one's own takes the place of the usual one, which allows it
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self._topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        self._flow: list[cloudwatch.IMetric] = []
        self._mail()
        CfnOutput(stack, "AlarmTopic", value=self._topic.topic_arn, description="Alarms are told here")

    def _mail(self) -> None:
        """Tell alarms to somebody, if an address is given."""
        address = CfnParameter(
            self._stack, "AlarmEmail", default="", description="Who is told of alarms; may be empty."
        )
        given = CfnCondition(
            self._stack, "HasAlarmEmail", expression=Fn.condition_not(Fn.condition_equals(address.value_as_string, ""))
        )
        made = sns.CfnSubscription(
            self._stack,
            "AlarmMail",
            protocol="email",
            topic_arn=self._topic.topic_arn,
            endpoint=address.value_as_string,
        )
        made.cfn_options.condition = given
        reasons.told(made, OF_MAIL)

    def alarm(self, title: str, metric: cloudwatch.IMetric, above: float, says: str, periods: int = 1) -> None:
        """Ring if a metric is above something; nothing measured is nothing wrong.

        Args:
            title: of the alarm, and its place in the stack.
            metric: what is measured.
            above: what is still right.
            says: what is wrong, and what to do.
            periods: in a row.
        """
        made = cloudwatch.Alarm(
            self._stack,
            f"{title}Alarm",
            metric=metric,
            threshold=above,
            evaluation_periods=periods,
            comparison_operator=ABOVE,
            treat_missing_data=QUIET,
            alarm_description=says,
        )
        made.add_alarm_action(actions.SnsAction(self._topic))

    def graph(self, title: str, *metrics: cloudwatch.IMetric) -> None:
        """A graph on the dashboard."""
        self._board.add_widgets(cloudwatch.GraphWidget(title=title, left=list(metrics), width=12))

    def function(self, name: str, made: lambda_.Function) -> None:
        """Errors and throttles of a function."""
        errors, throttles = made.metric_errors(period=MINUTES), made.metric_throttles(period=MINUTES)
        title = name.capitalize()
        self.alarm(f"{title}Errors", errors, 0, f"{name} fails: its log says why, and what to do", 3)
        self.alarm(f"{title}Throttles", throttles, 0, f"{name} is throttled: raise the account's concurrency", 3)
        self.graph(f"Function {name}", errors, throttles, made.metric_invocations(period=MINUTES))

    def table(self, made: dynamodb.Table) -> None:
        """Throttles of the table."""
        throttled = _metric("AWS/DynamoDB", "ThrottledRequests", TableName=made.table_name)
        self.alarm("TableThrottled", throttled, 10, "the table throttles: look at its limits", 3)

    def stream(self, title: str, made: kinesis.Stream) -> None:
        """What a stream refuses, and how old what is read is."""
        name = {"StreamName": made.stream_name}
        refused = _metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", **name)
        age = _metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Maximum", **name)
        self.alarm(f"{title}Refuses", refused, 0, "the stream refuses hits: more shards")
        self.alarm(f"{title}Behind", age, BEHIND.to_milliseconds(), "what reads the stream is behind: see its errors")
        self.graph(f"{title}: age", age)
        taken = _metric("AWS/Kinesis", "IncomingRecords", **name)
        self.graph(f"{title}: accepted", taken, refused)

    def queue(self, title: str, made: sqs.Queue, dead: sqs.Queue) -> None:
        """How deep a queue is, how old, and what is dead."""
        age = made.metric_approximate_age_of_oldest_message(period=MINUTES)
        lost = dead.metric_approximate_number_of_messages_visible(period=MINUTES)
        depth = made.metric_approximate_number_of_messages_visible(period=MINUTES)
        self.alarm(f"{title}Behind", age, BEHIND.to_seconds(), "what reads the queue is behind: see its errors")
        self.alarm(f"{title}Dead", lost, 0, "there are dead letters: see the log, then pixelake aws redrive")
        self.graph(f"{title}: depth and age", depth, age, lost)

    def mapping(self, title: str, made: lambda_.EventSourceMapping) -> None:
        """What a mapping took, against what was settled; and what it gave up."""
        uuid = {"EventSourceMappingUUID": made.event_source_mapping_id}
        polled, failed, given_up, dropped = (
            _metric("AWS/Lambda", name, **uuid)
            for name in (
                "PolledEventCount",
                "FailedInvokeEventCount",
                "OnFailureDestinationDeliveredEventCount",
                "DroppedEventCount",
            )
        )
        self.alarm(f"{title}GivenUp", given_up, 0, "hits were given up: mend the cause, then pixelake aws redrive")
        self.alarm(f"{title}Dropped", dropped, 0, "hits were dropped: neither settled nor kept as given up")
        invoked = _metric("AWS/Lambda", "InvokedEventCount", **uuid)
        settled = cloudwatch.MathExpression(
            expression="FILL(invoked, 0) - FILL(failed, 0)",
            using_metrics={"invoked": invoked, "failed": failed},
            label="stored",
            period=MINUTES,
        )
        self.graph(f"{title}: accepted against stored", polled, settled, given_up)

    def delivery(self, name: str) -> None:
        """A stream of Firehose: how fresh S3 is, and what was not delivered."""
        of = {"DeliveryStreamName": name}
        age = _metric("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum", **of)
        refused = _metric("AWS/Firehose", "ThrottledRecords", **of)
        unconverted = _metric("AWS/Firehose", "FailedConversion.Records", **of)
        transformed = _metric("AWS/Firehose", "ExecuteProcessing.Success", "Average", **of)
        accepted, stored = (_metric("AWS/Firehose", each, **of) for each in ("IncomingRecords", "DeliveryToS3.Records"))
        self.alarm("DeliveryBehind", age, BEHIND.to_seconds(), "Firehose is behind: see its log, and that of transform")
        self.alarm("DeliveryThrottled", refused, 0, "Firehose refuses hits: ask AWS for a higher limit")
        self.alarm("DeliveryUnconverted", unconverted, 0, "rows were not converted: they are below errors/")
        self.graph("Firehose: accepted against stored", accepted, stored, unconverted)
        self.graph("Firehose: freshness, and what transform did", age, transformed)

    def api(self, title: str, namespace: str = "AWS/ApiGateway", *, rest: bool = False, **of: str) -> None:
        """Statuses and latency of an API."""
        names = ("4XXError", "5XXError") if rest else ("4xx", "5xx")
        refused, failed = (_metric(namespace, name, **of) for name in names)
        latency = _metric(namespace, "Latency", "p99", **of)
        self.alarm(
            f"{title}Failed", failed, 0, "answers of 5xx: hits that were not kept, and browsers do not repeat", 3
        )
        self.graph(f"{title}: statuses", _metric(namespace, "Count", **of), refused, failed)
        self.graph(f"{title}: latency", latency)

    def shown(self, title: str, namespace: str, *names: str, statistic: str = "Sum", **of: str) -> None:
        """A graph of metrics of a service."""
        self.graph(title, *(_metric(namespace, name, statistic, **of) for name in names))


def _metric(namespace: str, name: str, statistic: str = "Sum", **of: Any) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, statistic=statistic, period=MINUTES, dimensions_map=dict(of)
    )
