"""Makes the template of a design: run by the CDK (`cdk.json`), by `pixelake aws synth`, and by tests."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # the CDK runs this file, and knows of no package
# node is a tool of the build here: that a release of it is old says nothing about what is deployed
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20,22")

from aws_cdk import App, Validations  # noqa: E402 - behind what it reads
from cdk_nag import AwsSolutionsChecks, ServerlessChecks  # noqa: E402

from deploy.aws.house import House  # noqa: E402
from deploy.aws.options import read  # noqa: E402
from deploy.aws.topologies import build  # noqa: E402
from pixelake.errors import PixelakeError  # noqa: E402


def app(out: Path | None = None, context: Mapping[str, Any] | None = None) -> App:
    """An application with one stack in it.

    Args:
        out: the folder of what is synthesised; by default the CDK says.
        context: options; by default the CDK says them.

    Raises:
        SettingsError: an option is wrong.
    """
    made = App(outdir=str(out) if out else None, analytics_reporting=False, context=dict(context) if context else None)
    given = context if context is not None else made.node.get_all_context()
    Validations.of(made).add_plugins(AwsSolutionsChecks(made), ServerlessChecks(made))
    build(House(made, read(given)))
    return made


def main() -> int:
    """For the CDK: one line if it is refused."""
    try:
        app().synth()
    except PixelakeError as error:
        print(f"{error}. {error.hint}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
