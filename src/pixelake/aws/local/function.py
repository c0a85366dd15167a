"""A function on this machine: its handler in processes of their own, which are kept warm, killed, and started anew."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pixelake.errors import PixelakeError

TIMEOUT: Final = 60.0
"""Seconds that a call may take; then its process is killed, as Lambda does."""


class FunctionFailed(PixelakeError):
    """A handler raised, or its process died. `kind` is the name of the error."""

    def __init__(self, name: str, kind: str, message: str) -> None:
        super().__init__(f"{name}: {kind}: {message}", "its log says why")
        self.kind = kind


class _Instance:
    """A process with the handler in it."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "pixelake.aws.local.runtime", module],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for whoever started us; he ends us once all is settled
        )
        self._lines()

    def call(self, event: object, timeout: float) -> Any:
        """What the handler answers. Raises EOFError if the process died, or was killed because of the time."""
        assert self.process.stdin  # noqa: S101 - a pipe
        timer = threading.Timer(timeout, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(event) + "\n")
            self.process.stdin.flush()
            return self._lines()
        except BrokenPipeError:
            raise EOFError from None
        finally:
            timer.cancel()

    def end(self) -> None:
        """Let it end."""
        assert self.process.stdin  # noqa: S101 - a pipe
        assert self.process.stdout  # noqa: S101 - a pipe
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def _lines(self) -> Any:
        assert self.process.stdout  # noqa: S101 - a pipe
        line = self.process.stdout.readline()
        if not line:
            raise EOFError
        return json.loads(line)


class Function:
    """A function. For use by several threads: as many calls at once as it has instances; others wait."""

    def __init__(
        self, name: str, module: str, environment: Mapping[str, str], *, instances: int = 1, timeout: float = TIMEOUT
    ) -> None:
        """Start its processes when they are first needed.

        Args:
            name: for messages.
            module: that has the ``handler``.
            environment: of its processes.
            instances: how many there are at most.
            timeout: seconds of a call.
        """
        self.name = name
        self._module, self._environment, self._timeout = module, environment, timeout
        self._idle: queue.LifoQueue[_Instance | None] = queue.LifoQueue()
        self._busy: set[_Instance] = set()
        self._lock = threading.Lock()
        self._instances = instances
        for _ in range(instances):
            self._idle.put(None)

    def call(self, event: object) -> Any:
        """What the handler answers.

        Raises:
            FunctionFailed: it raised, or its process died or took too long; the next call has another one.
        """
        instance = self._idle.get()
        try:
            if instance is None:
                instance = _Instance(self._module, self._environment)
            with self._lock:
                self._busy.add(instance)
            found = instance.call(event, self._timeout)
        except EOFError:
            if instance:
                instance.end()
                with self._lock:
                    self._busy.discard(instance)
            self._idle.put(None)
            raise FunctionFailed(self.name, "Runtime.ExitError", "its process has died") from None
        with self._lock:
            self._busy.discard(instance)
        self._idle.put(instance)
        if "errorType" in found:
            raise FunctionFailed(self.name, found["errorType"], found["errorMessage"])
        return found["answer"]

    def crash(self) -> None:
        """Kill the processes that are at work just now."""
        with self._lock:
            for instance in self._busy:
                instance.process.kill()

    def close(self) -> None:
        """End all processes, each once its call is done."""
        for _ in range(self._instances):
            instance = self._idle.get()
            if instance:
                instance.end()
