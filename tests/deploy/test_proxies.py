"""The recipes for what stands in front: linted, and nginx and Caddy run with them before a real collector."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest
from ruamel.yaml import YAML

from pixelake.collect.pixel import GIF
from pixelake.settings import Settings
from pixelake.stream.sqlite_reader import SqliteReader
from tests.certificates import make

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include recipe.conf;
}}
"""


class Front(NamedTuple):
    """What stands in front: where it answers by HTTPS and HTTP, and the certificate it vouches with."""

    secure: str
    plain: str
    authority: Path


class Answer(NamedTuple):
    """What a client got."""

    status: int
    version: str
    headers: dict[str, str]
    body: bytes


def ask(url: str, authority: Path, *options: str) -> Answer:
    """Ask with curl, as a client that checks certificates."""
    command = ["curl", "-sS", "-i", "--max-time", "10", "--cacert", str(authority), *options, url]
    done = subprocess.run(command, capture_output=True, check=True, env=os.environ | {"NO_PROXY": "*"})
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status = first.split()[:2]
    headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
    return Answer(int(status), version, headers, body)


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], folder: Path, port: int, **variables: str) -> Iterator[None]:
    """A server, once its port is open; ended afterwards."""
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=os.environ | variables, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            assert server.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, (folder / "server.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def nginx(folder: Path, collector: int) -> Iterator[Front]:
    """The real nginx with the recipe; only its names and ports are others."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or pytest.skip("nginx is not installed")
    pair, secure, plain = make(folder, "front"), free_port(), free_port()
    recipe = (DEPLOY / "nginx" / "pixelake.conf").read_text()
    changes = {
        "127.0.0.1:8080": f"127.0.0.1:{collector}",
        "listen 443 ": f"listen 127.0.0.1:{secure} ",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "    listen [::]:443 ssl http2;\n": "",
        "    listen [::]:80;\n": "",
        "pixel.example;": "localhost;",
        "/etc/ssl/pixel.example.pem": str(pair.certificate),
        "/etc/ssl/pixel.example.key": str(pair.key),
    }
    for old, new in changes.items():
        assert old in recipe
        recipe = recipe.replace(old, new)
    (folder / "recipe.conf").write_text(recipe)
    (folder / "nginx.conf").write_text(NGINX.format(user="user root;" if os.geteuid() == 0 else ""))
    command = [program, "-p", str(folder), "-e", "error.log", "-c", "nginx.conf"]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False, cwd=folder)
    assert tried.returncode == 0, tried.stderr
    assert "warn" not in tried.stderr
    with running(command, folder, secure):
        yield Front(f"https://localhost:{secure}", f"http://localhost:{plain}", pair.certificate)


@contextmanager
def caddy(folder: Path, collector: int) -> Iterator[Front]:
    """The real Caddy with the recipe as it is; it issues the certificate for localhost itself."""
    program = shutil.which("caddy") or pytest.skip("caddy is not installed")
    secure, plain = free_port(), free_port()
    variables = {
        "PIXEL_HOST": "localhost",
        "PIXELAKE": f"127.0.0.1:{collector}",
        "HTTPS_PORT": str(secure),
        "HTTP_PORT": str(plain),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "HOME": str(folder),
    }
    config = ["--config", str(DEPLOY / "caddy" / "Caddyfile"), "--adapter", "caddyfile"]
    tried = subprocess.run(
        [program, "validate", *config], capture_output=True, text=True, check=False, env=os.environ | variables
    )
    assert tried.returncode == 0, tried.stderr
    with running([program, "run", *config], folder, secure, **variables):
        authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        _certified(secure, authority)
        yield Front(f"https://localhost:{secure}", f"http://localhost:{plain}", authority)


def _certified(port: int, authority: Path) -> None:
    """Wait until its certificate, which it makes after it began to listen, is there."""
    deadline = time.monotonic() + 20
    while True:
        try:
            trusting = ssl.create_default_context(cafile=authority)
            with (
                socket.create_connection(("127.0.0.1", port), 5) as plain,
                trusting.wrap_socket(plain, server_hostname="localhost"),
            ):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Collector:
    """A real collector on a free port, and what it counts."""

    def __init__(self, folder: Path) -> None:
        self.data, self.port, self._metrics = folder / "data", free_port(), free_port()

    @contextmanager
    def serving(self, *settings: str) -> Iterator["Collector"]:
        """Run it behind a proxy on this machine."""
        command = [sys.executable, "-P", "-m", "pixelake", "collect", "--data", str(self.data), "--workers", "1"]
        where = ["--collect", f"127.0.0.1:{self.port}", "--metrics", f"127.0.0.1:{self._metrics}"]
        with running([*command, *where, "--trusted-proxies", "loopback", *settings], self.data.parent, self.port):
            yield self

    def answered(self, status: int) -> float:
        """How many answers of that status it has given."""
        with urlopen(f"http://127.0.0.1:{self._metrics}/metrics") as answer:
            text = answer.read().decode()
        rows = re.findall(rf'^pixelake_answers_total{{.*status="{status}".*}} (\S+)$', text, re.MULTILINE)
        return sum(map(float, rows))


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def front(request: pytest.FixtureRequest) -> Callable[[Path, int], "contextmanager[Front]"]:
    """Starts what stands in front."""
    return request.param


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """One for each program."""
    made = tmp_path / "front", tmp_path / "collector"
    for folder in made:
        folder.mkdir()
    return made


def _settled(read: Callable[[], float]) -> float:
    """A count once it stays for longer than the collector needs to hand it over."""
    last, since = read(), time.monotonic()
    while time.monotonic() - since < 2.5:
        time.sleep(0.2)
        if (now := read()) != last:
            last, since = now, time.monotonic()
    return last


def test_hits_pass(front: Callable[..., "contextmanager[Front]"], folders: tuple[Path, Path]) -> None:
    """By HTTP/2 and 1.1: the image and its headers come as they are; each time, because nothing is cached."""
    with Collector(folders[1]).serving() as collector, front(folders[0], collector.port) as proxy:
        pixel = f"{proxy.secure}/pixel.gif?site=s.example"
        for option, version in (("--http2", "HTTP/2"), ("--http1.1", "HTTP/1.1")):
            for _ in range(2):
                answer = ask(pixel, proxy.authority, option, "-H", "X-Forwarded-For: 203.0.113.9")
                assert (answer.status, answer.version, answer.body) == (200, version, GIF)
                assert "no-store" in answer.headers["cache-control"]
                assert answer.headers["access-control-allow-origin"] == "*"
        posted = ask(f"{proxy.secure}/events", proxy.authority, "--json", '{"site": "s.example"}')
        assert (posted.status, posted.body) == (204, b"")
        missing = ask(f"{proxy.secure}/elsewhere", proxy.authority)
        assert (missing.status, missing.headers["x-pixelake"]) == (404, "no_route")
        redirect = ask(f"{proxy.plain}/pixel.gif", proxy.authority)
        assert redirect.status == 308
    reader = SqliteReader(collector.data / "stream", "test")
    batch = reader.read(100, 0)
    reader.close()
    assert batch is not None
    assert len(batch.hits) == 5
    assert {hit.client for hit in batch.hits} == {"127.0.0.1"}  # what the client made up is not believed


def test_refusals_pass(front: Callable[..., "contextmanager[Front]"], folders: tuple[Path, Path]) -> None:
    """A 503 comes with its reason and the GIF; it is neither asked for again nor kept."""
    settings = ("--disk-reserve", str(10**18))
    with Collector(folders[1]).serving(*settings) as collector, front(folders[0], collector.port) as proxy:
        for _ in range(3):
            answer = ask(f"{proxy.secure}/pixel.gif?site=s.example", proxy.authority)
            assert (answer.status, answer.body) == (503, GIF)
            assert answer.headers["x-pixelake"] == "disk"
            assert answer.headers["retry-after"]
        posted = ask(f"{proxy.secure}/events", proxy.authority, "--json", '{"site": "s.example"}')
        assert (posted.status, posted.headers["x-pixelake"]) == (503, "disk")
        assert _settled(lambda: collector.answered(503)) == 4


def test_nobody_behind(front: Callable[..., "contextmanager[Front]"], folders: tuple[Path, Path]) -> None:
    """Without a collector it is a 502, at once; and as soon as there is one, hits pass."""
    collector = Collector(folders[1])
    with front(folders[0], collector.port) as proxy:
        assert ask(f"{proxy.secure}/pixel.gif?site=s", proxy.authority).status == 502
        with collector.serving():
            assert ask(f"{proxy.secure}/pixel.gif?site=s", proxy.authority).status == 200


def test_caddy_offers_http_3(folders: tuple[Path, Path]) -> None:
    """Its answers say that HTTP/3 is there, on the port that is published for UDP, too."""
    with Collector(folders[1]).serving() as collector, caddy(folders[0], collector.port) as proxy:
        answer = ask(f"{proxy.secure}/pixel.gif?site=s", proxy.authority)
        assert answer.headers["alt-svc"].startswith(f'h3=":{proxy.secure.rsplit(":", 1)[1]}"')


def test_proxies_let_go_first() -> None:
    """What they keep for a later request is shorter than the collector keeps it, and they wait longer for answers."""
    recipes = [(DEPLOY / "nginx" / "pixelake.conf").read_text(), (DEPLOY / "caddy" / "Caddyfile").read_text()]
    for recipe in recipes:
        (kept,) = re.findall(r"(?:keepalive|keepalive_timeout) (\d+)s", recipe)
        assert int(kept) < Settings().idle_timeout
        (patience,) = re.findall(r"(?:proxy_read_timeout|response_header_timeout) (\d+)s", recipe)
        assert int(patience) > Settings().answer_deadline


@pytest.fixture(scope="module")
def template() -> str:
    """The CloudFront template."""
    return (DEPLOY / "cloudfront" / "template.yaml").read_text()


def test_cloudfront_is_valid() -> None:
    """By the schemas of CloudFormation, with warnings taken for errors."""
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "--region", "us-east-1", "--", str(DEPLOY / "cloudfront" / "template.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_cloudfront_keeps_nothing(template: str) -> None:
    """No answer is cached, nor any error it could cache; each request is sent once, with all that a hit is."""
    config = _yaml(template)["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    codes = {each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in config["CustomErrorResponses"]}
    assert codes == dict.fromkeys((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504), 0)
    behaviour = config["DefaultCacheBehavior"]
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(behaviour["AllowedMethods"])
    (origin,) = config["Origins"]
    assert origin["ConnectionAttempts"] == 1
    assert Settings().answer_deadline < origin["CustomOriginConfig"]["OriginReadTimeout"]
    assert origin["CustomOriginConfig"]["OriginKeepaliveTimeout"] < Settings().idle_timeout
    policy = _yaml(template)["Resources"]["OriginRequests"]["Properties"]["OriginRequestPolicyConfig"]
    assert policy["QueryStringsConfig"]["QueryStringBehavior"] == "all"
    assert policy["HeadersConfig"]["Headers"] == ["CloudFront-Viewer-Address"]


def _yaml(text: str) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    """The template without its functions, each of which is a word with an exclamation mark."""
    return YAML(typ="safe").load(re.sub(r"!(Ref|Sub|GetAtt) ", "", text))
