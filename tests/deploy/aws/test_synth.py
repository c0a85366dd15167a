"""`pixelake aws synth`, the program that the CDK runs, and what is packed for it: each as a person calls it."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pixelake import cli
from pixelake.aws import synth, terms
from pixelake.errors import SettingsError
from tests.deploy.aws.conftest import Made

ROOT = Path(__file__).parents[3]
STACKS = ROOT / "deploy/aws"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    status = cli.run([str(word) for word in words])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_a_template(node: None, stacks: Mapping[str, Made], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the one that tests look at; what must be given to it is told."""
    status, out, err = run(capsys, "aws", "synth", "--topology", "a", "--out", tmp_path)
    assert (status, err) == (0, "")
    first, *rest = out.splitlines()
    assert json.loads(Path(first).read_text()) == stacks["stream"].template
    assert [line.split(":")[0].strip() for line in rest] == ["CodeBucket", "ImageRepository"]


def test_refused(node: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, and nothing is written."""
    words = ("aws", "synth", "--topology", "stream", "--out", tmp_path / "out", "--set", "domain=px.example.com")
    status, out, err = run(capsys, *words)
    assert (status, out) == (1, "")
    assert err.splitlines() == ["pixelake: a domain needs a certificate (certificate= the ARN of one of ACM)"]
    assert not (tmp_path / "out").exists()


def test_without_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation has no stacks, and says where they are."""
    monkeypatch.setattr(synth, "STACKS", tmp_path)
    with pytest.raises(SettingsError, match="not here"):
        synth.synth({"topology": "stream"})


def test_without_the_cdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is told."""

    def gone(name: str) -> None:
        raise ModuleNotFoundError(name="aws_cdk")

    monkeypatch.setattr(importlib, "import_module", gone)
    with pytest.raises(SettingsError, match="aws_cdk is missing") as caught:
        synth.synth({"topology": "stream"})
    assert "pixelake[deploy]" in caught.value.hint


def test_a_rule_that_does_not_hold(node: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is deployed by mistake: it is refused, and where the rules are told."""
    from deploy.aws import reasons

    monkeypatch.setattr(reasons, "told", lambda *_: None)
    with pytest.raises(SettingsError, match="refuses") as caught:
        synth.synth({"topology": "queue"}, tmp_path)
    assert "validation-report.json" in caught.value.hint


def test_as_the_cdk_runs_it(node: None, tmp_path: Path) -> None:
    """With the context in the environment; a refusal is one line and a status."""
    command = json.loads((STACKS / "cdk.json").read_text())["app"].split()
    assert command[0] == "python3"
    told = {**os.environ, "CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": json.dumps({"topology": "river"})}
    done = subprocess.run(
        [sys.executable, *command[1:]], cwd=STACKS, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "there is no topology 'river'. take stream, firehose, edge, queue, fleet",
    ]


def test_what_is_packed() -> None:
    """A zip for each function that the stacks take as one, and what machines of the fleet start with."""
    from deploy.aws.house import ZIPS  # it starts the CDK, in node

    text = (STACKS / "package").read_text()
    assert subprocess.run(["bash", "-n", STACKS / "package"], check=False).returncode == 0
    assert set(re.findall(r"^zip_of (\w+)", text, re.MULTILINE)) == ZIPS < set(terms.FUNCTIONS)
    assert "fleet.tar.gz" in text
    assert "fleet.tar.gz" in (STACKS / "fleet.py").read_text()


def test_the_image() -> None:
    """It has what it copies, and starts the runtime of Lambda, to which each function names its handler."""
    text = (STACKS / "images/Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert copied
    assert all((ROOT / word).exists() for word in copied)
    entry = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    assert json.loads(entry[0])[1:] == ["-m", "awslambdaric"]
