"""What a browser asks: HTTP APIs and REST APIs before a function, their domain, and a firewall."""

from typing import Any, Final, NamedTuple

from aws_cdk import Aws, CfnTag
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_wafv2 as waf
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

from deploy.aws import reasons
from deploy.aws.house import House
from pixelake.aws import terms
from pixelake.dialects.native import ROUTES

_HTTP: Final = http.HttpMethod
PIXEL: Final = "/pixel.gif"
RATE: Final = 3_000
"""Requests of an address in five minutes, beyond which it is let in no more: an office behind one has fewer."""
LOOKS: Final = 50
"""Requests a second of the dashboard: people are few, and each costs a function of 1.5 GB."""
MANAGED: Final = (
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesAmazonIpReputationList",
)
UNWANTED: Final = (
    "SizeRestrictions_BODY",
    "SizeRestrictions_QUERYSTRING",
    "NoUserAgent_HEADER",
    "CrossSiteScripting_BODY",
    "CrossSiteScripting_QUERYARGUMENTS",
    "GenericRFI_QUERYARGUMENTS",
    "GenericRFI_BODY",
)
"""Rules that would refuse what a pixel is sent: titles, addresses of pages, long queries. They count instead."""


class Door(NamedTuple):
    """Where hits come in.

    Attributes:
        host: of the API.
        target: what the domain's name must point to; empty without a domain.
    """

    host: str
    target: str


def front(house: House, function: lambda_.Function) -> Door:
    """The API in front of `ingest`: an HTTP API; with a firewall a REST API, since HTTP APIs have none."""
    door = rest_api(house, function) if house.options.waf else http_api(house, "Pixel", function)
    host = house.options.domain or door.host
    house.told("Pixel", f"https://{host}{PIXEL}", "The address of the pixel")
    if door.target:
        house.told("Target", door.target, "What the domain must point to (CNAME, or an alias)")
    return door


def http_api(house: House, title: str, function: lambda_.Function) -> Door:
    """An HTTP API with the routes of `ingest`, as fast as the shards take."""
    api = http.HttpApi(house, f"{title}Api", create_default_stage=False)
    integration = HttpLambdaIntegration(f"{title}Function", function, scope_permission_to_route=False)
    for path, methods in paths().items():
        api.add_routes(path=path, methods=[_HTTP(name) for name in methods], integration=integration)
    throttle = house.options.throttle
    domain = _domain(house, title)
    stage = http.HttpStage(
        house,
        f"{title}Stage",
        http_api=api,
        stage_name="$default",
        auto_deploy=True,
        detailed_metrics_enabled=False,
        throttle=http.ThrottleSettings(rate_limit=throttle.rate, burst_limit=throttle.burst),
    )
    if domain:
        http.CfnApiMapping(house, "Mapping", api_id=api.api_id, domain_name=domain.name, stage=stage.stage_name)
    reasons.told(api, reasons.OF_API)
    reasons.told(stage, reasons.OF_API)
    house.watch.api(title, ApiId=api.api_id)
    return Door(host(api.api_id), domain.regional_domain_name if domain else "")


def paths() -> dict[str, tuple[str, ...]]:
    """The routes of the collector, each with its methods, and whether it is up."""
    found = {route.path.decode(): (*sorted(method.decode() for method in route.methods), "OPTIONS") for route in ROUTES}
    return {**found, "/health": ("GET",), "/ready": ("GET",)}


def host(api: str) -> str:
    """Under which an API is asked."""
    return f"{api}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}"


def _domain(house: House, title: str) -> http.DomainName | None:
    options = house.options
    if not options.domain or title != "Pixel":
        return None
    certificate = acm.Certificate.from_certificate_arn(house, "Certificate", options.certificate)
    return http.DomainName(house, "Domain", domain_name=options.domain, certificate=certificate)


def rest_api(house: House, function: lambda_.Function) -> Door:
    """A REST API with the routes of `ingest` and a firewall."""
    options, throttle = house.options, house.options.throttle
    domain: dict[str, Any] = {}
    if options.domain:
        certificate = acm.Certificate.from_certificate_arn(house, "Certificate", options.certificate)
        domain = {
            "domain_name": rest.DomainNameOptions(
                domain_name=options.domain,
                certificate=certificate,
                endpoint_type=rest.EndpointType.REGIONAL,
                security_policy=rest.SecurityPolicy.TLS_1_2,
            )
        }
    api = rest.RestApi(
        house,
        "PixelApi",
        endpoint_types=[rest.EndpointType.REGIONAL],
        binary_media_types=["*/*"],
        cloud_watch_role=False,
        deploy_options=stage_options(throttle),
        **domain,
    )
    integration = rest.LambdaIntegration(function, proxy=True, allow_test_invoke=False)
    for path, methods in paths().items():
        resource = api.root.resource_for_path(path) if path != "/" else api.root
        for method in methods:
            resource.add_method(method, integration)
    reasons.told(api, OF_REST)
    waf.CfnWebACLAssociation(
        house, "FirewallOfApi", resource_arn=api.deployment_stage.stage_arn, web_acl_arn=firewall(house, "REGIONAL")
    )
    house.watch.api("Pixel", rest=True, ApiName=api.rest_api_name, Stage=api.deployment_stage.stage_name)
    return Door(
        f"{host(api.rest_api_id)}/{STAGE}", api.domain_name.domain_name_alias_domain_name if options.domain else ""
    )


