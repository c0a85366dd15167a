"""The benchmarks are scripts, whose folder is where they look for each other."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
