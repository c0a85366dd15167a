"""Hands a mail to the server that the setting ``smtp`` names. What it says of the password is nothing."""

import re
import smtplib
import ssl
from base64 import b64encode
from contextlib import suppress
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pixelake.errors import PixelakeError, SettingsError

TIMEOUT: Final = 30.0
"""Seconds for each answer of the server."""
_PORTS: Final = {"smtp": 587, "smtps": 465}
_HINT: Final = "write smtp://user:password@host:587 or smtps://user:password@host:465; %40 is an @ in them"
_MOST: Final = 300
"""Characters of what a server says that are passed on."""


class Unsent(PixelakeError):
    """A mail was not taken."""


class Server(NamedTuple):
    """A server that takes mail.

    Attributes:
        host: its name or address.
        port: on which it listens.
        user: who we are to it; empty: it does not ask.
        password: of that user.
        is_tls: TLS from the first byte on; else by STARTTLS.
    """

    host: str
    port: int
    user: str
    password: str
    is_tls: bool

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine: nobody listens on the way."""
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"


def server_of(url: str) -> Server:
    """The server that a URL names.

    Raises:
        SettingsError: it names none; the URL is not told, as it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError("smtp is no URL", _HINT) from None
    texts = [parts.hostname or "", unquote(parts.username or ""), unquote(parts.password or "")]
    if parts.scheme not in _PORTS or not texts[0] or parts.path.strip("/") or parts.query or parts.fragment:
        raise SettingsError("smtp is no URL of a server for mail", _HINT)
    if not all(each.isascii() and each.isprintable() and " " not in each for each in texts[:2]) or port == 0:
        raise SettingsError("smtp names a host, a port or a user that cannot be", _HINT)
    return Server(texts[0], port or _PORTS[parts.scheme], texts[1], texts[2], parts.scheme == "smtps")


def send(server: Server, message: EmailMessage) -> str:
    """Hand it over. Returns which addresses were refused while others were taken, in a line; mostly nothing.

    Raises:
        Unsent: the server is away, does not let us in, or takes it for nobody; or would hear the password in clear.
    """
    try:
        with _connected(server) as connection:
            _enter(connection, server)
            refused = connection.send_message(message)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise _unsent(server, error) from error
    return ", ".join(f"{address} was refused" for address in refused)


def _connected(server: Server) -> smtplib.SMTP:
    if server.is_tls:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT, context=ssl.create_default_context())
    return smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)


def _enter(connection: smtplib.SMTP, server: Server) -> None:
    """Encrypt what can be, then say who we are."""
    connection.ehlo()
    is_safe = server.is_tls or server.is_here
    if not is_safe and connection.has_extn("starttls"):
        connection.starttls(context=ssl.create_default_context())
        connection.ehlo()
        is_safe = True
    if not server.user:
        return
    if not is_safe:
        raise Unsent(f"{server.host} offers no TLS, and the password is not sent in clear", "name one with smtps://")
    connection.login(server.user, server.password)


def _unsent(server: Server, error: Exception) -> PixelakeError:
    said = _line(_without_password(_said(error), server))
    where = f"{server.host}:{server.port}"
    is_login = isinstance(error, smtplib.SMTPAuthenticationError)
    hint = "look at user and password in smtp" if is_login else "look at smtp, and at that server"
    return Unsent(f"{where}: {said[:_MOST]}", hint)


def _without_password(text: str, server: Server) -> str:
    """A text as it came, but for the password: plain, or as it goes over the wire, also if that is broken into lines.

    Alone (``AUTH LOGIN``), and with the user before it (``AUTH PLAIN``), in base64; with padding or without.
    """
    if not server.password:
        return text
    sent = (server.password, f"\0{server.user}\0{server.password}")
    coded = [b64encode(each.encode()).decode().rstrip("=") for each in sent]
    forms = sorted([server.password, *coded], key=len, reverse=True)
    return re.sub("|".join(r"[\s\0]*".join(map(re.escape, form)) for form in forms), "***", text)


def _said(error: Exception) -> str:
    """What a server answered, or what is wrong on the way, as it came."""
    if isinstance(error, UnicodeEncodeError):  # its own text quotes what it cannot write
        return "user, password or an address has letters that a mail server takes only in ASCII"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()), (0, b"nobody takes it"))
        return f"{code} {_text(text)}: all of report_to were refused"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return str(error) or type(error).__name__


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
