"""Every variant of the stacks, synthesised once in one process: the CDK starts slowly, and then is fast.

Processes that share the tests among them share what was synthesised.
"""

import fcntl
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/8d0f2c1e-0000-4000-8000-000000000000"
DOMAIN = {"domain": "px.example.com", "certificate": CERTIFICATE}
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "stream": {"topology": "stream"},
    "stream-domain": {"topology": "stream", **DOMAIN, "shards": "0", "architecture": "arm64"},
    "stream-waf": {"topology": "stream", **DOMAIN, "waf": "true", "block": "192.0.2.0/24,2001:db8::/32"},
    "stream-gone": {"topology": "stream", "keep-data": "false", "settings": "privacy=strict; do_not_track=ignore"},
    "firehose": {"topology": "firehose"},
    "firehose-orc": {"topology": "firehose", "format": "orc"},
    "edge": {"topology": "edge"},
    "edge-plain": {"topology": "edge", "pack": "false"},
    "edge-standard": {"topology": "edge", "logs": "standard"},
    "edge-joined": {"topology": "edge", "distribution": "EMLARXS9EXAMPLE"},
    "edge-waf": {"topology": "edge", **DOMAIN, "waf": "true"},
    "queue": {"topology": "queue"},
    "queue-whole": {
        "topology": "queue",
        **DOMAIN,
        "waf": "true",
        "keep-data": "false",
        "second-api": "abc.execute-api.eu-west-1.amazonaws.com",
    },
    "fleet": {"topology": "fleet", **DOMAIN},
    "fleet-s3": {"topology": "fleet", **DOMAIN, "to": "s3"},
    "fleet-s3-gone": {
        "topology": "fleet",
        **DOMAIN,
        "to": "s3",
        "machines": "3",
        "keep-data": "false",
        "settings": "live_window=60",
    },
}


class Made(NamedTuple):
    """A stack that was synthesised.

    Attributes:
        path: of its template.
        template: what is in it.
        report: of the rules that were looked at.
    """

    path: Path
    template: Mapping[str, Any]
    report: Mapping[str, Any]

    def of(self, kind: str) -> dict[str, Any]:
        """The properties of all resources of a kind, by their logical ids."""
        found = {}
        for name, each in self.template["Resources"].items():
            if each["Type"] == f"AWS::{kind}":
                found[name] = each.get("Properties", {})
        return found

    def one(self, kind: str) -> Any:
        """The properties of the only resource of a kind."""
        (found,) = self.of(kind).values()
        return found


@pytest.fixture(scope="session")
def node() -> None:
    """The CDK runs on node."""
    if shutil.which("node") is None:
        pytest.skip("there is no node here, on which the CDK runs")


@pytest.fixture(scope="session")
def stacks(node: None, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Mapping[str, Made]:
    """Each variant by its name."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "stacks"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            for name, context in VARIANTS.items():
                made(folder / name, context)
            (folder / "whole").touch()
    return {name: read(folder / name) for name in VARIANTS}


def made(folder: Path, context: Mapping[str, str]) -> Made:
    """A stack, synthesised, whether or not its rules hold."""
    from deploy.aws.app import app

    report = folder / "validation-report.json"
    try:
        app(folder, context).synth()
    except RuntimeError:
        if not report.is_file():  # it is not for a rule
            raise
    return read(folder)


def read(folder: Path) -> Made:
    """A stack that was synthesised into a folder."""
    report = folder / "validation-report.json"
    (path,) = folder.glob("*.template.json")
    return Made(path, json.loads(path.read_text()), json.loads(report.read_text()))
