"""Options of the fetch stage."""

import importlib.metadata
import importlib.util
import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field

from curate.fetch.addresses import AddressPolicy

AGENT_NAME = "vila-curate"
"""The name that robots.txt groups and X-Robots-Tag scopes are matched against."""

# What an HTTP comment may hold without escapes (RFC 9110, section 5.6.5), so a contact cannot break out of its header.
_CONTACT = re.compile(r"[\x21-\x27\x2a-\x5b\x5d-\x7e]+")


def _check_contact(contact: str | None) -> str | None:
    if contact is not None and not _CONTACT.fullmatch(contact):
        raise ValueError("use a URL, a mailto: link or a mail address in plain ASCII without spaces or parentheses")
    return contact


def _check_allow_private(entries: tuple[str, ...]) -> tuple[str, ...]:
    AddressPolicy(entries)
    return entries


class Backend(StrEnum):
    """Who fetches images."""

    OWN = "own"
    IMG2DATASET = "img2dataset"


class Tls(StrEnum):
    """What becomes of a server whose certificate cannot be verified."""

    VERIFY = "verify"
    REPORT = "report"


def missing_for_img2dataset() -> list[str]:
    """Return the modules that its backend needs and does not find; it imports imghdr, which Python 3.13 dropped."""
    return [name for name in ("img2dataset", "imghdr") if importlib.util.find_spec(name) is None]


class ResizeConfig(BaseModel):
    """How decoded images are scaled; the aspect ratio never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    shorter_side: int = Field(default=384, ge=1, le=16_384)
    """Target of the shorter side, px. 384 is the input size of the larger open vision towers (SigLIP so400m)."""
    only_if_larger: bool = True
    """Leave images alone whose shorter side is already at most `shorter_side`: enlarging adds bytes, not detail."""


class FetchConfig(BaseModel):
    """Limits, manners and image output of the fetch stage."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    backend: Backend = Backend.OWN
    """Who fetches images; pages are always fetched by `own`.

    `img2dataset` (1.47, the extra of that name, for Python 3.11 and 3.12) gives the same table through its `Downloader`
    and `Resizer`. It has our address checks, byte and pixel caps and X-Robots-Tag, and a time limit for each wait and
    for a body. It has none of the rest: no robots.txt, TDMRep or Content-Usage, which a recipe has to switch off to
    choose it, and no record of headers; no `per_host`, no `send_referer`, no `tls`, no Retry-After, no attempts but
    those of `--retry-failed`; no deadline over all hops; it calls itself Firefox, with our name in brackets and without
    `contact`; bodies in memory are bounded by count (two per `concurrency`). Its images are as it makes them: all
    encoded anew, EXIF orientation ignored, 16-bit samples clipped, and transparent ones take some 70 bytes per pixel on
    the way.
    """
    concurrency: int = Field(default=256, ge=1)
    """Requests in flight, shared out among the processes that fetch."""
    per_host: int = Field(default=4, ge=1)
    """Requests in flight to one host, by all workers of a run together. Browsers open 6; large hosts ask for 2 to 4."""
    timeout_s: float = Field(default=20.0, gt=0)
    """Total time on the wire for one URL: every redirect and every attempt, without waiting for a turn."""
    connect_timeout_s: float = Field(default=10.0, gt=0)
    """Longest wait for one TCP connection, seconds; leaves time for a second attempt within `timeout_s`."""
    retries: int = Field(default=2, ge=0)
    """Further attempts after a transient fault (no answer, cut short, 429, 500, 502, 503, 504)."""
    backoff_s: float = Field(default=0.5, ge=0)
    """Mean base of the exponential back-off with full jitter: attempt n waits up to 2 * backoff_s * 2**n seconds."""
    max_wait_s: float = Field(default=120.0, ge=0)
    """Longest total back-off of one URL, seconds. A host that asks for more (Retry-After) is left alone until then."""
    max_refusals: int = Field(default=6, ge=0)
    """How often one URL comes back to a host that has too many requests (429, or 503 with Retry-After)."""
    min_bytes_per_s: ByteSize = Field(default=ByteSize(1_000), ge=0)
    """Slowest body, over every `slow_window_s`: 53 KB at this pace would take a minute. 0 allows any."""
    slow_window_s: float = Field(default=5.0, gt=0)
    """Time, seconds, in which a body must have brought its share of `min_bytes_per_s`."""
    dead_after: int = Field(default=5, ge=1)
    """Failures in a row (no connection, no name, no answer) after which a host is dead and its URLs end at once."""
    dead_for_s: float = Field(default=60.0, ge=0)
    """Seconds until one request probes a dead host; a host that answered within that time is not dead."""
    max_redirects: int = Field(default=5, ge=0)
    """Redirects followed per URL; RFC 9309 wants at least five for robots.txt, which obeys its own limit of five."""
    max_bytes: ByteSize = Field(default=ByteSize(20_000_000), ge=1)
    """Largest body, before and after content decoding (`20MB` is 20,000,000 bytes)."""
    max_bytes_in_flight: ByteSize = Field(default=ByteSize(64_000_000), ge=1)
    """Bodies being read or waiting to be decoded, per worker process; it bounds memory where counts cannot. It
    has room for 256 images of 250 KB; more would only wait for the decoder."""
    max_pixels: int = Field(default=64_000_000, ge=1)
    """Largest image, width x height as its header says; checked before anything is decoded. 64 MP is 256 MB as RGBA."""
    decode_threads: int = Field(default=2, ge=1)
    """Threads of a process that decode images while others are on the wire."""
    resize: ResizeConfig | None = ResizeConfig()
    """Scaling of stored images; null keeps their size."""
    contact: Annotated[str | None, AfterValidator(_check_contact)] = None
    """URL or mail address that the User-Agent names, so that a site's owner can reach whoever runs this."""
    allow_private: Annotated[tuple[str, ...], AfterValidator(_check_allow_private)] = ()
    """Host names, addresses and CIDR blocks that may be fetched although they are not public, such as 127.0.0.1."""
    send_referer: bool = True
    """Name the page of an image in its request, as browsers do: some hosts refuse images that no page seems to show.
    From an https page to an http image only the page's origin is sent, a user name or password never."""
    respect_robots: bool = True
    """Obey robots.txt (RFC 9309)."""
    respect_x_robots: bool = True
    """Obey X-Robots-Tag headers that reserve content: noai, noimageai, noml, noindex, noimageindex."""
    respect_tdmrep: bool = True
    """Obey the TDM Reservation Protocol: /.well-known/tdmrep.json and the TDM-Reservation header."""
    respect_content_usage: bool = True
    """Obey Content-Usage preferences against training (IETF aipref): the header and the rules of robots.txt."""
    ca_file: str | None = None
    """PEM file of certificate authorities to trust instead of the system's, such as a company's or a test's."""
    tls: Tls = Tls.VERIFY
    """`verify` refuses a server whose certificate is out of date, of an unknown authority or for another name. `report`
    takes what it sends, which anybody on the way may have changed, and says so in `detail` of the image or page."""
    use_proxies: bool = True
    """Take proxies from the environment: HTTP_PROXY, HTTPS_PROXY, NO_PROXY; see `proxies.py`."""


def user_agent(config: FetchConfig) -> str:
    """Return the User-Agent header: product, version and contact, never a browser's name."""
    product = f"{AGENT_NAME}/{importlib.metadata.version('vila-curate')}"
    return product if config.contact is None else f"{product} (+{config.contact})"
