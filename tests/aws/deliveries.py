"""Events of event source mappings, and notifications of S3, as AWS tells of them."""

import json
import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from pixelake import hit_json
from pixelake.hit import Hit

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/hits"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:hits"
AT = (int(time.time()) - 60) * 1_000_000
"""Microseconds since the epoch, a minute ago: when hits of tests are received."""


def line(number: int, site: str = "s.example") -> bytes:
    """A hit as it lies in a stream."""
    head = f"GET /pixel.gif?site={site}&url=https://{site}/{number} HTTP/1.1\r\nUser-Agent: Mozilla/5.0\r\n\r\n"
    return hit_json.encode(Hit(AT + number, "203.0.113.9", "203.0.113.9", head.encode(), hit_id=f"hit-{number}"))


def of_kinesis(data: Sequence[bytes], first: int = 1) -> dict[str, Any]:
    """Records of one shard."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": str(number),
                    "sequenceNumber": str(number),
                    "data": b64encode(each).decode(),
                    "approximateArrivalTimestamp": AT / 1e6 + 1,
                },
                "eventSource": "aws:kinesis",
                "eventID": f"shardId-000000000000:{number}",
                "eventSourceARN": STREAM,
            }
            for number, each in enumerate(data, first)
        ]
    }


def of_sqs(bodies: Sequence[str]) -> dict[str, Any]:
    """Messages of a queue."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "handle",
                "body": body,
                "attributes": {"SentTimestamp": str(AT // 1_000 + 1_000)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": QUEUE,
            }
            for number, body in enumerate(bodies, 1)
        ]
    }


def of_s3(bucket: str, *keys: str) -> dict[str, Any]:
    """Objects that were put."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}},
            }
            for key in keys
        ]
    }


def newer() -> bytes:
    """A hit of a version to come."""
    return json.dumps({**json.loads(line(0)), "v": hit_json.VERSION + 1}).encode()
