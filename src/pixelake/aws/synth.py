"""The templates of the stacks, for CloudFormation: `deploy/aws` of the sources makes them. Extra ``deploy``."""

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pixelake
from pixelake.errors import SettingsError

ROOT: Final = Path(pixelake.__file__).parents[2]
"""Of the sources."""
STACKS: Final = ROOT / "deploy" / "aws"


def synth(context: Mapping[str, str], out: Path | None = None) -> Path:
    """Write the template of a stack, and what the CDK writes beside it.

    Args:
        context: what is chosen, as for the CDK: ``topology``, and options.
        out: the folder; by default ``deploy/aws/out/<topology>`` of the sources.

    Returns:
        The template.

    Raises:
        SettingsError: an option is wrong, something is missing, or a rule does not hold.
    """
    if not (STACKS / "app.py").is_file():
        raise SettingsError("the stacks are not here", "they are in the sources: run pixelake from a checkout")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    try:
        stacks = importlib.import_module("deploy.aws.app")
    except ImportError as error:
        raise SettingsError(f"{error.name} is missing", "pip install 'pixelake[deploy]', and node.js") from None
    except FileNotFoundError:
        raise SettingsError(
            "node.js is missing: the CDK runs on it", "install a release of node that is kept"
        ) from None
    options = stacks.read(context)
    folder = out or STACKS / "out" / options.topology
    made = stacks.app(folder, context)
    try:
        made.synth()
    except RuntimeError as error:  # of the CDK: a rule does not hold
        raise SettingsError("the CDK refuses the stack", f"see {folder / 'validation-report.json'}") from error
    return folder / f"{options.name}.template.json"


def parameters(template: Path) -> Mapping[str, str]:
    """The parameters of a template that must be given, and what each is."""
    told = json.loads(template.read_text("utf-8")).get("Parameters", {})
    return {name: each["Description"] for name, each in told.items() if "Default" not in each}
