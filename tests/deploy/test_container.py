"""What the Dockerfile and compose.yaml say is so: files are there, commands work, settings exist, nothing is open."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from fnmatch import fnmatch
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser
from ruamel.yaml import YAML

from pixelake import __version__
from pixelake.settings import NAMES, Settings, check, load

ROOT = Path(__file__).parents[2]
PREFIX = "PIXELAKE_"


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> DockerfileParser:
    """The Dockerfile, read from a copy: the library opens it for writing."""
    copy = tmp_path_factory.mktemp("docker") / "Dockerfile"
    copy.write_bytes((ROOT / "Dockerfile").read_bytes())
    return DockerfileParser(str(copy))


@pytest.fixture(scope="module")
def compose() -> Any:
    """The services, networks and volumes."""
    return YAML(typ="safe").load(ROOT / "compose.yaml")


def last_stage(dockerfile: DockerfileParser) -> list[dict[str, str]]:
    """The instructions of the image itself."""
    steps = [step for step in dockerfile.structure if step["instruction"] != "COMMENT"]
    start = max(index for index, step in enumerate(steps) if step["instruction"] == "FROM")
    return steps[start:]


def value(dockerfile: DockerfileParser, instruction: str) -> str:
    """What the image's only instruction of that name says."""
    (found,) = [step["value"] for step in last_stage(dockerfile) if step["instruction"] == instruction]
    return found


def environment(dockerfile: DockerfileParser) -> dict[str, str]:
    """The variables of the image."""
    return dict(pair.split("=", 1) for pair in shlex.split(value(dockerfile, "ENV")))


def test_what_is_copied_is_there(dockerfile: DockerfileParser) -> None:
    """Each source exists, is let through by .dockerignore, and nothing else is let through."""
    copied = {
        source.rstrip("/")
        for step in dockerfile.structure
        if step["instruction"] == "COPY" and "--from" not in step["value"]
        for source in step["value"].split()[:-1]
    }
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
    lines = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert not any(fnmatch(source, line) for source in copied for line in lines if line[:1] not in ("!", "*", "#", ""))


def test_every_stage_is_of_one_image(dockerfile: DockerfileParser) -> None:
    """The interpreter of the installed program is where it was when it was installed."""
    stages = [step["value"].split(" AS ")[0] for step in dockerfile.structure if step["instruction"] == "FROM"]
    assert len(stages) == 2
    assert len(set(stages)) == 1


def test_what_is_installed_is_locked(dockerfile: DockerfileParser) -> None:
    """Packages come by hash, or they are ours and fetch nothing; nothing else is installed."""
    runs = " && ".join(step["value"] for step in dockerfile.structure if step["instruction"] == "RUN").split("&&")
    installs = [shlex.split(run) for run in runs if " install " in f"{run} " and "pip" in run]
    locked, own = installs
    assert {"--require-hashes", "requirements.txt"} <= set(locked)
    assert {"--no-deps", "--no-build-isolation", "."} <= set(own)
    assert not any(word in run for run in runs for word in ("apt-get", "curl", "wget"))


def test_the_user_is_nobody_in_particular(dockerfile: DockerfileParser) -> None:
    """A number, so that an orchestrator can see it is not root, which owns the data and comes after all copying."""
    steps = [step["instruction"] for step in last_stage(dockerfile)]
    user = value(dockerfile, "USER")
    assert re.fullmatch("([1-9][0-9]+):\\1", user)
    assert steps.index("USER") > max(index for index, step in enumerate(steps) if step in ("COPY", "RUN"))
    assert f"--owner {user.split(':')[0]}" in value(dockerfile, "RUN")


def test_its_variables_are_settings(dockerfile: DockerfileParser) -> None:
    """They are taken, and the data lie in the volume."""
    variables = environment(dockerfile)
    chosen = load(environment={name: text for name, text in variables.items() if name.startswith(PREFIX)})
    check(chosen)
    assert str(chosen.data) == value(dockerfile, "VOLUME") == "/data"
    ports = {address.rsplit(":", 1)[1] for address in (chosen.collect, chosen.web)}
    assert set(value(dockerfile, "EXPOSE").split()) == ports


def test_its_labels(dockerfile: DockerfileParser) -> None:
    """Title, description, licence, and the version that this is."""
    labels = dockerfile.labels
    names = {f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses", "version", "revision")}
    assert names <= set(labels)
    arguments = dict(
        step["value"].partition("=")[::2] for step in last_stage(dockerfile) if step["instruction"] == "ARG"
    )
    assert arguments["VERSION"] == __version__


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_its_commands_work(dockerfile: DockerfileParser, tmp_path: Path) -> None:
    """What the image runs serves, its health check finds that out, and its signal ends it in good order."""
    entry, command = json.loads(value(dockerfile, "ENTRYPOINT")), json.loads(value(dockerfile, "CMD"))
    asks = json.loads(value(dockerfile, "HEALTHCHECK").partition(" CMD ")[2])
    assert entry[0] == asks[0] == "pixelake"  # no shell between, so that signals arrive
    here = {"COLLECT": f"127.0.0.1:{_free_port()}", "WEB": f"127.0.0.1:{_free_port()}", "DATA": str(tmp_path / "data")}
    variables = os.environ | environment(dockerfile) | {PREFIX + name: text for name, text in here.items()}
    variables["PATH"] = os.environ["PATH"]

    def program(*words: str) -> list[str]:
        return [sys.executable, "-P", "-m", *words]

    def healthy() -> bool:
        return (
            subprocess.run(program(*asks), env=variables, cwd=tmp_path, capture_output=True, check=False).returncode
            == 0
        )

    assert not healthy()
    with subprocess.Popen(program(*entry, *command), env=variables, cwd=tmp_path, stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 60
        while not healthy():
            assert time.monotonic() < deadline
            assert server.poll() is None
        server.send_signal(signal.Signals[value(dockerfile, "STOPSIGNAL")])
        assert server.wait(30) == 0


def test_compose_is_valid() -> None:
    """By the schema of the Compose Specification."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(ROOT / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_compose_confines(compose: Any) -> None:
    """Every service: read-only, no capability but the one for low ports, no new ones, bounded."""
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert {"privileged", "network_mode", "pid", "user"}.isdisjoint(service), name
    places = {place.split(":")[0] for place in compose["services"]["pixelake"]["tmpfs"]}
    assert places == {"/tmp", "/dev/shm"}  # where libraries put their files, and where processes count


def test_compose_shows_only_the_pixel(compose: Any) -> None:
    """All that the world reaches is Caddy; the dashboard is published on this machine's loopback."""
    ports = compose["services"]["pixelake"]["ports"]
    assert ports == ["127.0.0.1:8081:8081"]
    assert set(compose["services"]["caddy"]["ports"]) == {"80:80", "443:443", "443:443/udp"}


def test_compose_and_the_settings(compose: Any) -> None:
    """What it sets are settings; Caddy's fixed address is the one that is believed; draining ends before the kill."""
    variables = compose["services"]["pixelake"]["environment"]
    for name in variables:
        assert name.removeprefix(PREFIX).lower() in NAMES
    filled = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text) for name, text in variables.items()}
    chosen = load(environment=filled)
    check(chosen)
    networks = {name: service["networks"]["front"]["ipv4_address"] for name, service in compose["services"].items()}
    assert chosen.trusted_proxies == (networks["caddy"],)
    (pool,) = compose["networks"]["front"]["ipam"]["config"]
    assert all(ip_address(address) in ip_network(pool["subnet"]) for address in networks.values())
    assert int(compose["services"]["pixelake"]["stop_grace_period"].rstrip("s")) > Settings().shutdown_timeout
