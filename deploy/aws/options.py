"""What can be chosen of a stack: texts of the CDK's context become one frozen object, or one line of refusal."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from pixelake.aws import terms
from pixelake.errors import SettingsError
from pixelake.settings import ENVIRONMENT_PREFIX, check, load

TOPOLOGIES: Final = ("stream", "firehose", "edge", "queue", "fleet")
REST, CDN = ("stream", "firehose"), ("edge", "queue")
"""Where a firewall stands: before a REST API, or at CloudFront."""
US: Final = "us-east-1"
"""Where CloudFront takes certificates, firewalls and logs from."""
MOST_SHARDS: Final = 200
REGIONS: Final = frozenset(
    """af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1
    ap-southeast-2 ap-southeast-3 ap-southeast-4 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1
    eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 sa-east-1
    us-east-1 us-east-2 us-west-1 us-west-2""".split()  # noqa: SIM905 - a list to read
)
"""Of the partition `aws`."""
LACKING: Final[Mapping[str, frozenset[str]]] = {
    "t4g": frozenset({"ca-west-1", "me-central-1"}),
}
"""Small Graviton machines are not known to be there (`fleet`)."""
_DOMAIN: Final = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_CERTIFICATE: Final = re.compile(r"arn:aws:acm:(?P<region>[a-z0-9-]+):\d{12}:certificate/[\w-]+")
_NETWORK: Final = re.compile(r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}|[0-9a-f:]+/\d{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is chosen.

    Attributes:
        topology: one of `TOPOLOGIES`.
        region: where it is deployed.
        keep_data: the bucket and the table outlive the stack; else all is deleted with it.
        domain: the name of the pixel, if it has one of its own.
        certificate: of ACM, for that name.
        waf: a firewall: AWS's managed rules, a rate, and lists of addresses.
        block: networks that are let nowhere.
        shards: of each stream of Kinesis; 0: on demand.
        retention: hours that a stream keeps records.
        logs: of CloudFront (`edge`): `realtime`, or `standard`, cheaper and up to an hour late.
        pack: records of logs are packed before Firehose (`edge`).
        distribution: the id of one that exists already (`edge`): none is made.
        format: of the files of Firehose.
        machines: of the fleet.
        to: where these bring hits: `kinesis`, or `s3`, the lake itself.
        architecture: of functions: `x86_64` or `arm64`.
        second_api: the host of the API of another `queue` in another region, which CloudFront asks when this one fails.
        settings: of all functions and machines: `privacy=strict; do_not_track=ignore`.
    """

    topology: str
    region: str = US
    keep_data: bool = True
    domain: str = ""
    certificate: str = ""
    waf: bool = False
    block: tuple[str, ...] = ()
    shards: int = -1
    retention: int = 0
    logs: str = "realtime"
    pack: bool = True
    distribution: str = ""
    format: str = "parquet"
    machines: int = 2
    to: str = "kinesis"
    architecture: str = "x86_64"
    second_api: str = ""
    settings: str = ""

    @property
    def name(self) -> str:
        """Of the stack."""
        return f"pixelake-{self.topology}"

    @property
    def environment(self) -> Mapping[str, str]:
        """These settings, as the environment of a process."""
        pairs = (each.partition("=") for each in self.settings.split(";") if each.strip())
        return {f"{ENVIRONMENT_PREFIX}{name.strip().upper()}": text.strip() for name, _, text in pairs}

    @property
    def throttle(self) -> terms.Throttle:
        """What the API lets through: what its shards take."""
        return terms.throttle(self.shards) if self.shards else terms.THROTTLE


def read(context: Mapping[str, Any]) -> Options:
    """The options that a context says, with names as on the command line (`keep-data`).

    Raises:
        SettingsError: one is unknown, wrong, or does not go with another.
    """
    known = {field.name: field for field in fields(Options)}
    given: dict[str, Any] = {}
    for name, text in context.items():
        if name.startswith(("@", "aws:", "aws-cdk:", "cdk")):
            continue  # the CDK's own
        field = known.get(name.replace("-", "_"))
        if field is None:
            raise SettingsError(f"there is no option {name!r}", f"take one of {', '.join(sorted(map(_told, known)))}")
        given[field.name] = _READ[field.type](name, text)
    if "topology" not in given:
        raise SettingsError("no topology is named", f"-c topology= one of {', '.join(TOPOLOGIES)}")
    return _checked(Options(**{**_DEFAULTS(), **given}))


def _DEFAULTS() -> Mapping[str, Any]:  # noqa: N802 - read when asked, so that terms may change
    plain = {field.name: field.default for field in fields(Options) if field.default is not MISSING}
    return {**plain, "shards": terms.SHARDS, "retention": terms.RETENTION_HOURS}


