"""The demo's world: a sample page with the tag on it, and visitors who come and go."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from random import Random

from pixelake.clock import SYSTEM
from pixelake.operate.listen import connection
from pixelake.testing import Request, traffic

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A page with a pixel</title>
<body style="font: 1.1rem/1.6 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>A page with a pixel</h1>
<p>This page ends with the tag below. Each time you load it, the dashboard shows a visit.</p>
<pre style="white-space: pre-wrap; background: #8881; padding: 1rem">{shown}</pre>
{tag}
</body></html>
"""


@contextmanager
def sample_page(tag: str) -> Iterator[str]:
    """A page that ends with `tag`, on this machine; yields its address."""
    body = _PAGE.format(tag=tag, shown=escape(tag)).encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, name="sample page", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def send_visitors(url: str, rate: float, random: Random, count: int | None = None) -> int:
    """Send visitors to the pixel at `url`, about `rate` a second, `count` of them or without end; how many it took."""
    taken = 0
    for request in islice(traffic(random), count):
        taken += _send(url, request)
        SYSTEM.sleep(random.expovariate(rate))
    return taken


def _send(url: str, request: Request) -> bool:
    # on Linux the whole of 127.0.0.0/8 is ours, so that visitors differ in address; elsewhere only in user agent
    for source in ((request.address, 0), None):
        visit = connection(url, 5.0, source)
        try:
            visit.request("GET", request.target, headers=request.headers)
            return visit.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            continue
        finally:
            visit.close()
    return False
