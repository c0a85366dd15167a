"""A report as a mail: its text, and the page beside it for who wants to see it."""

from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from pixelake import __version__
from pixelake.operate.report import words
from pixelake.operate.report.gather import Panel, Report
from pixelake.operate.report.page import page
from pixelake.operate.report.plan import address
from pixelake.operate.report.sections import Section

SUBJECT: Final = 60
"""Characters of a site's name in the subject."""
_WIDTH: Final = 44


def letter(report: Report, sender: str, to: Sequence[str], installation: str) -> EmailMessage:
    """The mail, whole.

    Args:
        report: what it tells.
        sender: an address.
        to: addresses.
        installation: what tells this one from others: the same report of it has the same Message-ID, so that
            a mailbox that gets it twice can tell.

    Raises:
        SettingsError: one of them is no address.
    """
    came_from = address("report_from", sender)
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject(report)
    message["From"] = came_from
    message["To"] = [address("report_to", each) for each in to]
    message["Date"] = format_datetime(report.made_at)
    message["Message-ID"] = f"<{_identity(report, installation)}@{came_from.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["List-Unsubscribe"] = f"<mailto:{sender}?subject={quote('stop the report')}>"
    message["X-Mailer"] = f"pixelake {__version__}"
    message.set_content("\n".join(lines(report, sender)) + "\n", cte="quoted-printable")
    message.add_alternative(page(report, for_mail=True, closing=_closing(sender)), "html", cte="quoted-printable")
    return message


def subject(report: Report) -> str:
    """What stands in the list of a mailbox: ``shop.example: 1,204 visitors (+12%), 16 to 22 Nov 2026``."""
    site = words.site_of(report)
    site = site if len(site) <= SUBJECT else f"{site[:SUBJECT]}…"
    return f"{site}: {words.visitors_of(report)}, {words.period_of(report)}"


def _identity(report: Report, installation: str) -> str:
    told = "\0".join((installation, report.wanted.site or "", report.wanted.start.isoformat()))
    return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _closing(sender: str) -> str:
    return (
        f"This mail comes once a week, as the setting report_to of a pixelake names you. Answer to {sender} to be"
        " taken out of it; who runs it empties report_to."
    )


def lines(report: Report, sender: str) -> Iterator[str]:
    """The report as plain text, line by line."""
    yield from (words.site_of(report), words.period_line(report), "")
    for figure in report.figures:
        yield _columns(figure.of.title, words.number(figure.value, figure.of.unit), words.change(figure.change))
    yield from _titled("Over time", f"page views by {report.interval}")
    for point in report.points:
        yield _columns(words.bucket(point.at, report.interval), words.number(point.views), "")
    if report.unusual:
        yield from _titled("Unusual hours", "")
        yield from (f"{words.hours(each)}: {words.unusual(each, report.wanted.site)}" for each in report.unusual)
    for panel in report.panels:
        yield from _panel(panel, report.wanted.site)
    yield from _titled("People and machines", "")
    yield words.people(report)
    if report.notes:
        yield from _titled("Notes", "")
        yield from report.notes
    yield from _titled("Where every hit is", "")
    yield words.trust(report)
    yield from (f"{'ok ' if holds else 'NOT'} {text}" for text, holds in words.sums_of(report))
    yield from ("", "--", *words.small(report), _closing(sender))


def _titled(title: str, unit: str) -> Iterator[str]:
    yield from ("", f"{title} ({unit})" if unit else title, "-" * len(title))


def _panel(panel: Panel, site: str | None) -> Iterator[str]:
    of: Section = panel.of
    yield from _titled(of.title, of.unit)
    if not panel.rows:
        yield "Nothing in this period."
    for row in panel.rows:
        name = words.page_name(row.name, site, of.nothing)
        yield _columns(name, words.number(row.value), words.change(row.change))


def _columns(name: str, value: str, change: str) -> str:
    shown = name if len(name) <= _WIDTH else f"{name[: _WIDTH - 1]}…"
    return f"{shown:<{_WIDTH}} {value:>10}  {change}".rstrip()
