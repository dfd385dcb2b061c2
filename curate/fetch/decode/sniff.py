"""What a body is, told by its first bytes: image formats, and HTML served in an image's place."""

import re

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
_BMP_HEADER_BYTES = frozenset({12, 40, 52, 56, 64, 108, 124})  # sizes of the header versions; "BM" alone is two letters
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_MARKUP = re.compile(
    # A comment must not be able to swallow the next one, or hostile input would take exponential time.
    rb"(?:\xef\xbb\xbf)?\s*(?:(?:<\?xml[^>]*>|<!--(?:(?!-->).)*-->)\s*)*"
    rb"<(?:(?:!doctype\s+)?(html|svg|head|body)|(?:script|iframe|h1|div|font|table|a|style|title|b|br|p))\b",
    re.IGNORECASE | re.DOTALL,
)
_HEAD_BYTES = 4_096
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def image_format(data: bytes) -> str | None:
    """Return JPEG, PNG, GIF, WEBP, BMP, TIFF, JPEG2000, AVIF or HEIC, or None for anything else."""
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_BYTES:
        return "BMP"
    if data[4:8] == b"ftyp":
        box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
        brands = {box[:4], *(box[start : start + 4] for start in range(8, len(box), 4))}
        return "AVIF" if brands & _AVIF_BRANDS else "HEIC" if brands & _HEIC_BRANDS else None
    return None


def markup_kind(data: bytes) -> str | None:
    """Return "html" or "svg" for bytes that begin as such a document, else None (MIME Sniffing Standard, 7.1)."""
    match = _MARKUP.match(as_utf8(data[:_HEAD_BYTES]))
    if match is None:
        return None
    return "svg" if (match[1] or b"").lower() == b"svg" else "html"


def as_utf8(data: bytes) -> bytes:
    """Return UTF-16 text with a byte order mark as UTF-8, anything else as it is."""
    coding = _UTF_16.get(data[:2])
    return data if coding is None else data[2:].decode(coding, "replace").encode("utf-8", "replace")


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height, px, of a WebP canvas (RFC 9649), or None if the header makes no sense.

    libwebp allocates the whole canvas when its decoder is opened, so the size has to be known before that.
    """
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:  # noqa: PLR2004 offsets of the format
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and data[20:21] == b"\x2f":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None
