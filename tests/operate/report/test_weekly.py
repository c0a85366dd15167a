"""The weekly mail: when it is due, and sending it once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.errors import QueryError
from pixelake.operate.notices import notices
from pixelake.operate.report.gather import Report, Wanted
from pixelake.operate.report.post import Unsent, send, server_of
from pixelake.operate.report.weekly import UNHEARD, Desk, due, latest, send_due, tell
from pixelake.registry.reports import AGAIN
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import Settings
from pixelake.testing import FakeClock
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.zones import Clock, fixed
from tests.operate.report.made import report
from tests.operate.report.mailbox import mailbox

MONDAY = datetime(2026, 11, 16, 7, 0, tzinfo=UTC)
SITES = ("shop.example", "blog.example")


class Post:
    """Takes mails; fails as long as there is an error."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.error: Exception | None = None
        self.refused = ""

    def __call__(self, message: EmailMessage) -> str:
        """A mail."""
        if self.error:
            raise self.error
        self.mails.append(message)
        return self.refused


def make(wanted: Wanted) -> Report:
    """A report of any week."""
    return replace(report(site=wanted.site), wanted=wanted)


@pytest.fixture
def post() -> Post:
    """Takes mails."""
    return Post()


@pytest.fixture
def desk(tmp_path: Path, post: Post) -> Desk:
    """On a Monday at seven."""
    return another(tmp_path, post, FakeClock(microseconds(MONDAY)))


def another(folder: Path, post: Callable[[EmailMessage], str] | None, clock: FakeClock, **more: object) -> Desk:
    """What sends, in a process of its own; they share the registry."""
    settings = Settings(
        report_sites=SITES, report_to=("a@shop.example",), report_from="reports@shop.example", smtp="smtp://x", **more
    )
    registry = SqliteRegistry(folder / "registry.sqlite", clock=clock)
    registry.add_sites(SITES)
    return Desk(settings, registry, lambda: Clocks.of_registry(registry.snapshot(), "UTC"), make, clock, post)


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return round(moment.timestamp()) * SECOND


def forward(desk: Desk, by: int) -> None:
    """Let time pass (µs)."""
    desk.clock.advance(by / SECOND)  # type: ignore[attr-defined]


WHEN = {
    "as it is due": ("UTC", "2026-11-16T07:00", "monday", 7, "2026-11-09"),
    "just before": ("UTC", "2026-11-16T06:59", "monday", 7, "2026-11-02"),
    "on the last day": ("UTC", "2026-11-22T23:59", "monday", 7, "2026-11-09"),
    "another day": ("UTC", "2026-11-18T12:00", "wednesday", 12, "2026-11-09"),
    "not yet that day": ("UTC", "2026-11-17T12:00", "wednesday", 12, "2026-11-02"),
    "a site ahead of us": ("Pacific/Auckland", "2026-11-15T18:00", "monday", 7, "2026-11-09"),
    "a site behind us": ("America/New_York", "2026-11-16T11:59", "monday", 7, "2026-11-02"),
    "at midnight": ("Asia/Kolkata", "2026-11-15T18:30", "monday", 0, "2026-11-09"),
    "over a change of clocks": ("Europe/Berlin", "2026-10-26T06:00", "monday", 7, "2026-10-19"),
    "over a new year": ("UTC", "2027-01-04T07:00", "monday", 7, "2026-12-28"),
}


@pytest.mark.parametrize(("zone", "now", "day", "hour", "week"), WHEN.values(), ids=WHEN.keys())
def test_when_it_is_due(zone: str, now: str, day: str, hour: int, week: str) -> None:
    """On the clock of the site; it is of the last whole week, Monday to Sunday, and stays due until the next one."""
    clock = Clock(fixed(zone))
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = latest("shop", clock, moment, Settings(report_day=day, report_hour=hour))
    assert found.week == week
    assert clock.date(found.start).isoformat() == week
    assert found.end == clock.bounds(clock.date(found.start) + timedelta(days=7))[0]


