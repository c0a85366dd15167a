"""Certificates for tests, made by the machine's own openssl."""

import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    """A certificate that vouches for itself, and its key; both PEM files."""

    certificate: Path
    key: Path

    @property
    def der(self) -> bytes:
        """The certificate as a client sees it."""
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())

    def replace(self, other: "Pair") -> None:
        """Put another pair in the place of this one."""
        self.certificate.write_bytes(other.certificate.read_bytes())
        self.key.write_bytes(other.key.read_bytes())

    @property
    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts this certificate and no other."""
        return ssl.create_default_context(cafile=self.certificate)


def make(folder: Path, name: str) -> Pair:
    """A new pair for ``localhost`` and ``127.0.0.1``, in files of that name."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(pair.key), "-out", str(pair.certificate)),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return pair
