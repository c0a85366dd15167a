"""Real S3 servers on this machine, for tests: SeaweedFS, which checks signatures, and moto, which does not.

Both start by themselves on free ports of the loopback. `AWS_*` of the process
says how a server is reached, as for any user; `Server.environment` has it for
other processes.
"""

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

MISSING = "no S3: pip install 'pixelake[s3,dev]'"
"""Why a test is skipped; `.ci/run` looks for its beginning."""
KEY, SECRET = "tester", "tester-secret"
PATIENCE = 60.0
"""Seconds for a server to be up; it takes some three."""
VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
)
"""What a developer may have set: it must not reach the tests."""


class Server:
    """An S3 server: started, stopped and started again on the same port.

    Attributes:
        name: which.
        url: where it answers.
        keeps: whether what it holds outlives its process, and signatures are checked.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder
        self.keeps = name == "seaweedfs"
        self._ports = _free_ports(9)
        self.url = f"http://127.0.0.1:{self._ports[0]}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """How it is reached, and by whom."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
        }

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | self.environment
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, env=environment, cwd=self._folder)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = " ".join((self._folder / "log").read_text()[-300:].split())
                pytest.skip(f"no S3: {self.name} does not start: {said}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def bucket(self) -> str:
        """A new, empty bucket."""
        name = f"lake-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self, key: str = KEY) -> object:
        """Another program's way to look into it."""
        return Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=key,
            aws_secret_access_key=SECRET,
            config=Config(retries={"max_attempts": 1}, connect_timeout=10, read_timeout=20),
        )

    def _answers(self) -> bool:
        try:
            self.client().list_buckets()
            if self.keeps:  # the gateway is up before there is a place to write to
                name = self.bucket()
                self.client().put_object(Bucket=name, Key="ready", Body=b"x")
                self.client().delete_object(Bucket=name, Key="ready")
                self.client().delete_bucket(Bucket=name)
        except (BotoCoreError, ClientError):
            return False
        return True

    def _command(self) -> list[str]:
        programs = Path(sys.executable).parent
        port, *others = map(str, self._ports)
        if self.name == "moto":
            return [sys.executable, str(Path(__file__).with_name("moto_in_turns.py")), port]
        named = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
        flags = [f"-{name}={value}" for name, value in zip((*named, "s3.port.grpc"), others, strict=False)]
        return [
            *(str(programs / "weed"), "server", f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-filer", "-s3", f"-s3.port={port}", "-s3.port.iceberg=0", "-s3.port.lance=0", *flags),
            *("-master.telemetry=false", "-master.electionTimeout=1s", "-s3.autoCreateBucket=false", "-volume.max=0"),
            *("-master.volumeSizeLimitMB=64", "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"),
        ]


@contextmanager
def served(name: str, folder: Path) -> Iterator[Server]:
    """A running server of its own; skips the test, with the reason, if it cannot be had."""
    programs = Path(sys.executable).parent
    for module in ("obstore", "fsspec"):
        pytest.importorskip(module, reason=MISSING)
    program = programs / ("weed" if name == "seaweedfs" else "moto_server")
    if not program.exists():
        pytest.skip(MISSING)
    server = Server(name, folder)
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        yield server


def reached(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Let this process reach a server, and nothing else."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
