"""Reads the Terraform root: blocks as plain values, and how many of a kind there would be."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2] / "deploy" / "aws" / "terraform"
TERMS = ROOT / "terms.auto.tfvars.json"


class Block(NamedTuple):
    """A resource: its kind, its name, and what is in it."""

    kind: str
    name: str
    body: Mapping[str, Any]


class Root:
    """All files of the root.

    Attributes:
        resources: every block of a resource.
        locals: values of its own.
        known: what variables are, by their names with dots.
    """

    def __init__(self) -> None:
        import hcl2

        files = [_plain(hcl2.loads(path.read_text("utf-8"))) for path in sorted(ROOT.glob("*.tf"))]
        self.resources = [block for file in files for block in _blocks(file.get("resource", []))]
        self.data = [block for file in files for block in _blocks(file.get("data", []))]
        told = [each for file in files for each in file.get("locals", [])]
        self.locals = {name: _decoded(value) for each in told for name, value in each.items()}
        variables = {name: body for file in files for each in file.get("variable", []) for name, body in each.items()}
        defaults = {name: body["default"] for name, body in variables.items() if "default" in body}
        self.variables = {**defaults, **json.loads(TERMS.read_text("utf-8"))}

    def one(self, kind: str, name: str) -> Mapping[str, Any]:
        """A resource; there must be just one of that kind and name."""
        (found,) = (block.body for block in self.resources if (block.kind, block.name) == (kind, name))
        return found

    def value(self, told: object) -> Any:
        """What is told; if it is a variable, that."""
        found = re.fullmatch(r"\$\{var\.([\w.]+)\}", told) if isinstance(told, str) else None
        if not found:
            return told
        value: Any = self.variables
        for part in found[1].split("."):
            value = value[part]
        return value

    def each(self, body: Mapping[str, Any]) -> list[str]:
        """The keys of ``for_each``; one without a name if there is none.

        Raises:
            KeyError: it is none that this reader knows.
        """
        told = body.get("for_each")
        if told is None:
            return [""]
        if told == "${local.routes}":
            apis = self.locals["apis"].items()
            return [f"{name} {route}" for name, api in apis for route in self.value(api["routes"])]
        if names := re.fullmatch(r"\$\{toset\(\[(.*)\]\)\}", told):
            return [name.strip().strip('"') for name in names[1].split(",")]
        if told.startswith('${var.alarm_email == "" ?'):
            return ["alarm_email"]
        if told.startswith("${local."):
            return list(self.locals[told[len("${local.") : -1]])
        return list(self.value(told))

    def kinds(self) -> Counter[str]:
        """How many resources of each kind there would be."""
        found: Counter[str] = Counter()
        for block in self.resources:
            found[block.kind] += len(self.each(block.body))
        return found


def _plain(value: Any) -> Any:
    """Without the marks and quotes of the parser."""
    if isinstance(value, dict):
        return {_plain(name): _plain(each) for name, each in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def _decoded(value: Any) -> Any:
    """A value; if it is what is in a file of the root, that."""
    found = re.fullmatch(r'\$\{jsondecode\(file\("\$\{path\.module\}/([\w.]+)"\)\)\}', str(value))
    return json.loads((ROOT / found[1]).read_text("utf-8")) if found else value


def _blocks(told: list[Mapping[str, Any]]) -> Iterator[Block]:
    for each in told:
        for kind, named in each.items():
            for name, body in named.items():
                yield Block(kind, name, body)
