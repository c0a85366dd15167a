"""Distributions of CloudFront: before an API, and with the pixel as a file whose log is the hits."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import Aws, CfnParameter, Duration, RemovalPolicy
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from deploy.aws import delivery, doors, flows, reasons, rights
from deploy.aws.direct import Closed
from deploy.aws.doors import PIXEL
from deploy.aws.house import House
from pixelake.aws import terms
from pixelake.aws.local.edge import FIELDS
from pixelake.collect.logs.cloudfront_fields import REALTIME
from pixelake.collect.pixel import GIF

VIEWER: Final = "CloudFront-Viewer-Address"
GEO: Final = (
    VIEWER,
    "CloudFront-Viewer-Country",
    "CloudFront-Viewer-Country-Region",
    "CloudFront-Viewer-Country-Region-Name",
    "CloudFront-Viewer-City",
    "CloudFront-Viewer-Time-Zone",
)
ERRORS: Final = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
"""Kept for ten seconds by default: one 503 would answer for every hit of that time."""
READ_SECONDS, ATTEMPT_SECONDS = 5, 2
OF_CDN: Final = {
    "AwsSolutions-CFR1": "visitors of every country are counted",
    "AwsSolutions-CFR2": "the firewall is an option: waf=true",
    "AwsSolutions-CFR3": "the hits themselves are kept; a log beside them would keep addresses that they do not",
    "AwsSolutions-CFR4": "without a domain it has CloudFront's own certificate, and CloudFront chooses the oldest TLS",
}
_OF_PIXEL: Final = {"AwsSolutions-S1": "it holds one public image; the distribution's log has who asked for it"}
_Behaviours = Mapping[str, cloudfront.BehaviorOptions]


# --- before an API


def before(house: House, api: Closed) -> None:
    """A distribution before an API that answers nobody else; with a second region, when the first one fails."""
    behaviour = cloudfront.BehaviorOptions(
        origin=_failing_over(house, api) if house.options.second_api else _origin(api.host, api),
        allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
        viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
        origin_request_policy=_everything(house),
        compress=False,
    )
    _distribution(house, behaviour)


def _origin(host: str, api: Closed) -> origins.HttpOrigin:
    """An API. One attempt: a request that is sent again is counted again."""
    return origins.HttpOrigin(
        host,
        origin_path=api.path,
        protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
        origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
        custom_headers={"x-api-key": api.key},
        connection_attempts=1,
        connection_timeout=Duration.seconds(ATTEMPT_SECONDS),
        read_timeout=Duration.seconds(READ_SECONDS),
    )


def _failing_over(house: House, api: Closed) -> origins.OriginGroup:
    key = CfnParameter(
        house,
        "SecondApiKey",
        no_echo=True,
        min_length=20,
        description="The secret OriginKey of the stack of second-api.",
    )
    return origins.OriginGroup(
        primary_origin=_origin(api.host, api),
        fallback_origin=_origin(house.options.second_api, api._replace(key=key.value_as_string)),
        fallback_status_codes=[500, 502, 503, 504],
    )


def _everything(house: House) -> cloudfront.OriginRequestPolicy:
    """What the viewer sent, and who and where it is: no cookies, and no Host, which is the API's."""
    headers = ["Accept-Language", "DNT", "Origin", "Referer", "Sec-GPC", "User-Agent", *GEO]
    return cloudfront.OriginRequestPolicy(
        house,
        "ToOrigin",
        comment="What the viewer sent, and who it is; no cookies",
        header_behavior=cloudfront.OriginRequestHeaderBehavior.allow_list(*headers),
        query_string_behavior=cloudfront.OriginRequestQueryStringBehavior.all(),
        cookie_behavior=cloudfront.OriginRequestCookieBehavior.none(),
    )


