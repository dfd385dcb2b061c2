"""What can go wrong between a URL and its picture: rules that the server obeys, and which reason each must end in."""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from curate.contract.reasons import FetchStatus, fetch_reason

FAULTS_FILE = "faults.json"
ROBOTS_TXT = "User-agent: *\nDisallow: /private/\n"
BOMB_SIDE_PX = 20_000
"""400 million pixels, over any sensible cap, in about 50 kB."""


class FaultKind(StrEnum):
    """How the server departs from sending the file."""

    STATUS = "status"  # an error status with a short body
    BUSY = "busy"  # ``status`` for the first ``times`` requests, then the file
    SLOW = "slow"  # the file after ``seconds``
    REDIRECT = "redirect"  # to ``location``
    ENDLESS = "endless"  # a body that never ends
    HANG = "hang"  # a request that is never answered
    RESET = "reset"  # the connection is dropped instead of an answer
    SHORT = "short"  # closes before the announced end of the body
    HEADERS = "headers"  # the file with these headers


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultRule:
    """The server's behaviour for one path."""

    kind: FaultKind
    status: int = 0
    times: int = 0
    seconds: float = 0.0
    location: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultyUrl:
    """A URL that no picture comes from."""

    path: str
    """From the server's root, or a whole URL elsewhere."""
    expected: tuple[str, ...]
    """Reason codes of which any is right: some faults look alike from the client's side."""
    rule: FaultRule | None = None
    body: bytes | None = None
    """Content of the file at ``path``."""


def write_faults(folder: Path, rules: Mapping[str, FaultRule]) -> None:
    """Write the server's rules by path."""
    text = json.dumps({path: asdict(rule) for path, rule in sorted(rules.items())}, indent=1)
    (folder / FAULTS_FILE).write_text(text + "\n")


def read_faults(folder: Path) -> dict[str, FaultRule]:
    """Read what ``write_faults`` wrote."""
    entries = json.loads((folder / FAULTS_FILE).read_text())
    return {path: FaultRule(**{**entry, "kind": FaultKind(entry["kind"])}) for path, entry in entries.items()}


def image_faults(sample: bytes) -> tuple[FaultyUrl, ...]:
    """Return the faults that end in a reason, common ones more than once.

    Args:
        sample: A sound JPEG to break.
    """
    return (*_status_faults(), *_connection_faults(), *_redirect_faults(), *_content_faults(sample), *_policy_faults())


def page_faults() -> tuple[FaultyUrl, ...]:
    """Return the faults of whole pages that end in a reason."""
    gone = [(404, FetchStatus.HTTP_404), (410, FetchStatus.HTTP_410), (404, FetchStatus.HTTP_404)]
    return (
        *(_status(f"/pages/gone-{number}.html", code, reason) for number, (code, reason) in enumerate(gone)),
        FaultyUrl(path="/private/diary.html", expected=_codes(FetchStatus.ROBOTS_DISALLOWED), body=b"<p>Keep out.</p>"),
        FaultyUrl(path="/pages/report.pdf", expected=_codes(FetchStatus.NOT_HTML), body=b"%PDF-1.7\n%%EOF\n"),
        _redirect("/pages/round.html", "/pages/round.html", FetchStatus.TOO_MANY_REDIRECTS),
        _status("/pages/late.html", 404, FetchStatus.HTTP_404),
    )


def decompression_bomb(side_px: int = BOMB_SIDE_PX) -> bytes:
    """Return a valid PNG of ``side_px`` squared black pixels at one bit each."""
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    row = b"\0" * (1 + (side_px + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side_px)) + packer.flush()
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _codes(*statuses: FetchStatus) -> tuple[str, ...]:
    return tuple(fetch_reason(status) for status in statuses)


def _status(path: str, status: int, expected: FetchStatus, **headers: str) -> FaultyUrl:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    rule = FaultRule(kind=FaultKind.STATUS, status=status, headers=named)
    return FaultyUrl(path=path, expected=_codes(expected), rule=rule)


def _redirect(path: str, location: str, expected: FetchStatus) -> FaultyUrl:
    rule = FaultRule(kind=FaultKind.REDIRECT, status=302, location=location)
    return FaultyUrl(path=path, expected=_codes(expected), rule=rule)


