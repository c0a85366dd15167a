"""Python imports this as it starts, in the processes that tests start: they have what an installation has.

One has no pandas; a tool of the tests brings it, and pyarrow takes it in where it is: a third of the time that
`pixelake status` takes.
"""

import sys


class Absent:
    """Finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Tell whoever imports it that there is none, and nothing of others."""
        if name == "pandas":
            raise ModuleNotFoundError(f"no installation has {name}", name=name)


sys.meta_path.insert(0, Absent)
