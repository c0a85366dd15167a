"""The hot path of the collector fits on a page."""

import ast
import inspect
import textwrap
from collections.abc import Callable

from pixelake.collect.admission import Admission
from pixelake.collect.plain import Plain
from pixelake.collect.protocol import Connection
from pixelake.collect.turn import Desk

PAGE = 110
"""Lines."""
HOT_PATH: tuple[Callable[..., object], ...] = (
    Connection.data_received,
    Desk.schedule,
    Desk.close_turn,
    Admission.may_all,
    Plain.any_odds,
    Desk._commit,
    Desk._committed,
    Desk.settle,
)
"""What runs for a plain hit between its bytes and its answer, in order; the stream has a page of its own."""


def _lines(function: Callable[..., object]) -> int:
    """Lines of a function, without its docstring and empty ones."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    if ast.get_docstring(definition):
        definition.body = definition.body[1:]
    return len(ast.unparse(definition).splitlines())


def test_the_hot_path_fits_on_a_page() -> None:
    """A stranger can read all of it; whoever adds to it must take something away."""
    assert sum(map(_lines, HOT_PATH)) <= PAGE
