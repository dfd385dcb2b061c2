"""Images that stand in their page: `data:` URLs (RFC 2397)."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError

SCHEME = "data:"
_HEADER_CHARS = 256
_BASE64 = re.compile(r";\s*base64\s*", re.IGNORECASE)
_BLANKS = re.compile(rb"\s+")
_TEXT_PER_BYTE = 3
"""Characters that a byte takes at most: quoted, as in %FF."""


def is_data_url(url: str) -> bool:
    """Return whether a URL holds what it leads to."""
    return url.lstrip()[: len(SCHEME)].lower() == SCHEME


def read_data_url(url: str, *, max_bytes: int) -> bytes:
    """Return the bytes that a `data:` URL holds.

    Raises:
        FetchError: BAD_URL, TOO_LARGE or EMPTY_BODY.
    """
    header, comma, text = url.strip().partition(",")
    if not comma or len(header) > _HEADER_CHARS:
        raise FetchError(FetchStatus.BAD_URL, "data: without a comma")
    if len(text) > _TEXT_PER_BYTE * max_bytes:
        raise FetchError(FetchStatus.TOO_LARGE, f"data: of {len(text)} characters")
    data = unquote_to_bytes(text)
    if _BASE64.search(header):
        data = _decode_base64(data)
    if len(data) > max_bytes:
        raise FetchError(FetchStatus.TOO_LARGE, f"more than {max_bytes} bytes")
    if not data:
        raise FetchError(FetchStatus.EMPTY_BODY, "no bytes")
    return data


def _decode_base64(text: bytes) -> bytes:
    """Return what forgiving-base64 (Infra Standard) stands for; the URL-safe alphabet is met, too."""
    text = _BLANKS.sub(b"", text).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise FetchError(FetchStatus.BAD_URL, f"data: {error}") from error
