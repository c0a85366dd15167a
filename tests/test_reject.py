"""The docs tell every reason that the code gives, and no other."""

import ast
import re
from pathlib import Path

import pixelake
from pixelake import reject

SOURCE = Path(pixelake.__file__).parent
DOCS = SOURCE.parents[1] / "docs"
MAKERS = ("Fault", "BodyError")
"""What is called with a reason, first."""
HANDED_ON = ("reason",)
"""A `BodyError` makes its own fault of the reason it was given."""


def _given() -> set[str]:
    """Every reason that some code gives, as it is written there."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(first.value)
                elif ast.unparse(first) not in HANDED_ON:
                    found.add(f"{path.name}:{node.lineno} does not say which")
    return found


def test_every_reason_is_declared() -> None:
    """What the code gives is what is declared."""
    assert _given() == set(reject.REASONS)


def test_the_page() -> None:
    """``docs/rejects.md`` is what the code says: every reason and every column."""
    page = (DOCS / "rejects.md").read_text(encoding="utf-8")
    assert page == reject.as_markdown()
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)) == set(reject.REASONS)
    assert all(f"\n| `{field.name}` | {field.type} |" in page for field in reject.FIELDS)
