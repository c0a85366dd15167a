"""A REST API that puts requests into a queue by itself, without a function: set as `pixelake.aws.direct` says."""

from typing import Final, NamedTuple

from aws_cdk import Aws, Fn
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from deploy.aws import doors, reasons
from deploy.aws.house import House
from deploy.aws.rights import Right
from pixelake.aws import direct

SEND: Final = Right(("sqs:SendMessage",), "queue")
OF_SECRET: Final = {
    "AwsSolutions-SMG4": "who knows it can only send hits around CloudFront; a new stack has a new one",
}


class Closed(NamedTuple):
    """An API that only who knows its key can ask.

    Attributes:
        host: of the API.
        path: of its stage.
        key: a reference to the key, for CloudFront.
    """

    host: str
    path: str
    key: str


def api(house: House, queue: sqs.Queue) -> Closed:
    """The API in front of a queue."""
    made = rest.RestApi(
        house,
        "PixelApi",
        endpoint_types=[rest.EndpointType.REGIONAL],
        binary_media_types=["*/*"],
        cloud_watch_role=False,
        deploy_options=doors.stage_options(house.options.throttle),
    )
    integration = _integration(house, queue)
    for path in direct.PATHS:
        resource = made.root.resource_for_path(path) if path != "/" else made.root
        for method in direct.METHODS:
            resource.add_method(method, integration, api_key_required=True, method_responses=_method_answers())
    for own in direct.OTHERWISE:
        _own(made, own)
    reasons.told(made, doors.OF_REST)
    house.watch.api("Pixel", rest=True, ApiName=made.rest_api_name, Stage=doors.STAGE)
    house.told("ApiHost", doors.host(made.rest_api_id), "second-api= of a stack in another region")
    return Closed(doors.host(made.rest_api_id), f"/{doors.STAGE}", _key(house, made))


def _key(house: House, made: rest.RestApi) -> str:
    """A key that is made with the stack and known to CloudFront."""
    secret = secretsmanager.Secret(
        house,
        "OriginKey",
        description="CloudFront shows it to the API, which answers nobody else",
        generate_secret_string=secretsmanager.SecretStringGenerator(exclude_punctuation=True, password_length=48),
    )
    reasons.told(secret, OF_SECRET)
    value = secret.secret_value.unsafe_unwrap()  # a reference, which CloudFormation resolves
    key = rest.ApiKey(house, "OriginKeyOfApi", value=value)
    plan = made.add_usage_plan(
        "OriginPlan", api_stages=[rest.UsagePlanPerApiStage(api=made, stage=made.deployment_stage)]
    )
    plan.add_api_key(key)
    return value


def _integration(house: House, queue: sqs.Queue) -> rest.AwsIntegration:
    role = house.role("Send", "apigateway.amazonaws.com", [SEND], {"queue": queue.queue_arn})
    return rest.AwsIntegration(
        service="sqs",
        path=Fn.join("/", [Aws.ACCOUNT_ID, queue.queue_name]),
        integration_http_method="POST",
        options=rest.IntegrationOptions(
            credentials_role=role,
            passthrough_behavior=rest.PassthroughBehavior.NEVER,
            request_parameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
            request_templates={direct.CONTENT_TYPE: direct.template()},
            integration_responses=[_answer(answer) for answer in direct.ANSWERS],
        ),
    )


def _answer(answer: direct.Integrated) -> rest.IntegrationResponse:
    return rest.IntegrationResponse(
        status_code=str(answer.status),
        selection_pattern=answer.pattern or None,
        content_handling=rest.ContentHandling.CONVERT_TO_BINARY,
        response_parameters={f"method.response.header.{name}": f"'{value}'" for name, value in answer.headers.items()},
        response_templates={direct.CONTENT_TYPE: answer.body},
    )


def _method_answers() -> list[rest.MethodResponse]:
    return [
        rest.MethodResponse(
            status_code=str(answer.status),
            response_parameters={f"method.response.header.{name}": True for name in answer.headers},
        )
        for answer in direct.ANSWERS
    ]


def _own(made: rest.RestApi, own: direct.Own) -> None:
    made.add_gateway_response(
        f"Own{own.kind.title().replace('_', '')}",
        type=rest.ResponseType.of(own.kind),
        status_code=str(own.status),
        response_headers={name: f"'{value}'" for name, value in own.headers.items()},
        templates={direct.CONTENT_TYPE: own.body},
    )
