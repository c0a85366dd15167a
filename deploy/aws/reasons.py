"""Why a rule of cdk-nag does not hold here: each exception once, with its reason."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

from deploy.aws.rights import Right, ending

Reasons = Mapping[str, str]
OF_BUCKETS: Final[Reasons] = {
    "AwsSolutions-S1": "only functions of this stack read it; CloudTrail has every access, for who wants a log",
}
OF_TABLE: Final[Reasons] = {
    "AwsSolutions-DDB3": "salts are destroyed so that nobody can tell visitors apart; a backup would have them",
}
OF_FUNCTIONS: Final[Reasons] = {
    "AwsSolutions-L1": "the Python that the zips are made with; it gets security fixes until 2029",
    "Serverless-LambdaTracing": "a trace a hit would cost more than the hit; the log has one line for what fails",
    "Serverless-LambdaDLQ": "mappings and schedules call it, which have a queue, a bucket or the next call",
    "Serverless-LambdaLatestVersion": "the Python that the zips are made with; it gets security fixes until 2029",
}
OF_API: Final[Reasons] = {
    "AwsSolutions-APIG1": "a line a hit costs a tenth of the hit, and keeps addresses; metrics count statuses",
    "AwsSolutions-APIG4": "a pixel is for everybody; the dashboard asks for a password by itself",
    "AwsSolutions-COG4": "a pixel is for everybody; the dashboard asks for a password by itself",
    "Serverless-APIGWAccessLogging": "a line for each hit would cost a tenth of the hit, and keep addresses",
    "Serverless-APIGWXrayEnabled": "a trace a hit would cost more than the hit",
}
_WHY: Final[Mapping[str, str]] = {
    "objects": "objects below one beginning of keys: their names are not known before",
    "machines": "machines of a group: their names are not known before; the volume is this one",
    "failed-objects": "objects of what a mapping gives up: Lambda chooses their names",
}


def told(construct: IConstruct, reasons: Reasons) -> None:
    """Acknowledge rules for a construct and what it is made of."""
    known = [Acknowledgment(id=name, reason=reason) for name, reason in reasons.items()]
    Validations.of(construct).acknowledge(*known)


def wildcards(stack: Stack, role: IConstruct, allowed: Sequence[Right], places: Mapping[str, str]) -> None:
    """Say why a resource of a role's policy has a star."""
    for right in allowed:
        if right.on in _WHY and right.actions != ("s3:ListBucket",):
            arn = _spelled(stack, places[right.on]) + ending(right)
            told(role, {f"AwsSolutions-IAM5[Resource::{arn}]": _WHY[right.on]})


def _spelled(stack: Stack, arn: str) -> str:
    """An ARN as cdk-nag spells it: what is not known yet as ``<LogicalId.Attribute>``."""
    return _flat(stack.resolve(arn))


def _flat(resolved: Any) -> str:
    if isinstance(resolved, str):
        return resolved
    ((kind, what),) = resolved.items()
    if kind == "Fn::Join":
        return what[0].join(map(_flat, what[1]))
    return f"<{'.'.join(what) if isinstance(what, list) else what}>"