def _distribution(
    house: House, behaviour: cloudfront.BehaviorOptions, more: _Behaviours | None = None
) -> cloudfront.Distribution:
    options = house.options
    named: dict[str, Any] = {}
    if options.domain:
        certificate = acm.Certificate.from_certificate_arn(house, "Certificate", options.certificate)
        named = {"domain_names": [options.domain], "certificate": certificate}
    made = cloudfront.Distribution(
        house,
        "Distribution",
        comment=options.name,
        default_behavior=behaviour,
        additional_behaviors=more,
        http_version=cloudfront.HttpVersion.HTTP2_AND_3,
        minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
        price_class=cloudfront.PriceClass.PRICE_CLASS_ALL,
        web_acl_id=doors.firewall(house, "CLOUDFRONT") if options.waf else None,
        error_responses=[cloudfront.ErrorResponse(http_status=code, ttl=Duration.seconds(0)) for code in ERRORS],
        **named,
    )
    reasons.told(made, OF_CDN)
    of = {"DistributionId": made.distribution_id, "Region": "Global"}
    house.watch.shown("CloudFront: requests", "AWS/CloudFront", "Requests", **of)
    house.watch.shown(
        "CloudFront: errors (%)", "AWS/CloudFront", "4xxErrorRate", "5xxErrorRate", statistic="Average", **of
    )
    house.told("Pixel", f"https://{options.domain or made.distribution_domain_name}{PIXEL}", "The address of the pixel")
    house.told("Target", made.distribution_domain_name, "What a domain must point to (CNAME, or an alias)")
    return made


# --- the pixel as a file


def edge_realtime(house: House) -> None:
    """The pixel as a file; real-time logs, perhaps packed, go through Firehose."""
    lines = flows.stream(house, "Hits")
    _pixel(house, _realtime(house, lines))
    packed = _packed(house, lines) if house.options.pack else lines
    delivery.delivery(house, packed, ",".join(fields()))


def fields() -> Sequence[str]:
    """Of the log, in CloudFront's order."""
    return [name for name in REALTIME if name in FIELDS]


def _realtime(house: House, lines: kinesis.Stream) -> str:
    """The configuration of the log; its ARN."""
    role = house.role("Log", "cloudfront.amazonaws.com", [rights.OF_LOG], {"goal": lines.stream_arn})
    stream = cloudfront.CfnRealtimeLogConfig.KinesisStreamConfigProperty(
        role_arn=role.role_arn, stream_arn=lines.stream_arn
    )
    made = cloudfront.CfnRealtimeLogConfig(
        house,
        "RealtimeLog",
        name=house.options.name,
        fields=list(fields()),
        sampling_rate=100,
        end_points=[
            cloudfront.CfnRealtimeLogConfig.EndPointProperty(stream_type="Kinesis", kinesis_stream_config=stream)
        ],
    )
    house.told("LogConfig", made.attr_arn, "For the behaviour of the pixel")
    return made.attr_arn


def _packed(house: House, lines: kinesis.Stream) -> kinesis.Stream:
    """A second stream, with few records of about 5 KB."""
    packed, failed = flows.stream(house, "Packed"), house.failed()
    where = {"PIXELAKE_STREAM": f"kinesis://{packed.stream_name}"}
    places = {
        "source": lines.stream_arn,
        "goal": packed.stream_arn,
        "failed": failed.bucket_arn,
        "failed-objects": failed.bucket_arn,
    }
    made = house.function("aggregate", where, places, [rights.OF_STREAM, *rights.GIVEN_UP])
    flows.of_stream(house, "Aggregated", lines, made, terms.AGGREGATE, failed)
    return packed


def edge_standard(house: House) -> None:
    """The pixel as a file; standard logs go to the bucket, up to an hour late, and the way there costs nothing."""
    _standard(house, _pixel(house, ""))
    delivery.gather(house, house.lake, (terms.LOGS_OF_AWS,))


