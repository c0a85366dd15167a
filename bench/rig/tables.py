"""Markdown tables on standard output; progress goes to standard error."""

import statistics
import sys
from collections.abc import Iterable, Sequence


def say(text: str) -> None:
    """What is going on."""
    print(text, file=sys.stderr, flush=True)


def spread(values: Sequence[float], form: str) -> str:
    """Median, and in brackets the least and the most; of one value, that."""
    low, middle, high = (format(value, form) for value in (min(values), statistics.median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print one, with its title above."""
    lines = [_line(header), "|" + "---|" * len(header), *map(_line, rows)]
    print(f"\n**{title}**\n", *lines, sep="\n", flush=True)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
