"""A server that takes mail, on a free port of this machine."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from ssl import SSLContext
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "me@shop.example", "p@ss:w/rd"
URL_USER = "me%40shop.example:p%40ss%3Aw%2Frd"


class Mailbox:
    """What has come.

    Attributes:
        mails: those that were taken, read.
        to: of each, to whom it went.
        users: who logged in.
        refuse: address -> what is answered for it.
        answer: to each mail.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.users: list[str] = []
        self.refuse: dict[str, str] = {}
        self.answer = "250 taken"
        self.port = 0

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - the library's name
        """Somebody it is for."""
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the library's name
        """The mail itself."""
        if self.answer.startswith("2"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.to.append(list(envelope.rcpt_tos))
        return self.answer

    def authenticate(self, server, session, envelope, mechanism, told):
        """Whether we know them."""
        assert isinstance(told, LoginPassword)
        self.users.append(told.login.decode())
        good = (told.login, told.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=good)


@contextmanager
def mailbox(*, asks: bool = False, tls: SSLContext | None = None) -> Iterator[Mailbox]:
    """A server, until the end of the block.

    Args:
        asks: who one is.
        tls: speaks it, from the first byte on.
    """
    box = Mailbox()
    more: dict[str, Any] = {
        "authenticator": box.authenticate,
        "auth_require_tls": False,
    }
    server = Controller(box, hostname="127.0.0.1", port=0, ssl_context=tls, **(more if asks else {}))
    # it would look for itself on port 0
    server._trigger_server = lambda: socket.create_connection(server.server.sockets[0].getsockname()).close()
    server.start()
    try:
        box.port = server.server.sockets[0].getsockname()[1]
        yield box
    finally:
        server.stop()
