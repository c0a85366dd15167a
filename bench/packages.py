"""What each function of AWS would be as a zip: its bytes unpacked, which Lambda bounds at 250 MiB, and how it starts.

For each, what it needs is installed into a folder of its own, in the versions of
`requirements.txt`, and what no function loads is removed. Then a process that
sees nothing but this folder runs the handler with an event, against moto: so
what is listed is enough. It downloads wheels. README.md has the results.

    scripts/bench packages                      all of them; a few minutes
    scripts/bench packages --function ingest
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from botocore.session import Session
from rig.machine import describe
from rig.servers import BUILD
from rig.tables import say, table

ROOT: Final = Path(__file__).parents[1]
LIMIT: Final = 250 << 20
"""Bytes of a function's zip, unpacked, with its layers."""
LIGHT: Final = ("botocore", "google-re2", "msgspec", "prometheus-client", "structlog", "zstandard")
JUDGE: Final = (
    *LIGHT,
    "argon2-cffi",
    "fsspec",
    "jsonschema-rs",
    "maxminddb",
    "obstore",
    "pyarrow",
    "tzdata",
    "ua-parser[regex]",
)
LAKE: Final = (*JUDGE, "deltalake")
KEEP: Final = (*LAKE, "duckdb")
API: Final = (*KEEP, "click", "fastapi", "uvicorn", "uvloop", "httptools", "rich")
SERVICES: Final = frozenset({"dynamodb", "firehose", "glue", "kinesis", "s3", "sqs", "sts"})
"""Of botocore's, which knows some 400."""
NEVER: Final = ("pyarrow/include", "pyarrow/tests", "pyarrow/src", "pyarrow/*flight*", "bin")
"""In no function: headers and tests, and a protocol that nobody speaks here."""
LINE: Final = json.dumps(
    {
        "v": 1,
        "hit_id": "package-1",
        "received_at": "2026-02-10T08:30:00Z",
        "peer": "203.0.113.9",
        "method": "GET",
        "target": "/pixel.gif?site=a",
        "headers": [["User-Agent", "Mozilla/5.0"]],
    }
)
PROBE: Final = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
import importlib
handler = importlib.import_module(sys.argv[2]).handler
loaded = time.perf_counter()
answer = handler(json.loads(sys.argv[3]), None)
called = time.perf_counter()
again = handler(json.loads(sys.argv[3]), None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([loaded - began, called - loaded, time.perf_counter() - called, peak, str(answer)[:300]]), flush=True)
"""
"""Import, first call, second call (seconds), most memory (KiB), the answer."""


class Function(NamedTuple):
    """A function: what it needs beside us, the event it is tried with, and what stands in a right answer."""

    needs: Sequence[str]
    event: Mapping[str, Any]
    answer: str


class Found(NamedTuple):
    """What was measured: bytes, then seconds and KiB of the probe."""

    installed: int
    trimmed: int
    zipped: int
    probe: Sequence[float]


def _records(source: str, **members: Any) -> Mapping[str, Any]:
    return {"Records": [{"eventSource": f"aws:{source}", **members}]}


def _kinesis(line: str) -> Mapping[str, Any]:
    data = {"sequenceNumber": "1", "partitionKey": "k", "data": b64encode(line.encode()).decode()}
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/hits"
    return _records("kinesis", kinesis=data, eventID="shardId-000000000000:1", eventSourceARN=arn)


REQUEST: Final = {
    "version": "2.0",
    "rawPath": "/pixel.gif",
    "rawQueryString": "site=a",
    "headers": {"host": "127.0.0.1"},
    "requestContext": {
        "http": {"method": "GET", "sourceIp": "203.0.113.9"},
        "requestId": "id",
        "timeEpoch": 1770711000000,
    },
}
NOTICE: Final = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "lake"}, "object": {"key": "errors/x"}}}
FIREHOSE: Final = {
    "invocationId": "i",
    "deliveryStreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/hits",
    "region": "us-east-1",
    "records": [
        {
            "recordId": "1",
            "approximateArrivalTimestamp": 1770711000000,
            "data": b64encode(LINE.encode() + b"\n").decode(),
        }
    ],
}
FUNCTIONS: Final = {
    "ingest": Function(LIGHT, REQUEST, "'statusCode': 200"),
    "aggregate": Function(LIGHT, _kinesis(LINE), "'batchItemFailures': []"),
    "transform": Function(JUDGE, FIREHOSE, "'result': 'Ok'"),
    "consume": Function(LAKE, _kinesis(LINE), "'batchItemFailures': []"),
    "gather": Function(LAKE, {"Records": [NOTICE]}, "{}"),
    "keep": Function(KEEP, {}, "'light'"),
    "api": Function(API, {**REQUEST, "rawPath": "/login", "rawQueryString": ""}, "'statusCode': 200"),
}


def main() -> None:
    """Build, try and list them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--function", choices=sorted(FUNCTIONS), action="append")
    chosen = parser.parse_args().function or list(FUNCTIONS)
    BUILD.mkdir(exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        for name in chosen:
            say(f"{name} ...")
            rows.append(_row(name, _measured(name, FUNCTIONS[name], Path(folder) / name)))
            shutil.rmtree(Path(folder) / name)
    print(describe())
    header = ("function", "installed (MB)", "unpacked (MB)", "zip (MB)", "import (s)", "first call (s)", "next (s)")
    table("Functions of AWS as packages", (*header, "memory (MB)", "deployed as"), rows)


def _row(name: str, found: Found) -> Sequence[str]:
    sizes = [f"{size / 1e6:.0f}" for size in found[:3]]
    times = [f"{seconds:.2f}" for seconds in found.probe[:3]]
    kind = "a zip" if found.trimmed <= LIMIT else "an image: over 250 MiB"
    return [f"`{name}`", *sizes, *times, f"{found.probe[3] * 1024 / 1e6:.0f}", kind]


def _measured(name: str, function: Function, folder: Path) -> Found:
    target = folder / "package"
    _install(function.needs, target)
    installed = _bytes(target)
    _trim(target)
    _compile(target)
    with _cloud() as environment:
        probe = _probe(name, function, target, environment)
    archive = folder / "package.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in filter(Path.is_file, target.rglob("*")):
            packed.write(path, path.relative_to(target))
    return Found(installed, _bytes(target), archive.stat().st_size, probe)


def _install(needs: Sequence[str], target: Path) -> None:
    target.mkdir(parents=True)
    versions = re.findall(r"^[\w.-]+==[^\\\n]+", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    constraints = target.parent / "constraints.txt"
    constraints.write_text("\n".join(versions))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run(
        [*pip, "--only-binary=:all:", "--target", target, "--constraint", constraints, *needs],
        check=True,
        stdout=sys.stderr,
    )
    ours = shutil.ignore_patterns("__pycache__", "static", "testing.py")
    ignore = shutil.ignore_patterns("__pycache__") if "fastapi" in needs else ours
    shutil.copytree(ROOT / "src/pixelake", target / "pixelake", ignore=ignore)


def _trim(target: Path) -> None:
    gone = [path for pattern in NEVER for path in target.glob(pattern)]
    gone += [path for path in target.glob("botocore/data/*") if path.is_dir() and path.name not in SERVICES]
    for path in gone:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _compile(target: Path) -> None:
    """Else each cold start would compile what it imports; dates of files in a zip are not to matter."""
    flags = ["-q", "-j2", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, "-m", "compileall", *flags, target], check=True, stdout=sys.stderr)


def _bytes(target: Path) -> int:
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


@contextmanager
def _cloud() -> Iterator[Mapping[str, str]]:
    """Moto with what functions want to find; the environment of a function."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    environment = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "PIXELAKE_LAKE": "s3://lake/lake",
        "PIXELAKE_REGISTRY": "dynamodb://pixelake",
        "PIXELAKE_LIVE": "dynamodb://pixelake",
        "PIXELAKE_STREAM": "kinesis://hits",
        "HOME": "/tmp",
    }
    try:
        _wait(port)
        _furnish(environment["AWS_ENDPOINT_URL"])
        yield environment
    finally:
        server.kill()
        server.wait()


def _wait(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    sys.exit("moto does not start")


def _furnish(url: str) -> None:
    def client(service: str) -> Any:
        return Session().create_client(
            service, region_name="us-east-1", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b"
        )

    keys = {"pk": "HASH", "sk": "RANGE"}
    client("s3").create_bucket(Bucket="lake")
    failed = json.dumps({"rawData": b64encode(LINE.encode()).decode(), "arrivalTimestamp": 1770711000000})
    client("s3").put_object(Bucket="lake", Key="errors/x", Body=failed.encode())
    client("kinesis").create_stream(StreamName="hits", ShardCount=1)
    client("dynamodb").create_table(
        TableName="pixelake",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def _probe(name: str, function: Function, target: Path, environment: Mapping[str, str]) -> Sequence[float]:
    """In a process that has neither our environment nor our packages."""
    with tempfile.TemporaryDirectory(dir=BUILD) as data:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", PROBE, target, f"pixelake.aws.{name}", json.dumps(function.event)],
            env={**environment, "PATH": os.defpath, "PIXELAKE_DATA": data},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if done.returncode or function.answer not in (told := json.loads(done.stdout.splitlines()[-1]))[-1]:
        sys.exit(f"{name}: its package is not enough:\n{done.stdout}{done.stderr[-3000:]}")
    return [float(each) for each in told[:-1]]


if __name__ == "__main__":
    began = time.monotonic()
    main()
    say(f"{time.monotonic() - began:.0f} s")
