"""A certificate authority of our own, and a server certificate from it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import certifi

_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificates:
    """PEM files."""

    cert: Path
    key: Path
    bundle: Path
    """The authorities that browsers trust, and ours: clients load as many as they would for the real web."""


def make_certificates(folder: Path) -> Certificates:
    """Make the files for a server on 127.0.0.1; needs the `openssl` command."""
    authority, authority_key = folder / "authority.pem", folder / "authority.key"
    cert, key, bundle = folder / "server.pem", folder / "server.key", folder / "bundle.pem"
    _openssl("req", "-x509", *_EC_KEY, "-subj", "/CN=bench", "-keyout", authority_key, "-out", authority)
    name = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    constraint = ("-addext", "basicConstraints=critical,CA:FALSE")
    signer = ("-CA", authority, "-CAkey", authority_key)
    _openssl("req", "-x509", *_EC_KEY, *name, *constraint, *signer, "-keyout", key, "-out", cert)
    bundle.write_bytes(Path(certifi.where()).read_bytes() + authority.read_bytes())
    return Certificates(cert=cert, key=key, bundle=bundle)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)  # noqa: S603, S607 - our own
