"""The inside of a function on this machine: a process that gets events on its input and gives answers on its output.

A line of JSON each way; what a handler raises is an answer too, as Lambda tells
it: ``errorType`` and ``errorMessage``. What it prints goes to the log.
"""

import importlib
import json
import os
import sys
from typing import Any, Final

READY: Final = "ready"


def run(name: str) -> None:
    """Serve the handler of a module until the input ends. One event at a time, as in Lambda."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a handler that prints must not answer by it
    handler = importlib.import_module(name).handler
    _say(answers, READY)
    for line in sys.stdin:
        _say(answers, _answer(handler, json.loads(line)))


def _answer(handler: Any, event: Any) -> dict[str, Any]:
    try:
        return {"answer": handler(event, None)}
    except Exception as error:  # noqa: BLE001 - the platform is told of any
        return {"errorType": type(error).__name__, "errorMessage": str(error)}


def _say(answers: Any, what: Any) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    run(sys.argv[1])