def test_each_site_is_sent_once(desk: Desk, post: Post, tmp_path: Path) -> None:
    """One mail a site and week; not again when asked again, by another process, or after a restart."""
    assert send_due(desk) == 2
    assert [mail["Subject"].split(":")[0] for mail in post.mails] == [*SITES]
    assert due(desk) == []
    forward(desk, 6 * 86_400 * SECOND)
    assert send_due(desk) + send_due(another(tmp_path, post, desk.clock)) == 0  # type: ignore[arg-type]
    forward(desk, 86_400 * SECOND)
    assert send_due(desk) == 2
    assert len({mail["Message-ID"] for mail in post.mails}) == 4


def test_two_at_the_same_moment_send_one(desk: Desk, post: Post, tmp_path: Path) -> None:
    """Another process that sets out meanwhile sends nothing of its own."""
    other = another(tmp_path, post, desk.clock)  # type: ignore[arg-type]
    meanwhile: list[int] = []

    def slow(wanted: Wanted) -> Report:
        meanwhile.append(send_due(other))
        return make(wanted)

    assert send_due(replace(desk, report=slow)) + sum(meanwhile) == 2
    assert len(post.mails) == 2


def test_a_slow_one_is_overtaken_without_a_second_mail(desk: Desk, post: Post, tmp_path: Path) -> None:
    """Who takes so long that another one sets out, too, finds it sent."""
    other = another(tmp_path, post, desk.clock)  # type: ignore[arg-type]

    def slow(wanted: Wanted) -> Report:
        forward(desk, AGAIN)
        send_due(other)
        return make(wanted)

    send_due(replace(desk, report=slow))
    assert len(post.mails) == 2


def test_what_fails_is_told_and_tried_again(desk: Desk, post: Post) -> None:
    """A server that is away: a notice that names it, nothing at once, and a mail when it is back."""
    post.error = Unsent("mail.example:587: away", "look")
    assert send_due(desk) == 0
    assert send_due(desk) == 0
    (told,) = notices(desk.registry.noticed, desk.clock)
    assert (told.code, told.level, told.setting) == ("report_unsent", "warning", "smtp")
    assert "blog.example: mail.example:587: away" in told.text
    post.error = None
    assert send_due(desk) == 0
    forward(desk, AGAIN)
    assert send_due(desk) == 2
    assert all(each.sent and not each.error for each in desk.registry.reports.all())


def test_one_that_cannot_be_made_keeps_no_other(desk: Desk, post: Post) -> None:
    """A site whose report takes too long is told; the other one's is sent."""

    def half(wanted: Wanted) -> Report:
        if wanted.site == SITES[0]:
            raise QueryError("it takes\ntoo long", "wait")
        return make(wanted)

    assert send_due(replace(desk, report=half)) == 1
    assert post.mails[0]["Subject"].startswith(SITES[1])
    assert desk.registry.reports.all()[1].error == "it takes too long"


def test_an_address_that_is_refused_is_told(desk: Desk, post: Post) -> None:
    """The others have it: it is sent, and there is a notice."""
    post.refused = "a@shop.example was refused"
    assert send_due(desk) == 2
    assert "a@shop.example was refused" in notices(desk.registry.noticed, desk.clock)[0].text
    assert send_due(desk) == 0


def test_what_was_cut_short_while_it_was_sent_is_told(desk: Desk) -> None:
    """It may have come: so it is not sent again, and somebody hears of it."""
    desk.registry.reports.claim(SITES[0], "2026-11-09", desk.clock.now())
    desk.registry.reports.begin(SITES[0], "2026-11-09", desk.clock.now())
    tell(desk)
    assert not notices(desk.registry.noticed, desk.clock)
    forward(desk, UNHEARD + SECOND)
    assert [each.site for each in due(desk)] == [SITES[1]]
    tell(desk)
    assert "it may have come" in notices(desk.registry.noticed, desk.clock)[0].text


def test_a_site_that_is_not_there_has_no_report(desk: Desk) -> None:
    """A name in the settings that no site has is passed over."""
    assert due(replace(desk, settings=replace(desk.settings, report_sites=("gone.example",)))) == []


def test_through_a_real_server(tmp_path: Path) -> None:
    """The mails of both sites come to a mailbox."""
    with mailbox() as box:
        url = f"smtp://127.0.0.1:{box.port}"
        found = another(tmp_path, lambda mail: send(server_of(url), mail), FakeClock(microseconds(MONDAY)))
        assert send_due(found) == 2
    assert [mail["Subject"].split(":")[0] for mail in box.mails] == [*SITES]
