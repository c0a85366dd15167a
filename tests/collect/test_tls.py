"""Tests of `pixelake.collect.tls`: whole handshakes against real certificates."""

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelake.collect.tls import Reloading, context
from pixelake.errors import SettingsError
from tests.certificates import Pair, make


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """What is served."""
    return make(tmp_path, "served")


@pytest.fixture
def other(tmp_path: Path) -> Pair:
    """Another one."""
    return make(tmp_path, "other")


def handshake(
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    name: str | None = "localhost",
    session: ssl.SSLSession | None = None,
) -> ssl.SSLObject:
    """The client's side of a connection, after a handshake in memory and a word from the server."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name, session=session)
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for side in {theirs, ours} - done:
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
    ours.write(b"x")  # TLS 1.3 sends its tickets before
    assert theirs.read(1) == b"x"
    return theirs


def trusting_all() -> ssl.SSLContext:
    """A client that takes whatever it is shown."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def test_what_is_spoken(pair: Pair) -> None:
    """TLS 1.3, or 1.2 with a forward-secret and authenticated cipher; HTTP/1.1 by ALPN; nothing older."""
    server = context(*pair)
    client = pair.trusting
    client.set_alpn_protocols(["h2", "http/1.1"])
    connection = handshake(server, client)
    assert (connection.version(), connection.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = handshake(server, client)
    cipher = connection.cipher()
    assert cipher is not None
    assert cipher[0].startswith("ECDHE-")
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
    client.set_ciphers("AES128-SHA@SECLEVEL=0")  # no forward secrecy
    with pytest.raises(ssl.SSLError):
        handshake(server, client)
    assert server.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_new_certificate(pair: Pair, other: Pair) -> None:
    """After a reload handshakes have the new certificate, whether the client names a server or not."""
    served = Reloading(*pair)
    assert handshake(served.context, trusting_all()).getpeercert(binary_form=True) == pair.der
    pair.replace(other)
    assert handshake(served.context, trusting_all()).getpeercert(binary_form=True) != other.der  # until then not
    served.reload()
    for name in ("localhost", None):
        connection = handshake(served.context, trusting_all(), name)
        assert connection.getpeercert(binary_form=True) == other.der
        assert connection.cipher() == handshake(context(*other), trusting_all(), name).cipher()


def test_a_broken_certificate_changes_nothing(pair: Pair, other: Pair) -> None:
    """If only half of the pair is new, handshakes go on with the old one; and with the new one once it is whole."""
    served, old = Reloading(*pair), pair.der
    pair.certificate.write_bytes(other.certificate.read_bytes())
    with pytest.raises(SettingsError, match="does not belong"):
        served.reload()
    assert handshake(served.context, trusting_all()).getpeercert(binary_form=True) == old
    pair.key.write_bytes(other.key.read_bytes())
    served.reload()
    assert handshake(served.context, trusting_all()).getpeercert(binary_form=True) == other.der


def test_sessions_outlive_a_reload(pair: Pair, other: Pair) -> None:
    """Who comes back with a ticket from before needs no whole handshake."""
    served, client = Reloading(*pair), trusting_all()
    session = handshake(served.context, client).session
    pair.replace(other)
    served.reload()
    assert handshake(served.context, client, session=session).session_reused


def _encrypted(pair: Pair, *how: str) -> None:
    command = ["openssl", *how, "-in", str(pair.key), "-aes256", "-passout", "pass:x", "-out", str(pair.key) + "2"]
    subprocess.run(command, check=True, capture_output=True)
    Path(str(pair.key) + "2").replace(pair.key)


BROKEN = {
    "no certificate file": (lambda pair: pair.certificate.unlink(), "cannot read tls_certificate"),
    "no key file": (lambda pair: pair.key.unlink(), "cannot read tls_key"),
    "a folder": (lambda pair: (pair.key.unlink(), pair.key.mkdir()), "cannot read tls_key"),
    "an empty certificate": (lambda pair: pair.certificate.write_bytes(b""), "holds no certificate"),
    "a key for a certificate": (lambda pair: pair.certificate.write_bytes(pair.key.read_bytes()), "no certificate"),
    "a certificate for a key": (lambda pair: pair.key.write_bytes(pair.certificate.read_bytes()), "no private key"),
    "a key cut short": (lambda pair: pair.key.write_bytes(pair.key.read_bytes()[:90]), "damaged"),
    "a password": (lambda pair: _encrypted(pair, "pkey"), "password"),
    "a password as it was": (lambda pair: _encrypted(pair, "ec"), "password"),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_used(pair: Pair, spoil: Callable[[Pair], object], message: str) -> None:
    """Files that are no pair are refused with a hint; nobody is asked for a password."""
    spoil(pair)
    with pytest.raises(SettingsError, match=message) as raised:
        context(*pair)
    assert raised.value.hint


def test_no_file_name() -> None:
    """A path that no file can have is refused like any other."""
    with pytest.raises(SettingsError, match="tls_certificate"):
        context(Path("a\0b"), Path("c"))
