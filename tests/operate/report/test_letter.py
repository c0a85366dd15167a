"""A report as a mail."""

import re
from email import message_from_bytes, policy

import pytest

from pixelake.errors import SettingsError
from pixelake.operate.report import words
from pixelake.operate.report.letter import SUBJECT, letter
from tests.operate.report.made import NAUGHTY, report

FROM, TO = "reports@shop.example", ["a@shop.example", "b@shop.example"]


def read(**changed):
    """A mail as a mailbox reads it, from its bytes."""
    return message_from_bytes(letter(report(**changed), FROM, TO, "here").as_bytes(), policy=policy.default)


def test_it_is_text_and_a_page() -> None:
    """Whoever reads plain text reads the same numbers; the page is the last and best alternative."""
    mail = read()
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for each in ("1,204", "/pricing", "5 accepted = 1 in the stream + 4 settled", "report_to"):
        assert each in text.get_content()
        assert each in html.get_content()


def test_the_subject_says_how_it_goes() -> None:
    """The list of a mailbox is enough for most weeks."""
    assert read()["Subject"] == "shop.example: 1,204 visitors (+12%), 9 to 15 Nov 2026"


def test_its_head_is_that_of_a_machine_s_mail() -> None:
    """It says when, from whom, to whom, that no person wrote it, and how to stop it."""
    mail = read()
    assert mail["From"] == f"pixelake <{FROM}>"
    assert mail["To"] == ", ".join(TO)
    assert mail["Date"].datetime == report().made_at
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"].strip().startswith(f"<mailto:{FROM}?subject=")


def test_the_same_report_is_the_same_mail() -> None:
    """What is sent again after a cut line has the same id; another site, week or installation another one."""
    ids = {read()["Message-ID"], read()["Message-ID"]}
    assert len(ids) == 1
    others = {read(site="other")["Message-ID"], letter(report(), FROM, TO, "elsewhere")["Message-ID"]}
    assert not ids & others
    assert len(others) == 2


@pytest.mark.parametrize("site", NAUGHTY, ids=range(len(NAUGHTY)))
def test_a_hostile_site_adds_no_header(site: str) -> None:
    """The head has the same lines whatever the site is called, and every line is short enough."""
    told = letter(report(NAUGHTY, site=site), FROM, TO, "here").as_bytes()
    mail, plain = message_from_bytes(told, policy=policy.default), read()
    assert mail.keys() == plain.keys()
    assert mail["Subject"].strip().startswith(re.sub(r"\s+", " ", words.name(site, ""))[:SUBJECT].strip()[:20])
    assert [*mail["To"].addresses] == [*plain["To"].addresses]
    assert max(map(len, told.split(b"\r\n"))) <= 998
    told.decode("ascii")


@pytest.mark.parametrize("text", ["", "a", "a@", "a b@x", "a@x\nBcc: v@x", "a@x,b@x", "<a@x>", "ä@x", "a@-x", "a@x\0"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Nothing that could begin another header or name another person is taken for an address."""
    with pytest.raises(SettingsError, match="is no address"):
        letter(report(), FROM, [text], "here")
    with pytest.raises(SettingsError, match="is no address"):
        letter(report(), text, TO, "here")
