"""Moto's server, one call of DynamoDB or Kinesis at a time: ``python tests/moto_in_turns.py PORT``.

Moto looks at a condition and then stores, and counts and then numbers, without
a lock: of two at once both might win, which AWS's services never let happen.
"""

import sys
import threading
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server


def main(port: int) -> None:
    """Serve until the process is ended."""
    app = DomainDispatcherApplication(create_backend_app)
    turns = {"DynamoDB": threading.Lock(), "Kinesis": threading.Lock()}

    def in_turn(environ: Any, start: Any) -> Iterable[bytes]:
        service = environ.get("HTTP_X_AMZ_TARGET", "").partition("_")[0]
        with turns.get(service, nullcontext()):
            return list(app(environ, start))

    make_server("127.0.0.1", port, in_turn, threaded=True, request_handler=MotoRequestHandler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