def _told(name: str) -> str:
    return name.replace("_", "-")


def _boolean(name: str, text: object) -> bool:
    if str(text).lower() not in {"true", "false", "1", "0", "yes", "no"}:
        raise SettingsError(f"{name} is neither true nor false: {text!r}", f"{name}=true")
    return str(text).lower() in {"true", "1", "yes"}


def _whole(name: str, text: object) -> int:
    try:
        return int(str(text))
    except ValueError:
        raise SettingsError(f"{name} is no whole number: {text!r}", f"{name}=2") from None


_READ: Final[Mapping[Any, Callable[[str, object], Any]]] = {
    bool: _boolean,
    int: _whole,
    str: lambda _, text: str(text).strip(),
    tuple[str, ...]: lambda _, text: tuple(str(text).replace(",", " ").split()),
}


def _checked(chosen: Options) -> Options:
    check(load(environment=chosen.environment))
    for wrong, what, hint in _faults(chosen):
        if wrong:
            raise SettingsError(what, hint)
    return chosen


def _faults(of: Options) -> list[tuple[object, str, str]]:
    """Whether something is wrong, what, and what to do; in the order in which it is told."""
    lacking = sorted(name for name, regions in LACKING.items() if of.topology == "fleet" and of.region in regions)
    at_edge = of.topology in CDN
    certified = _CERTIFICATE.fullmatch(of.certificate)
    place = US if at_edge else of.region
    return [
        (of.topology not in TOPOLOGIES, f"there is no topology {of.topology!r}", f"take {', '.join(TOPOLOGIES)}"),
        (of.region not in REGIONS, f"there is no region {of.region!r}", "for instance us-east-1 or eu-central-1"),
        (lacking, f"{of.region} has no {', '.join(lacking)}", "take another region, as us-east-1"),
        (
            of.domain and not _DOMAIN.fullmatch(of.domain),
            f"{of.domain!r} is no name of a host",
            "domain=px.example.com",
        ),
        (of.domain and not of.certificate, "a domain needs a certificate", "certificate= the ARN of one of ACM"),
        (of.certificate and not of.domain, "a certificate needs a domain", "domain= the name that it is for"),
        (
            of.certificate and not certified,
            "that is no ARN of a certificate",
            "certificate=arn:aws:acm:...",
        ),
        (
            certified and certified["region"] != place,
            f"the certificate is not in {place}",
            f"ask ACM for one in {place}",
        ),
        (
            of.topology == "fleet" and not of.domain,
            "fleet needs a domain",
            "its balancer ends TLS: domain=, certificate=",
        ),
        (of.waf and of.topology == "fleet", "no firewall stands before a fleet", "leave waf out"),
        (of.waf and at_edge and of.region != US, "a firewall of CloudFront is in us-east-1", "no waf"),
        (
            of.topology == "edge" and of.logs == "standard" and of.region != US,
            "these logs are in us-east-1",
            f"region={US}",
        ),
        (of.logs not in {"realtime", "standard"}, f"there are no logs {of.logs!r}", "take realtime or standard"),
        (of.topology != "edge" and of.logs != "realtime", "only edge has logs to choose", "leave logs out"),
        (of.topology != "edge" and of.distribution, "only edge joins a distribution", "leave distribution out"),
        (
            of.distribution and (of.domain or of.waf),
            "the distribution has its own domain and firewall",
            "leave them out",
        ),
        (of.block and not of.waf, "addresses are blocked by a firewall", "waf=true"),
        (
            not all(map(_NETWORK.fullmatch, of.block)),
            "block has what is no network",
            "block=192.0.2.0/24,2001:db8::/32",
        ),
        (
            not 0 <= of.shards <= MOST_SHARDS,
            f"{of.shards} shards are none or too many",
            f"1 to {MOST_SHARDS}; 0: on demand",
        ),
        (not 24 <= of.retention <= 8_760, "a stream keeps records for 24 to 8760 hours", "retention=24"),
        (of.format not in {"parquet", "orc"}, f"there is no format {of.format!r}", "take parquet or orc"),
        (of.to not in {"kinesis", "s3"}, f"hits go nowhere by to={of.to}", "take kinesis or s3"),
        (of.topology != "fleet" and of.to != "kinesis", "only a fleet has a way to choose", "leave to out"),
        (not 1 <= of.machines <= 100, "a fleet has 1 to 100 machines", "machines=2"),
        (of.architecture not in {"x86_64", "arm64"}, f"there is no {of.architecture!r}", "take x86_64 or arm64"),
        (of.second_api and of.topology != "queue", "only queue has a second region", "leave second-api out"),
        (
            of.second_api and not _DOMAIN.fullmatch(of.second_api),
            "second-api is no host",
            "the output ApiHost of that stack",
        ),
    ]
