"""Our own design: small Graviton machines behind a balancer that ends TLS.

By default they are collectors that keep nothing: a hit is answered when Kinesis
has it, packed with others. So a machine goes without loss as soon as it has
answered what it was asked. With `to=s3` each is the whole program: it answers
when a hit is on its disk, and brings it to the lake by itself. The disk is a
volume that outlives the machine; the one that takes its place attaches it, and
settles what was left. So there is a group of one machine for each volume.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from aws_cdk import Aws, Duration
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis

from deploy.aws import flows, reasons, rights
from deploy.aws.doors import PIXEL
from deploy.aws.house import House
from deploy.aws.rights import Right
from pixelake.aws import terms

COLLECTOR, WHOLE = "t4g.small", "t4g.micro"
"""Kinds of machines. A small one may use a fifth of its cores all day, a micro one a tenth."""
PORT: Final = 8080
SYSTEM, DISK = 8, 20
"""GiB: of the system, and of the hits that are not in the lake yet."""
DRAIN: Final = Duration.seconds(60)
BUSY: Final = 20
"""Per cent of the processor, above which another collector comes: more than that it may not use all day."""
MOST: Final = 4
"""Times the machines that are wanted."""
START: Final = Path(__file__).with_name("fleet.sh").read_text("utf-8")
WITH_DISK: Final = Path(__file__).with_name("fleet_disk.sh").read_text("utf-8")
PUT: Final = Right(("kinesis:PutRecords", "kinesis:ListShards"), "goal")
ATTACH: Final = (
    Right(("ec2:AttachVolume",), "volume"),
    Right(("ec2:AttachVolume",), "machines"),
)
CODE: Final = Right(("s3:GetObject",), "code")
OF_NETWORK: Final = {
    "AwsSolutions-VPC7": "nothing is in it but collectors, which everybody asks; a log of flows would keep addresses",
}
OF_MACHINES: Final = {
    "AwsSolutions-AS3": "alarms are on what is not answered, not on machines that come and go",
}
OF_BALANCER: Final = {"AwsSolutions-ELB2": "a log of connections would keep addresses that the hits do not"}


_HEALTH: Final = autoscaling.HealthChecks.with_additional_checks(
    grace_period=Duration.minutes(5), additional_types=[autoscaling.AdditionalHealthCheckType.ELB]
)


class _Common(NamedTuple):
    """What all machines share."""

    network: ec2.Vpc
    group: ec2.SecurityGroup


def fleet(house: House) -> None:
    """Balancer -> collectors -> Kinesis -> consume -> lake, live; or balancer -> machines -> lake, live."""
    network = ec2.Vpc(
        house,
        "Network",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24)],
        gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
    )
    reasons.told(network, OF_NETWORK)
    group = ec2.SecurityGroup(house, "Collectors", vpc=network, description="Collectors: asked by the balancer only")
    common = _Common(network, group)
    if house.options.to == "kinesis":
        hits = flows.stream(house, "Hits")
        machines = [_collectors(house, common, hits)]
        flows.consumed(house, hits)
    else:
        machines = [_whole(house, common, number) for number in range(1, house.options.machines + 1)]
    _balancer(house, common, machines)


# --- collectors


def _collectors(house: House, common: _Common, hits: kinesis.Stream) -> autoscaling.AutoScalingGroup:
    """Machines that are alike, and keep nothing."""
    wanted = house.options.machines
    role = house.role("Collector", "ec2.amazonaws.com", [PUT, CODE], {"goal": hits.stream_arn, "code": _code(house)})
    settings = {"PIXELAKE_STREAM": f"kinesis://{hits.stream_name}?aggregate=on"}
    start = _start(house, "collect", settings)
    made = autoscaling.AutoScalingGroup(
        house,
        "Machines",
        vpc=common.network,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
        launch_template=_template(house, common, "Template", COLLECTOR, role, start),
        min_capacity=wanted,
        max_capacity=wanted * MOST,
        health_checks=_HEALTH,
        update_policy=autoscaling.UpdatePolicy.rolling_update(
            max_batch_size=1, min_instances_in_service=max(1, wanted - 1), pause_time=Duration.minutes(5)
        ),
        group_metrics=[autoscaling.GroupMetrics.all()],
    )
    made.scale_on_cpu_utilization("Busy", target_utilization_percent=BUSY)
    reasons.told(made, OF_MACHINES)
    return made


# --- the whole program on each


def _whole(house: House, common: _Common, number: int) -> autoscaling.AutoScalingGroup:
    """A volume, and a group of one machine that has it."""
    subnets = common.network.public_subnets
    subnet = subnets[number % len(subnets)]
    volume = ec2.CfnVolume(
        house, f"Disk{number}", availability_zone=subnet.availability_zone, size=DISK, volume_type="gp3", encrypted=True
    )
    volume.apply_removal_policy(house.removal)
    start = _start(house, "serve", house.lake, WITH_DISK.replace("@VOLUME@", volume.ref))
    role = _role(house, number, volume)
    made = autoscaling.AutoScalingGroup(
        house,
        f"Machine{number}",
        vpc=common.network,
        vpc_subnets=ec2.SubnetSelection(subnets=[subnet]),
        launch_template=_template(house, common, f"Template{number}", WHOLE, role, start),
        min_capacity=1,
        max_capacity=1,
        health_checks=_HEALTH,
        # the old one goes first: two cannot have the volume
        update_policy=autoscaling.UpdatePolicy.rolling_update(max_batch_size=1, min_instances_in_service=0),
        group_metrics=[autoscaling.GroupMetrics.all()],
    )
    reasons.told(made, OF_MACHINES)
    return made


def _role(house: House, number: int, volume: ec2.CfnVolume) -> iam.Role:
    of = f"arn:{Aws.PARTITION}:ec2:{Aws.REGION}:{Aws.ACCOUNT_ID}"
    places = {
        "table": house.table.table_arn,
        "bucket": house.bucket.bucket_arn,
        "objects": house.bucket.bucket_arn,
        "code": _code(house),
        "volume": f"{of}:volume/{volume.ref}",
        "machines": f"{of}:instance/*",
    }
    allowed = [rights.COUNT, *rights.LAKE, CODE, *ATTACH]
    return house.role(f"Machine{number}", "ec2.amazonaws.com", allowed, places)


# --- of both


def _template(  # noqa: PLR0917 - a machine is made of these
    house: House, common: _Common, title: str, kind: str, role: iam.Role, start: str
) -> ec2.LaunchTemplate:
    system = ec2.BlockDeviceVolume.ebs(SYSTEM, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3)
    return ec2.LaunchTemplate(
        house,
        title,
        instance_type=ec2.InstanceType(kind),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(cpu_type=ec2.AmazonLinuxCpuType.ARM_64),
        security_group=common.group,
        associate_public_ip_address=True,
        require_imdsv2=True,
        detailed_monitoring=kind == COLLECTOR,  # by the minute, since their number follows it
        role=role,
        user_data=ec2.UserData.custom(start),
        block_devices=[ec2.BlockDevice(device_name="/dev/xvda", volume=system)],
    )


def _code(house: House) -> str:
    return f"arn:{Aws.PARTITION}:s3:::{house.code_bucket}/{house.code_folder}fleet.tar.gz"


def _start(house: House, command: str, more: Mapping[str, str], disk: str = "") -> str:
    """What a machine does first."""
    chosen = {"PIXELAKE_LIVE_WINDOW": f"{terms.LIVE_WINDOW:g}", **house.options.environment}
    own = {"PIXELAKE_COLLECT": f"0.0.0.0:{PORT}", "PIXELAKE_DATA": "/var/lib/pixelake", "AWS_REGION": Aws.REGION}
    text = START
    for name, value in {
        "@DISK@": disk,
        "@COMMAND@": command,
        "@CODE@": f"s3://{house.code_bucket}/{house.code_folder}fleet.tar.gz",
        "@REGION@": Aws.REGION,
        "@DRAIN@": str(round(DRAIN.to_seconds())),
        "@SETTINGS@": "\n".join(f"Environment={name}={value}" for name, value in {**chosen, **own, **more}.items()),
    }.items():
        text = text.replace(name, value)
    return text


def _balancer(house: House, common: _Common, machines: list[autoscaling.AutoScalingGroup]) -> None:
    door = ec2.SecurityGroup(
        house, "Door", vpc=common.network, description="The balancer: HTTPS, for everybody", allow_all_outbound=False
    )
    door.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "HTTPS")
    door.add_egress_rule(common.group, ec2.Port.tcp(PORT), "to collectors")
    common.group.add_ingress_rule(door, ec2.Port.tcp(PORT), "from the balancer")
    reasons.told(door, {"AwsSolutions-EC23": "a pixel is asked by everybody"})
    balancer = balancing.NetworkLoadBalancer(
        house, "Balancer", vpc=common.network, internet_facing=True, security_groups=[door], cross_zone_enabled=False
    )
    reasons.told(balancer, OF_BALANCER)
    listener = balancer.add_listener(
        "Https",
        port=443,
        protocol=balancing.Protocol.TLS,
        certificates=[acm.Certificate.from_certificate_arn(house, "Certificate", house.options.certificate)],
        ssl_policy=balancing.SslPolicy.RECOMMENDED_TLS,
    )
    target = listener.add_targets(
        "Collect",
        port=PORT,
        protocol=balancing.Protocol.TCP,
        targets=machines,
        deregistration_delay=DRAIN,
        preserve_client_ip=True,
        health_check=balancing.HealthCheck(
            protocol=balancing.Protocol.HTTP, path="/ready", port=str(PORT), interval=Duration.seconds(10)
        ),
    )
    house.told("Pixel", f"https://{house.options.domain}{PIXEL}", "The address of the pixel")
    house.told("Target", balancer.load_balancer_dns_name, "What the domain must point to (CNAME, or an alias)")
    ill = target.metrics.un_healthy_host_count(period=Duration.minutes(5), statistic="Maximum")
    house.watch.alarm("Machines", ill, 0, "a machine does not answer: its journal says why", 3)
    house.watch.graph("Machines", ill, target.metrics.healthy_host_count(period=Duration.minutes(5)))
