"""TLS by setting: a certificate and its key from PEM files, exchanged while connections go on.

A pair is always tried in a context of its own first. `SSLContext.load_cert_chain`
on a context in use is no way to exchange it: the certificate is put in before its
key is looked at, and if that does not fit, the old key is thrown away
(OpenSSL, ``ssl_set_cert``), and every handshake from then on fails.
"""

import ssl
from pathlib import Path
from typing import Final

from pixelake.errors import SettingsError

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secret and authenticated, what Mozilla's guide calls intermediate. TLS 1.3 has no others."""
PROTOCOLS: Final = ("http/1.1",)
"""What is offered by ALPN. HTTP/2 and 3 are for a proxy in front."""
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"
_ENCRYPTED: Final = b"ENCRYPTED"
"""In the first line of a PKCS 8 key with a password, or in the second of an older one (RFC 1421 4.6.1.1)."""


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context: TLS 1.2 or newer, with this certificate, the chain behind it, and its key; both PEM.

    Raises:
        SettingsError: a file cannot be read, is not what it should be, or the two do not belong together.
    """
    _check(certificate, key)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    made.set_ciphers(CIPHERS)
    made.set_alpn_protocols(PROTOCOLS)
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise SettingsError(
            f"tls_key {key} does not belong to tls_certificate {certificate}, or one is damaged: {_reason(error)}",
            "the server's certificate must stand first in its file; its issuers may follow",
        ) from error
    except OSError as error:  # gone since we looked
        raise SettingsError(
            f"cannot read tls_certificate or tls_key: {error.strerror or error}", "put the files back"
        ) from error
    return made


def _check(certificate: Path, key: Path) -> None:
    """Say which file is at fault: OpenSSL does not."""
    if _CERTIFICATE not in _read("tls_certificate", certificate):
        raise SettingsError(
            f"tls_certificate {certificate} holds no certificate",
            "it is a PEM file with BEGIN CERTIFICATE: the server's own first, then its issuers",
        )
    text = _read("tls_key", key)
    if _KEY not in text:
        raise SettingsError(f"tls_key {key} holds no private key", "it is a PEM file with BEGIN PRIVATE KEY")
    if _ENCRYPTED in text:
        raise SettingsError(
            f"tls_key {key} needs a password, and nobody is there to give it",
            f"write it without one, readable for this user alone: openssl pkey -in {key} -out FILE",
        )


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: it can be no file's name
        raise SettingsError(
            f"cannot read {name} {path}: {getattr(error, 'strerror', None) or error}",
            "name a PEM file that this user may read",
        ) from error


def _no_password() -> str:
    """OpenSSL would ask the terminal."""
    return ""


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unknown").lower().replace("_", " ")


class Reloading:
    """A pair of files and the context to serve with, whose certificate can be exchanged.

    Attributes:
        context: for ``create_server(..., ssl=...)``. A handshake that begins after `reload` has the new certificate;
            connections that are open keep theirs.

    Raises:
        SettingsError: as `context`.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._newest = self.context = context(certificate, key)
        self.context.sni_callback = self._choose  # OpenSSL calls it for clients that name no server, too

    def reload(self) -> None:
        """Read the files again.

        Raises:
            SettingsError: as `context`; the certificate from before goes on.
        """
        self._newest = context(self._certificate, self._key)

    def _choose(self, connection: ssl.SSLObject, _server: str | None, _first: ssl.SSLContext) -> None:
        connection.context = self._newest
