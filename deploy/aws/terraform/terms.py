# ruff: noqa: INP001 - a script beside what it writes
"""Writes terms.auto.tfvars.json: what the program and all its stacks are set to, for Terraform.

python deploy/aws/terraform/terms.py > deploy/aws/terraform/terms.auto.tfvars.json
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

# of the CDK, on whose node nothing is deployed
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20,22")
HOME: Final = Path(__file__).parents[3]
if str(HOME) not in sys.path:
    sys.path.insert(0, str(HOME))  # it is run as a file

from deploy.aws import rights  # noqa: E402 - behind what finds it
from deploy.aws.rights import Right  # noqa: E402
from pixelake.aws import terms  # noqa: E402
from pixelake.dialects.native import ROUTES  # noqa: E402
from pixelake.warehouse.glue import tables  # noqa: E402

FUNCTIONS: Final = ("ingest", "consume", "api", "keep")
"""Of this design."""
ZIPS: Final = frozenset({"ingest"})
"""Small enough for a zip; the others are one image."""
MORE: Final[Mapping[str, Sequence[Right]]] = {
    "ingest": (rights.PUT["kinesis"],),
    "consume": (rights.OF_STREAM, *rights.GIVEN_UP),
}
"""Rights of this design, beside those that a function has in all of them."""


def told() -> Mapping[str, Any]:
    """The variable `terms`."""
    functions = {name: {**asdict(terms.FUNCTIONS[name]), "zip": name in ZIPS} for name in FUNCTIONS}
    return {
        "shards": terms.SHARDS,
        "retention_hours": terms.RETENTION_HOURS,
        "throttle": asdict(terms.throttle(terms.SHARDS)),
        "consume": asdict(terms.CONSUME),
        "functions": functions,
        "rights": {name: allowed(name) for name in FUNCTIONS},
        "keep_every": terms.KEEP_EVERY // 60,
        "routes": routes(),
        "lake": terms.LAKE,
        "keys": list(terms.KEYS),
        "ttl": terms.TTL,
        "tables": {table["Name"]: _table(table) for table in tables("database", "lake")},
    }


def allowed(name: str) -> list[Mapping[str, Any]]:
    """What a function may do: `below` follows the ARN of what it is on, `listed` bounds the keys that it may list."""
    return [_right(right) for right in (rights.LOG, *rights.RIGHTS[name], *MORE.get(name, ()))]


def _right(of: Right) -> Mapping[str, Any]:
    lists = tuple(of.actions) == ("s3:ListBucket",)
    return {
        "actions": list(of.actions),
        "on": of.on,
        "below": "" if lists else rights.ending(of),
        "listed": f"{of.below}*" if lists else "",
    }


def routes() -> list[str]:
    """Keys of an HTTP API: each path of the collector with its methods, and whether it is up."""
    found = [
        f"{method} {route.path.decode()}"
        for route in ROUTES
        for method in (*sorted(each.decode() for each in route.methods), "OPTIONS")
    ]
    return [*found, "GET /health", "GET /ready"]


def _table(of: Mapping[str, Any]) -> Mapping[str, Any]:
    stored = of["StorageDescriptor"]
    return {
        "parameters": of["Parameters"],
        "columns": stored["Columns"],
        "input": stored["InputFormat"],
        "output": stored["OutputFormat"],
        "library": stored["SerdeInfo"]["SerializationLibrary"],
        "folder": stored["Location"].removeprefix("lake/"),
    }


def text() -> str:
    """Of the file."""
    return json.dumps({"terms": told()}, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
