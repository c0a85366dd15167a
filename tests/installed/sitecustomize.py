"""Python imports this as it starts, in the processes that tests start: they have what an installation has.

One has neither pandas nor numpy; a tool of the tests brings them, and pyarrow and DuckDB take them in where they are:
a third of the time that `pixelake status` takes.
"""

import sys


class Absent:
    """Finds neither."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Tell whoever imports it that there is none, and nothing of others."""
        if name in {"pandas", "numpy"}:
            raise ModuleNotFoundError(f"no installation has {name}", name=name)


sys.meta_path.insert(0, Absent)
