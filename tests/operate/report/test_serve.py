"""The weekly mail of a `serve` as people run it."""

import time
from pathlib import Path

from pixelake.cli import run
from tests.operate.importing import log_line
from tests.operate.report.mailbox import PASSWORD, URL_USER, mailbox
from tests.running import running

QUIET = 5.0
"""Seconds after which a second mail would have come: it is looked for as soon as the consumer runs."""


def test_serve_sends_it_once(tmp_path: Path) -> None:
    """The mail comes soon after the first start; none comes after a restart; the password is nowhere in the log."""
    (tmp_path / "access.log").write_text(log_line(0) + "\n")
    told = ["import", str(tmp_path / "access.log"), "--format", "combined", "--site", "shop.example"]
    assert run([*told, "--data", str(tmp_path / "data")]) == 0
    with mailbox(asks=True) as box:
        environment = {
            "PIXELAKE_REPORT_SITES": "shop.example",
            "PIXELAKE_REPORT_TO": "anna@shop.example",
            "PIXELAKE_REPORT_FROM": "pixelake@shop.example",
            "PIXELAKE_SMTP": f"smtp://{URL_USER}@127.0.0.1:{box.port}",
        }
        with running(tmp_path, environment=environment) as server:
            server.until(lambda: "report sent" if "report sent" in server.log else None, seconds=90)
            log = server.log
        assert len(box.mails) == 1
        assert box.mails[0]["Subject"].startswith("shop.example: 0 visitors")
        with running(tmp_path, environment=environment) as server:
            time.sleep(QUIET)
            log += server.log
        assert len(box.mails) == 1
    assert PASSWORD not in log
    assert URL_USER.partition(":")[2] not in log