STAGE: Final = "v1"
OF_REST: Final = {
    **reasons.OF_API,
    "AwsSolutions-APIG2": "the function checks all of a request, and keeps what is wrong as a reject",
    "AwsSolutions-APIG3": "the firewall, where one is wanted, is an option",
    "AwsSolutions-APIG6": "a line for each hit would cost a tenth of the hit; metrics count statuses",
}


def stage_options(throttle: terms.Throttle) -> rest.StageOptions:
    """Of a REST API: throttled, without a log of every hit."""
    return rest.StageOptions(
        stage_name=STAGE,
        throttling_rate_limit=throttle.rate,
        throttling_burst_limit=throttle.burst,
        metrics_enabled=False,  # those of each method are billed; of the API they are free
        logging_level=rest.MethodLoggingLevel.OFF,
        tracing_enabled=False,
    )


# --- a firewall


def firewall(house: House, scope: str) -> str:
    """A firewall; returns its ARN.

    Args:
        house: the stack.
        scope: `REGIONAL`, or `CLOUDFRONT`, which is in us-east-1 only.
    """
    acl = waf.CfnWebACL(
        house,
        "Firewall",
        scope=scope,
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_seen("firewall"),
        rules=[*_blocked(house, scope), _rated(), *(_managed(name, 10 + at) for at, name in enumerate(MANAGED))],
        tags=[CfnTag(key="application", value="pixelake")],
    )
    house.watch.shown("Firewall", "AWS/WAFV2", "BlockedRequests", "AllowedRequests", WebACL="firewall", Rule="ALL")
    return acl.attr_arn


def _seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )


def _blocked(house: House, scope: str) -> list[waf.CfnWebACL.RuleProperty]:
    """The lists of addresses that are let nowhere, by version of IP."""
    found = []
    for at, version in enumerate(("IPV4", "IPV6")):
        networks = [each for each in house.options.block if (":" in each) == (version == "IPV6")]
        if not networks:
            continue
        listed = waf.CfnIPSet(house, f"Blocked{version}", scope=scope, ip_address_version=version, addresses=networks)
        statement = waf.CfnWebACL.StatementProperty(
            ip_set_reference_statement=waf.CfnWebACL.IPSetReferenceStatementProperty(arn=listed.attr_arn)
        )
        found.append(_blocking(f"blocked-{version.lower()}", at, statement))
    return found


def _rated() -> waf.CfnWebACL.RuleProperty:
    rate = waf.CfnWebACL.RateBasedStatementProperty(limit=RATE, aggregate_key_type="IP")
    return _blocking("rate", 5, waf.CfnWebACL.StatementProperty(rate_based_statement=rate))


def _blocking(name: str, at: int, statement: waf.CfnWebACL.StatementProperty) -> waf.CfnWebACL.RuleProperty:
    action = waf.CfnWebACL.RuleActionProperty(block={})
    return waf.CfnWebACL.RuleProperty(
        name=name, priority=at, action=action, statement=statement, visibility_config=_seen(name)
    )


def _managed(name: str, at: int) -> waf.CfnWebACL.RuleProperty:
    counted = [
        waf.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={}))
        for rule in (UNWANTED if name == MANAGED[0] else ())
    ]
    group = waf.CfnWebACL.ManagedRuleGroupStatementProperty(
        vendor_name="AWS", name=name, rule_action_overrides=counted or None
    )
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=at,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        statement=waf.CfnWebACL.StatementProperty(managed_rule_group_statement=group),
        visibility_config=_seen(name),
    )


def dashboard(house: House) -> None:
    """The function that shows things, behind an HTTP API of its own."""
    api = http.HttpApi(house, "DashboardApi", create_default_stage=False)
    made = house.function("api", {**house.lake, "PIXELAKE_WEB_HOSTS": host(api.api_id)}, {})
    integration = HttpLambdaIntegration("DashboardFunction", made, scope_permission_to_route=False)
    api.add_routes(path="/{proxy+}", methods=[_HTTP.ANY], integration=integration)
    api.add_routes(path="/", methods=[_HTTP.ANY], integration=integration)
    stage = http.HttpStage(
        house,
        "DashboardStage",
        http_api=api,
        stage_name="$default",
        auto_deploy=True,
        throttle=http.ThrottleSettings(rate_limit=LOOKS, burst_limit=LOOKS),
    )
    reasons.told(api, reasons.OF_API)
    reasons.told(stage, reasons.OF_API)
    house.watch.api("Dashboard", ApiId=api.api_id)
    house.told("Dashboard", f"https://{host(api.api_id)}/", "The dashboard; PIXELAKE_REGISTRY makes its first user")
    house.told("Registry", house.lake["PIXELAKE_REGISTRY"], "For pixelake users add, and any other command")
    house.told("LakePlace", house.lake["PIXELAKE_LAKE"], "The lake, for pixelake sql and every engine")
