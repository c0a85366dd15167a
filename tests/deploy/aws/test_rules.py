"""The stacks keep the rules of those who look at such: cfn-lint, cdk-nag, and ours about stars in policies."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.aws.conftest import VARIANTS, Made, made


def broken(report: Mapping[str, Any]) -> set[str]:
    """The rules that do not hold, by name."""
    return {each["ruleName"] for one in report["pluginReports"] for each in one["violations"]}


def test_cfn_lint(stacks: Mapping[str, Made]) -> None:
    """No error, no warning, no advice, in any variant."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), *(str(each.path) for each in stacks.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("name", VARIANTS)
def test_cdk_nag(stacks: Mapping[str, Made], name: str) -> None:
    """What AWS recommends holds, or has a reason; CloudFormation's own rules, too."""
    assert not broken(stacks[name].report)


def test_reasons_are_needed(
    node: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its reason each rule is broken somewhere: the rules are looked at, and no reason outlives its cause."""
    from deploy.aws import reasons

    said: dict[str, str] = {}
    monkeypatch.setattr(reasons, "told", lambda _, told: said.update(told))
    folder, found = tmp_path_factory.mktemp("without"), set[str]()
    for name in (
        "stream-domain",
        "stream-waf",
        "stream-gone",
        "firehose",
        "edge",
        "edge-standard",
        "queue",
        "fleet",
        "fleet-s3",
    ):
        found |= broken(made(folder / name, VARIANTS[name]).report)
    assert found == set(said)
    assert all(len(why.split()) > 4 for why in said.values())


def policies(made: Made) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each statement of a role, with the logical id of the role."""
    for name, role in made.of("IAM::Role").items():
        assert "ManagedPolicyArns" not in role, name
        for policy in role.get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    assert not made.of("IAM::Policy")


@pytest.mark.parametrize("name", VARIANTS)
def test_no_stars(stacks: Mapping[str, Made], name: str) -> None:
    """No policy of a role has a star in an action, and none is about everything."""
    for role, statement in policies(stacks[name]):
        actions, resources = statement["Action"], statement["Resource"]
        assert "*" not in str(actions), role
        assert statement["Effect"] == "Allow"
        assert "*" not in (resources if isinstance(resources, list) else [resources]), role


@pytest.mark.parametrize("name", VARIANTS)
def test_roles_are_for_one_service(stacks: Mapping[str, Made], name: str) -> None:
    """Nobody but one service may take a role; those that tell for whom, only for this account."""
    for role in stacks[name].of("IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        service = statement["Principal"]["Service"]
        assert service in {"lambda.amazonaws.com", "ec2.amazonaws.com"} or "aws:SourceAccount" in str(statement)