def _status_faults() -> tuple[FaultyUrl, ...]:
    dead = [(404, FetchStatus.HTTP_404), (410, FetchStatus.HTTP_410)] * 3
    return (
        *(_status(f"/images/gone/{number}.jpg", code, reason) for number, (code, reason) in enumerate(dead)),
        _status("/images/members-only.jpg", 403, FetchStatus.HTTP_4XX),
        _status("/images/failing.jpg", 500, FetchStatus.HTTP_5XX),
        _status("/images/too-often.jpg", 429, FetchStatus.HTTP_429, Retry_After="1"),
    )


def _connection_faults() -> tuple[FaultyUrl, ...]:
    broken = (FetchStatus.CONNECT_ERROR, FetchStatus.PROTOCOL_ERROR, FetchStatus.TRUNCATED_BODY)
    unreachable = (FetchStatus.CONNECT_ERROR, FetchStatus.ROBOTS_UNREACHABLE, FetchStatus.TIMEOUT)
    unknown = (FetchStatus.DNS_ERROR, FetchStatus.ROBOTS_UNREACHABLE, FetchStatus.TIMEOUT)
    return (
        _behaves("/images/endless.jpg", FaultKind.ENDLESS, FetchStatus.TOO_LARGE, FetchStatus.TIMEOUT),
        _behaves("/images/hanging.jpg", FaultKind.HANG, FetchStatus.TIMEOUT),
        _behaves("/images/reset.jpg", FaultKind.RESET, *broken),
        _behaves("/images/short.jpg", FaultKind.SHORT, FetchStatus.TRUNCATED_BODY, FetchStatus.PROTOCOL_ERROR),
        # Port 1 (tcpmux) is served by nobody; .invalid never resolves (RFC 6761, section 6.4).
        FaultyUrl(path="http://127.0.0.1:1/nobody.jpg", expected=_codes(*unreachable)),
        FaultyUrl(path="http://pictures.invalid/nowhere.jpg", expected=_codes(*unknown)),
    )


def _behaves(path: str, kind: FaultKind, *expected: FetchStatus) -> FaultyUrl:
    return FaultyUrl(path=path, expected=_codes(*expected), rule=FaultRule(kind=kind))


def _redirect_faults() -> tuple[FaultyUrl, ...]:
    return (
        _redirect("/images/here.jpg", "/images/there.jpg", FetchStatus.TOO_MANY_REDIRECTS),
        _redirect("/images/there.jpg", "/images/here.jpg", FetchStatus.TOO_MANY_REDIRECTS),
        _redirect("/images/inside.jpg", "http://10.255.255.1/inside.jpg", FetchStatus.FORBIDDEN_ADDRESS),
    )


def _content_faults(sample: bytes) -> tuple[FaultyUrl, ...]:
    cut = sample[: len(sample) // 3]
    page = b"<!doctype html><title>Moved</title><p>This picture has moved to another place."
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200"><circle r="80"/></svg>'
    bodies = (
        ("/images/cut-1.jpg", cut, FetchStatus.BROKEN_IMAGE),
        ("/images/cut-2.jpg", cut[:-7], FetchStatus.BROKEN_IMAGE),
        ("/images/really-a-page.jpg", page, FetchStatus.NOT_AN_IMAGE),
        ("/images/really-a-drawing.png", drawing, FetchStatus.NOT_AN_IMAGE),
        ("/images/empty.jpg", b"", FetchStatus.EMPTY_BODY),
        ("/images/enormous.png", decompression_bomb(), FetchStatus.TOO_MANY_PIXELS),
    )
    return tuple(FaultyUrl(path=path, body=body, expected=_codes(reason)) for path, body, reason in bodies)


def _policy_faults() -> tuple[FaultyUrl, ...]:
    robots = [f"/private/portrait-{number}.jpg" for number in range(3)]
    opted_out = FaultRule(kind=FaultKind.HEADERS, headers={"X-Robots-Tag": "noai, noimageai"})
    return (
        *(FaultyUrl(path=path, expected=_codes(FetchStatus.ROBOTS_DISALLOWED), body=b"secret") for path in robots),
        FaultyUrl(
            path="/images/reserved.jpg", expected=_codes(FetchStatus.OPTED_OUT), rule=opted_out, body=b"reserved"
        ),
    )
