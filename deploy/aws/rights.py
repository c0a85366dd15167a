"""Who may do what: for each function the actions that it calls, and on what. Nothing else allows a function anything.

`RIGHTS` is a table for people and tests; `statements` makes policies of it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from aws_cdk import aws_iam as iam

from pixelake.aws import terms


class Right(NamedTuple):
    """What is allowed.

    Attributes:
        actions: of one service.
        on: which part of the stack: a key of what `statements` is told.
        below: the beginning of keys, if it is a bucket's objects.
    """

    actions: Sequence[str]
    on: str
    below: str = ""


REGISTRY: Final = Right(("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:BatchWriteItem"), "table")
"""Also of those who only look: a new day's salt, a site that is met first, a session."""
LOOK: Final = Right((*REGISTRY.actions, "dynamodb:BatchGetItem"), "table")
"""Of those that look at what was counted, or whether an event has come before."""
COUNT: Final = Right((*LOOK.actions, "dynamodb:UpdateItem"), "table")
"""Of those that count."""
READ_LAKE: Final = (Right(("s3:ListBucket",), "bucket", terms.LAKE), Right(("s3:GetObject",), "objects", terms.LAKE))
LAKE: Final = (
    READ_LAKE[0],
    Right(("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), "objects", terms.LAKE),
)
"""An upload in parts that failed is not taken back by who began it: a rule of the bucket does so after a day."""
LOG: Final = Right(("logs:CreateLogStream", "logs:PutLogEvents"), "log")
RIGHTS: Final[Mapping[str, Sequence[Right]]] = {
    "ingest": (),
    "consume": (COUNT, *LAKE),
    "transform": (LOOK,),
    "gather": (COUNT, *LAKE),
    "aggregate": (Right(("kinesis:PutRecords",), "goal"),),
    "api": (LOOK, *LAKE),  # a reject is judged anew from its page
    "keep": (REGISTRY, *LAKE),
}
PUT: Final[Mapping[str, Right]] = {
    "kinesis": Right(("kinesis:PutRecord",), "goal"),
    "firehose": Right(("firehose:PutRecord",), "goal"),
}
"""Of `ingest`, by where it puts hits."""
OF_STREAM: Final = Right(
    (
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ),
    "source",
)


def of_landed(prefixes: Sequence[str]) -> Sequence[Right]:
    """What `gather` reads."""
    return [Right(("s3:GetObject",), "objects", prefix) for prefix in prefixes]


OF_LOG: Final = Right(
    ("kinesis:DescribeStreamSummary", "kinesis:DescribeStream", "kinesis:PutRecord", "kinesis:PutRecords"), "goal"
)
"""Of CloudFront, for its real-time log."""
OF_FIREHOSE: Final = Right(
    ("kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"), "source"
)
OF_QUEUE: Final = Right(("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"), "source")
"""Of mappings: Lambda itself calls these, in the name of the function."""
GIVEN_UP: Final = (
    Right(("s3:PutObject",), "failed-objects", "aws/lambda/"),
    Right(("s3:ListBucket",), "failed", "aws/lambda/"),
)
"""What Lambda does with a batch that was given up: it chooses these keys itself."""

CONTENT: Final = (
    Right(("s3:ListBucketVersions",), "bucket"),
    Right(("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"), "objects", "*"),
)
"""Of the function that fills and empties buckets of the stack."""


def statements(rights: Sequence[Right], places: Mapping[str, str]) -> Sequence[iam.PolicyStatement]:
    """The statements of a policy.

    Args:
        rights: what is allowed.
        places: ARNs of the parts that these name.
    """
    return [_statement(right, places[right.on]) for right in rights]


def _statement(right: Right, arn: str) -> iam.PolicyStatement:
    listing = right.actions == ("s3:ListBucket",)
    conditions = {"StringLike": {"s3:prefix": [f"{right.below}*"]}} if listing else None
    objects = right.below and not listing
    return iam.PolicyStatement(
        actions=list(right.actions), resources=[arn + ending(right) if objects else arn], conditions=conditions
    )


def ending(right: Right) -> str:
    """What follows the ARN of a bucket in the resource of a right on its objects."""
    return f"/{right.below.rstrip('*')}*" if right.below else ""
