"""The servers that are compared, each started afresh in a folder of its own and on a free port of loopback."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import urlopen

from rig.meters import family

BUILD: Final = Path(__file__).parents[2] / "build"
"""Everything is written here, so that logs and hits are on the same disk."""
CONNECTIONS: Final = 20_000
"""What nginx may hold; pixelake's default is the same."""

NGINX: Final = """
worker_processes 1; worker_rlimit_nofile {connections}; daemon off; pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections {connections}; }}
http {{
  log_format hits escape=json '{{"time":"$msec","address":"$remote_addr","request":"$request","status":$status,'
    '"referrer":"$http_referer","agent":"$http_user_agent","language":"$http_accept_language"}}';
  access_log {folder}/access.log hits{buffer};
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port} backlog=4096{ssl}; location / {{ empty_gif; }} }}
}}
"""
NGINX_TLS: Final = " ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3"


TRUSTING: Final = ssl.create_default_context()
"""Takes our self-signed certificate."""
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


SERVES: Final = 3
"""Processes that `serve` starts for one worker."""


class Pair(NamedTuple):
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path


class Server(NamedTuple):
    """A running server: its name in tables, its port, whether it speaks TLS, its processes, where it writes."""

    name: str
    port: int
    tls: bool
    processes: tuple[int, ...]
    folder: Path

    @property
    def url(self) -> str:
        """Its root."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/"


def make_certificate(folder: Path) -> Pair:
    """A self-signed certificate for loopback: ECDSA on P-256, as most of the web's."""
    pair = Pair(folder / "certificate.pem", folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(pair.key), "-out", str(pair.certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return pair


def negotiated(server: Server) -> str:
    """The version of TLS and the cipher that a client and the server agree on."""
    with socket.create_connection(("127.0.0.1", server.port)) as plain, TRUSTING.wrap_socket(plain) as client:
        return f"{client.version()}, {(client.cipher() or ['?'])[0]}"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        yield Path(name)


@contextmanager
def nginx(folder: Path, *, buffered: bool = False, tls: Pair | None = None) -> Iterator[Server]:
    """One worker that answers a GIF and logs JSON; the log is written for each request, or 64 kB at a time."""
    port = _free_port()
    text = NGINX.format(
        folder=folder,
        port=port,
        connections=CONNECTIONS,
        buffer=" buffer=64k" if buffered else "",
        ssl=NGINX_TLS.format(**tls._asdict()) if tls else "",
    )
    (folder / "nginx.conf").write_text(text)
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    name = f"nginx, {'buffered' if buffered else 'JSON'} log"
    with _running([binary, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")], folder, {}, 1) as parent:
        yield _server(name, port, parent, folder, tls)


@contextmanager
def pixelake(
    folder: Path, *, workers: int = 1, tls: Pair | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The collector alone, with default settings but for address, folder, number of workers, and certificate."""
    port = _free_port()
    command = [sys.executable, "-P", "-m", "pixelake", "collect", "--collect", f"127.0.0.1:{port}"]
    command += ["--data", str(folder / "data"), "--workers", str(workers)]
    if tls:
        command += ["--tls-certificate", str(tls.certificate), "--tls-key", str(tls.key)]
    name = "pixelake, durable" if workers == 1 else f"pixelake, {workers} workers"
    with _running(command, folder, environment or {}, workers) as parent:
        yield _server(name, port, parent, folder, tls)


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Everything, with default settings but for addresses and folder."""
    port = _free_port()
    command = [sys.executable, "-P", "-m", "pixelake", "serve", "--collect", f"127.0.0.1:{port}"]
    command += ["--data", str(folder / "data"), "--web", f"127.0.0.1:{_free_port()}", "--workers", "1"]
    with _running(command, folder, {}, SERVES) as parent:
        yield _server("pixelake serve", port, parent, folder, None)


def _server(name: str, port: int, parent: int, folder: Path, tls: Pair | None) -> Server:
    server = Server(name, port, tls is not None, family(parent), folder)
    _wait_for(lambda: _healthy(server), folder)
    return server


@contextmanager
def _running(command: list[str], folder: Path, environment: Mapping[str, str], children: int) -> Iterator[int]:
    """A process with so many children, which ends with the block. No setting of ours reaches it from outside."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PIXELAKE_")}
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env={**clean, **environment})
    try:
        _wait_for(lambda: process.poll() is None and len(family(process.pid)) == 1 + children, folder)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def _free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(ready: Callable[[], bool], folder: Path, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            sys.exit(f"the server did not start:\n{(folder / 'output.log').read_text()[-2_000:]}")
        time.sleep(0.05)


def _healthy(server: Server) -> bool:
    """Whether somebody answers 200 there. The kernel takes connections before there is somebody."""
    try:
        with urlopen(server.url + "health", timeout=2, context=TRUSTING if server.tls else None) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
