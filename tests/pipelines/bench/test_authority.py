import shutil
import ssl
from pathlib import Path

import certifi
import pytest

from pipelines.bench.authority import Certificates, make_certificates

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")


def shake_hands(certificates: Certificates, *, cafile: str, name: str) -> None:
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificates.cert, certificates.key)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = ssl.create_default_context(cafile=cafile).wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def test_only_who_knows_our_authority_trusts_the_server(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    shake_hands(certificates, cafile=str(certificates.bundle), name="127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(certificates, cafile=certifi.where(), name="127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(certificates, cafile=str(certificates.bundle), name="127.0.0.2")


def test_the_bundle_is_as_long_as_that_of_the_real_web(tmp_path: Path) -> None:
    bundle = make_certificates(tmp_path).bundle.read_text()
    assert bundle.count("BEGIN CERTIFICATE") == Path(certifi.where()).read_text().count("BEGIN CERTIFICATE") + 1 > 100
