"""The designs: what each puts between a hit and the lake. `pixelake.aws.local` runs the same on one machine."""

from collections.abc import Callable, Mapping
from typing import Final

from deploy.aws import athena, cdn, delivery, direct, doors, flows, rights
from deploy.aws.fleet import fleet
from deploy.aws.house import House
from pixelake.aws import terms


def stream(house: House) -> None:
    """HTTP API -> ingest -> Kinesis -> consume -> lake, live."""
    hits = flows.stream(house, "Hits")
    where = {"PIXELAKE_STREAM": f"kinesis://{hits.stream_name}"}
    ingest = house.function("ingest", where, {"goal": hits.stream_arn}, [rights.PUT["kinesis"]])
    doors.front(house, ingest)
    flows.consumed(house, hits)


def firehose(house: House) -> None:
    """HTTP API -> ingest -> Firehose (transform, Parquet) -> S3 -> gather -> lake, live."""
    delivered = delivery.delivery(house)
    where = {"PIXELAKE_STREAM": f"firehose://{delivered.name}"}
    ingest = house.function("ingest", where, {"goal": delivered.arn}, [rights.PUT["firehose"]])
    doors.front(house, ingest)


def edge(house: House) -> None:
    """CloudFront -> its logs -> Kinesis -> (aggregate -> Kinesis) -> Firehose -> S3 -> gather -> lake, live."""
    if house.options.logs == "standard":
        cdn.edge_standard(house)
    else:
        cdn.edge_realtime(house)


def queue(house: House) -> None:
    """CloudFront -> REST API, no function -> SQS -> consume -> lake, live."""
    hits = flows.queue(house, "Hits", terms.HITS)
    environment = {
        **house.lake,
        "PIXELAKE_CLIENT_HEADER": cdn.VIEWER.lower(),
        "PIXELAKE_TRUSTED_PROXIES": EVERYBODY,
    }
    consume = house.function("consume", environment, {"source": hits.alive.queue_arn}, [rights.OF_QUEUE])
    flows.of_queue(house, "Consumed", hits.alive, consume, terms.HITS)
    cdn.before(house, direct.api(house, hits.alive))


DESIGNS: Final[Mapping[str, Callable[[House], None]]] = {
    "stream": stream,
    "firehose": firehose,
    "edge": edge,
    "queue": queue,
    "fleet": fleet,
}

EVERYBODY: Final = "0.0.0.0/1,128.0.0.0/1,::/1,8000::/1"
"""Who asks the API of `queue` has its key, and so is CloudFront, from whichever of its addresses."""
WITH_LANDING: Final = ("firehose", "edge")
"""They make the tables themselves, since Firehose reads one."""


def build(house: House) -> None:
    """Put everything into a stack."""
    DESIGNS[house.options.topology](house)
    if house.options.topology not in WITH_LANDING or house.options.logs == "standard":
        athena.catalogue(house)
    doors.dashboard(house)
    if house.options.to != "s3":  # machines that are the whole program keep the lake themselves
        house.keep()
