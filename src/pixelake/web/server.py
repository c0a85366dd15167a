"""Runs the application on sockets that somebody else bound, until SIGTERM or Ctrl-C."""

import signal
import socket
import threading
from collections.abc import Sequence
from typing import Final

import uvicorn
from fastapi import FastAPI

from pixelake.web.live import Feed

GRACE_SECONDS: Final = 1
"""A request that still runs is given so long; event streams end at once."""


class _Server(uvicorn.Server):
    """uvicorn waits for open connections before it tells the application; a live feed would hold it up."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live feed first."""
        self._feed.close()
        await super().shutdown(sockets)


def server(app: FastAPI) -> uvicorn.Server:
    """A server for an application of `pixelake.web.api.create`; setting its ``should_exit`` stops it."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        # Its lines would hold the token of the first request.
        access_log=False,
        server_header=False,
        # Whose address a request comes from does not matter here.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return _Server(config, app.state.feed)


def run(app: FastAPI, sockets: Sequence[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT, then drain (below 2 s) and return."""
    if threading.current_thread() is threading.main_thread():
        # uvicorn raises the signal again when it is done, for whoever handled it before.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
    server(app).run(sockets=list(sockets))
