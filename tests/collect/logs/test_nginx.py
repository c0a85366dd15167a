"""What the real nginx writes into its logs is read as what was sent to it, whatever that was."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from pixelake.collect.logs import access
from pixelake.collect.logs.line import Line

CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log crit;
events {{}}
http {{
    log_format own '$remote_addr [$time_iso8601] "$host" '
                   '"$request" $status "$http_referer" "$http_user_agent"';
    log_format json escape=json '{{"remote_addr":"$remote_addr","msec":"$msec","request":"$request",'
                                '"status":"$status","http_referer":"$http_referer",'
                                '"http_user_agent":"$http_user_agent","host":"$host"}}';
    access_log combined.log;
    access_log own.log own;
    access_log json.log json;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 204; }}
    }}
}}
"""
OWN = '\'$remote_addr [$time_iso8601] "$host" \'\n \'"$request" $status "$http_referer" "$http_user_agent"\''
SENT = (
    (b"/", b"", b"Mozilla"),
    (b"/a?b=%22&c=d+e", b"https://a.example/?q=1", b'quo"ted \\ back\\\\slash'),
    (b"/\xc3\xa4/\xff", b"https://a.example/\xe4", "ünicode 😀".encode()),
    (b"/a'b`c{}|^", b"-", b"tab\there"),
    (b"/\\x22\\u0022", b'"] "', b'" 200 0 "-" "'),
    (b"/" + b"x" * 2_000, b"", b"] [10/Oct/2000:13:55:36 -0700] \x7f"),
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logs of a server that was sent all of `SENT`."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(CONFIGURATION.format(user=user, port=port))
    server = subprocess.Popen([program, "-p", str(folder), "-e", "error.log", "-c", "nginx.conf"], cwd=folder)
    try:
        for target, referrer, agent in SENT:
            ask(port, target, referrer, agent)
    finally:
        server.terminate()
        server.wait(30)
    return folder


def ask(port: int, target: bytes, referrer: bytes, agent: bytes) -> None:
    """One request, and its answer."""
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with connection:
        named = b"Referer: %b\r\n" % referrer if referrer else b""
        head = b"GET %b HTTP/1.1\r\nHost: shop.example\r\n%bUser-Agent: %b\r\nConnection: close\r\n\r\n"
        connection.sendall(head % (target, named, agent))
        while connection.recv(4_096):
            pass


@pytest.mark.parametrize(
    ("name", "form"),
    {
        "combined": ("combined", access.nginx()),
        "own": ("own", access.custom(OWN)),
        "json": ("json", access.nginx()),
    }.values(),
    ids=["combined", "own", "json"],
)
def test_lines_tell_what_was_sent(logs: Path, name: str, form: access.Format) -> None:
    """Each line, in all three formats. Of JSON, bytes that are no text are known by their percent escapes."""
    lines = (logs / f"{name}.log").read_bytes().splitlines()
    assert len(lines) == len(SENT)
    for written, (target, referrer, agent) in zip(lines, SENT, strict=True):
        read = form.read(written)
        assert isinstance(read, Line), (read, written)
        assert (read.method, read.status, read.address) == (b"GET", 204, "127.0.0.1")
        if name == "json" and b"\xff" in target:
            assert read.target == b"/\xc3\xa4/%FF"
            continue
        assert read.target == target
        assert read.referrer == (b"" if referrer == b"-" else referrer)
        assert read.agent == agent
        assert read.host == (b"" if name == "combined" else b"shop.example")