def _standard(house: House, distribution: str) -> None:
    """Lines of JSON, to the bucket."""
    arn = f"arn:{Aws.PARTITION}:cloudfront::{Aws.ACCOUNT_ID}:distribution/{distribution}"
    source = logs.CfnDeliverySource(
        house, "LogSource", name=house.options.name, resource_arn=arn, log_type="ACCESS_LOGS"
    )
    goal = logs.CfnDeliveryDestination(
        house,
        "LogGoal",
        name=house.options.name,
        destination_resource_arn=house.bucket.bucket_arn,
        output_format="json",
    )
    made = logs.CfnDelivery(
        house,
        "LogDelivery",
        delivery_source_name=source.ref,
        delivery_destination_arn=goal.attr_arn,
        record_fields=list(STANDARD_FIELDS),
        s3_suffix_path="{DistributionId}/{yyyy}/{MM}/{dd}/{HH}",
    )
    service = iam.ServicePrincipal("delivery.logs.amazonaws.com")
    own = {"aws:SourceAccount": Aws.ACCOUNT_ID, "s3:x-amz-acl": "bucket-owner-full-control"}
    house.bucket.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[service],
            actions=["s3:PutObject"],
            resources=[house.bucket.arn_for_objects(f"{terms.LOGS_OF_AWS}{Aws.ACCOUNT_ID}/*")],
            conditions={"StringEquals": own, "ArnLike": {"aws:SourceArn": _sources()}},
        )
    )
    made.node.add_dependency(house.bucket.policy)


def _sources() -> str:
    return f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:delivery-source:*"


STANDARD_FIELDS: Final = (
    *("date", "time", "x-edge-location", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "cs(Referer)"),
    *("cs(User-Agent)", "cs-uri-query", "x-edge-request-id", "x-host-header", "cs-protocol", "x-edge-result-type"),
    *("timestamp(ms)", "c-country", "asn"),
)
"""Of the standard log: what a hit is made of, and a few for people."""


def _pixel(house: House, log: str) -> str:
    """The pixel in a bucket, behind a distribution; the id of this one.

    Args:
        house: the stack.
        log: the ARN of a configuration of the real-time log for it; empty without.
    """
    bucket = s3.Bucket(
        house,
        "Pixels",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        removal_policy=RemovalPolicy.DESTROY,
    )
    reasons.told(bucket, _OF_PIXEL)
    house.holds(bucket, Key=PIXEL.lstrip("/"), Body=b64encode(GIF).decode(), ContentType="image/gif")
    policy = _no_store(house)
    if house.options.distribution:
        _joined(house, bucket)
        return house.options.distribution
    behaviour = cloudfront.BehaviorOptions(
        origin=origins.S3BucketOrigin.with_origin_access_control(bucket),
        allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
        viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
        response_headers_policy=policy,
        compress=False,
    )
    made = _distribution(house, behaviour, {PIXEL: behaviour} if log else None)
    if log:
        _logged(made, log)
    return made.distribution_id


def _logged(made: cloudfront.Distribution, log: str) -> None:
    """Log the pixel, and nothing else: what scanners ask for is no hit."""
    made.node.default_child.add_property_override("DistributionConfig.CacheBehaviors.0.RealtimeLogConfigArn", log)


def _no_store(house: House) -> cloudfront.ResponseHeadersPolicy:
    """The edge keeps the image, viewers do not: each view is a request, and a line."""
    header = cloudfront.ResponseCustomHeader
    made = cloudfront.ResponseHeadersPolicy(
        house,
        "ToViewers",
        comment="viewers keep nothing, so that each view is a line of the log",
        custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
            custom_headers=[
                header(header="Cache-Control", value="no-store", override=True),
                header(header="Cross-Origin-Resource-Policy", value="cross-origin", override=True),
                header(header="Timing-Allow-Origin", value="*", override=True),
            ]
        ),
        security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
            content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True)
        ),
    )
    house.told("HeadersPolicy", made.response_headers_policy_id, "For the behaviour of the pixel")
    return made


def _joined(house: House, bucket: s3.Bucket) -> None:
    """Let a distribution that exists already read the pixel; its behaviour is added by whoever owns it."""
    access = cloudfront.S3OriginAccessControl(house, "Access")
    arn = f"arn:{Aws.PARTITION}:cloudfront::{Aws.ACCOUNT_ID}:distribution/{house.options.distribution}"
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
            actions=["s3:GetObject"],
            resources=[bucket.arn_for_objects(PIXEL.lstrip("/"))],
            conditions={"StringEquals": {"aws:SourceArn": arn}},
        )
    )
    house.told("Origin", bucket.bucket_regional_domain_name, "An origin for the distribution")
    house.told("OriginAccess", access.origin_access_control_id, "For that origin")
    house.told("PathPattern", PIXEL, "Of a behaviour with that origin: GET and HEAD, CachingOptimized")
