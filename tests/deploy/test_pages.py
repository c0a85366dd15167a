"""The pages about deployment say what is so."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from pixelake.settings import NAMES, Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "deploy").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Whatever a page links to in this repository is there."""
    targets = re.findall(r"\]\(([^):#]+)\)", page.read_text())
    assert all((page.parent / target).exists() for target in targets), targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings(page: Path) -> None:
    """Variables, flags of `pixelake` and values of `client_header` are what the program takes."""
    text = page.read_text()
    assert {name.lower() for name in re.findall(r"PIXELAKE_(\w+)=", text)} <= set(NAMES)
    for command in re.findall(r"pixelake serve ([^`]*?)(?:\n```|\nEnv)", text.replace("\\\n", " ")):
        assert {flag.replace("-", "_") for flag in re.findall(r"--([\w-]+)", command)} <= set(NAMES)
    header = next(field for field in fields(Settings) if field.name == "client_header")
    assert set(re.findall(r'client_header = "([^"]+)"', text)) <= set(header.metadata["choices"])


def test_the_rule_for_cloudflare() -> None:
    """It is JSON, and caches nothing."""
    (block,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/deploy/cloudflare.md").read_text(), re.DOTALL)
    (rule,) = json.loads(block)["rules"]
    assert rule["action_parameters"] == {"cache": False}
