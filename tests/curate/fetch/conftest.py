"""One fault server per test file, and a certificate that nobody trusts."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.curate.fetch.fault_server import FaultServer, serve


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path] | None:
    """Return a self-signed certificate and its key, made on the spot; None where there is no openssl."""
    if shutil.which("openssl") is None:
        return None
    folder = tmp_path_factory.mktemp("certificate")
    paths = folder / "certificate.pem", folder / "key.pem"
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(["openssl", "req", *kind, *names, *files], check=True, capture_output=True)
    return paths


@pytest.fixture
def ca_file(certificate: tuple[Path, Path] | None) -> str:
    """Return the file of the certificate's authority, which is itself."""
    if certificate is None:
        pytest.skip("there is no openssl to make a certificate with")
    return str(certificate[0])


@pytest.fixture(scope="module")
def server(certificate: tuple[Path, Path] | None) -> Iterator[FaultServer]:
    with serve(certificate) as running:
        yield running
