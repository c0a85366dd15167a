"""Handing a mail to a real server on this machine."""

import re
import socket
import ssl
from base64 import b64encode
from email.message import EmailMessage
from pathlib import Path

import pytest

from pixelake.errors import SettingsError
from pixelake.operate.report import post
from pixelake.operate.report.letter import letter
from pixelake.operate.report.post import Server, Unsent, send, server_of
from tests.certificates import make
from tests.operate.report.made import NAUGHTY, report
from tests.operate.report.mailbox import PASSWORD, URL_USER, USER, mailbox

TO = ["a@shop.example", "b@shop.example"]


@pytest.fixture
def mail() -> EmailMessage:
    """A report with hostile names."""
    return letter(report(NAUGHTY), "reports@shop.example", TO, "here")


URLS = {
    "everything": (f"smtp://{URL_USER}@mail.example:25", Server("mail.example", 25, USER, PASSWORD, False)),
    "the usual port": ("smtp://mail.example", Server("mail.example", 587, "", "", False)),
    "the usual port with TLS": ("smtps://u:p@mail.example/", Server("mail.example", 465, "u", "p", True)),
    "an address": ("smtp://[::1]:2525", Server("::1", 2525, "", "", False)),
}


@pytest.mark.parametrize(("url", "server"), URLS.values(), ids=URLS.keys())
def test_servers(url: str, server: Server) -> None:
    """A URL names the server, and who we are to it."""
    assert server_of(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://u:secret@x",
        "smtp://",
        "smtp://u:secret@",
        "smtp://u:secret@x:99999",
        "smtp://x:0",
        "smtp://u:secret@x/path",
        "smtp://u:secret@x?y",
        "smtp://u%0a:secret@x",
        "smtp://[u:secret@x",
        "smtp://x y",
    ],
)
def test_what_is_no_server_is_refused(url: str) -> None:
    """Without telling the URL: it may hold a password."""
    with pytest.raises(SettingsError) as told:
        server_of(url)
    assert "secret" not in f"{told.value} {told.value.hint}"


def test_a_mail_comes_as_it_was_sent(mail: EmailMessage) -> None:
    """All that it is for get it, and its text is the same, byte by byte."""
    with mailbox() as box:
        assert send(server_of(f"smtp://127.0.0.1:{box.port}"), mail) == ""
    assert box.to == [TO]
    for ours, theirs in zip(mail.iter_parts(), box.mails[0].iter_parts(), strict=True):
        assert theirs.get_content().replace("\r\n", "\n") == ours.get_content().replace("\r\n", "\n")


def test_a_server_that_asks_is_told(mail: EmailMessage) -> None:
    """User and password are those of the URL, decoded."""
    with mailbox(asks=True) as box:
        send(server_of(f"smtp://{URL_USER}@127.0.0.1:{box.port}"), mail)
    assert set(box.users) == {USER}
    assert len(box.mails) == 1


def test_a_wrong_password_is_told_without_it(mail: EmailMessage) -> None:
    """The message says where and what, and never the password."""
    with mailbox(asks=True) as box, pytest.raises(Unsent, match="535") as told:
        send(server_of(f"smtp://me:sesame@127.0.0.1:{box.port}"), mail)
    assert "sesame" not in f"{told.value} {told.value.hint}"
    assert "password" in told.value.hint
    assert not box.mails


def test_the_password_is_not_sent_in_clear(mail: EmailMessage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is elsewhere and offers no TLS is not told it."""
    monkeypatch.setattr(Server, "is_here", property(lambda _: False))
    with mailbox(asks=True) as box, pytest.raises(Unsent, match="no TLS"):
        send(server_of(f"smtp://{URL_USER}@127.0.0.1:{box.port}"), mail)
    assert not box.users


def test_tls_is_checked(mail: EmailMessage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that nobody vouches for is refused; one that is trusted is not."""
    pair = make(tmp_path, "mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    with mailbox(tls=context) as box:
        server = server_of(f"smtps://127.0.0.1:{box.port}")
        with pytest.raises(Unsent, match="certificate"):
            send(server, mail)
        monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
        send(server, mail)
    assert len(box.mails) == 1


def test_who_is_refused_is_told(mail: EmailMessage) -> None:
    """One of two gets it; if nobody does, it is an error."""
    with mailbox() as box:
        box.refuse = {TO[0]: "550 unknown"}
        assert send(server_of(f"smtp://127.0.0.1:{box.port}"), mail) == f"{TO[0]} was refused"
        box.refuse = dict.fromkeys(TO, "550 unknown here")
        with pytest.raises(Unsent, match="550 unknown here: all of report_to"):
            send(server_of(f"smtp://127.0.0.1:{box.port}"), mail)
    assert box.to == [[TO[1]]]


def test_what_a_server_says_is_one_line(mail: EmailMessage) -> None:
    """A refusal is told by its code and text, without what a terminal would obey."""
    with mailbox() as box:
        box.answer = "554 no\x1b[31m thanks"
        with pytest.raises(Unsent) as told:
            send(server_of(f"smtp://127.0.0.1:{box.port}"), mail)
    assert str(told.value) == f"127.0.0.1:{box.port}: 554 no [31m thanks"


def echoes() -> dict[str, str]:
    """What a server may repeat of what it was told -> by what the password could be known."""
    plain, login = (b64encode(each.encode()).decode() for each in (f"\0{USER}\0{PASSWORD}", PASSWORD))
    return {
        "plain": f"bad {PASSWORD}",
        "two lines": f"bad {PASSWORD[:3]}\r\n{PASSWORD[3:]}",
        "AUTH LOGIN": f"bad {login}",
        "AUTH LOGIN without padding": f"bad {login.rstrip('=')}!",
        "AUTH PLAIN": f"bad AUTH PLAIN {plain}",
        "AUTH PLAIN in lines": f"bad {plain[:20]}\r\n {plain[20:]}",
        "where the line is cut": "x" * (post._MOST - len("554 ") - len(login) + 2) + login,
    }


@pytest.mark.parametrize("echo", echoes().values(), ids=echoes().keys())
def test_a_server_that_repeats_the_password_is_not_quoted(mail: EmailMessage, echo: str) -> None:
    """Neither as it is, nor in base64 as it was sent, nor a part of it."""
    with mailbox(asks=True) as box:
        box.answer = "\r\n".join(f"554{'- '[at]}{line}" for at, line in enumerate(("no", echo.replace("\r\n", "\t"))))
        with pytest.raises(Unsent) as told:
            send(server_of(f"smtp://{URL_USER}@127.0.0.1:{box.port}"), mail)
    said = str(told.value)
    assert "***" in said
    assert "554 no" in said
    assert not re.search(r"AHBAc3|cEBzczp3|cEBz|p@s|w/rd|L3Jk|[A-Za-z0-9+/]{12,}", said.replace("x" * 40, ""))


def test_a_password_that_cannot_be_sent_is_not_quoted(mail: EmailMessage) -> None:
    """One with letters beyond ASCII: what is wrong is told, and none of them."""
    with mailbox(asks=True) as box, pytest.raises(Unsent, match="ASCII") as told:
        send(server_of(f"smtp://me:s%C3%A9same@127.0.0.1:{box.port}"), mail)
    assert not {"é", "xe9", "same"} & set(re.split(r"[^\wé]+", f"{told.value}"))


def test_a_server_that_is_away_is_told(mail: EmailMessage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens, or whoever does says nothing: an error, in time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(post, "TIMEOUT", 0.3)
        with pytest.raises(Unsent, match="timed out"):
            send(server_of(f"smtp://127.0.0.1:{port}"), mail)
    with pytest.raises(Unsent, match="refused"):
        send(server_of(f"smtp://127.0.0.1:{port}"), mail)
