"""What stands beside the pixels of a file, kept away from decoders: damage in it is no damage of the picture.

Browsers show a picture whose texts, EXIF or profile make no sense, or unpack to more than anybody reads.
"""

import struct
import zlib
from collections.abc import Iterator

MAX_PROFILE_BYTES = 4_000_000
"""The largest colour profiles in use, of printing presses, take 3 MB; larger ones are ignored."""

_PNG_MAGIC_BYTES, _PNG_FRAME_BYTES = 8, 12
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_MARKER, _FILL, _START_OF_SCAN = 0xFF, 0xFF, 0xDA
# Without APP0 and APP14, which tell how colours are coded.
_JPEG_METADATA = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})


def without_png_metadata(data: bytes) -> bytes:
    """Return a PNG file that holds pixels, and EXIF if it came whole; a file without anything else as it is."""
    chunks = list(_png_chunks(data))
    kept = [chunk for name, chunk in chunks if name in _PIXEL_CHUNKS or (name == b"eXIf" and _is_whole(chunk))]
    if len(kept) == len(chunks):
        return data
    return data[:_PNG_MAGIC_BYTES] + b"".join(kept)


def png_profile(data: bytes) -> bytes | None:
    """Return the colour profile of a PNG file, or None if there is none that can be unpacked."""
    for name, chunk in _png_chunks(data):
        if name == b"IDAT":
            return None
        if name == b"iCCP":
            packed = chunk[8:-4].partition(b"\0")[2][1:]  # name, method (PNG, 11.3.2.3)
            return _unpack(packed)
    return None


def _unpack(packed: bytes) -> bytes | None:
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(packed, MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if stream.eof else None


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each chunk's name, and the chunk with its frame; the last may be cut short."""
    position = _PNG_MAGIC_BYTES
    while position + 8 <= len(data):
        num_bytes, name = struct.unpack_from(">I4s", data, position)
        end = position + num_bytes + _PNG_FRAME_BYTES
        yield name, data[position:end]
        if name == b"IEND":
            return
        position = end


def _is_whole(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def without_jpeg_metadata(data: bytes) -> bytes:
    """Return a JPEG file without comments and application segments but those about its colours."""
    parts, position = [data[:2]], 2
    while position + 4 <= len(data) and data[position] == _MARKER:
        marker = data[position + 1]
        if marker == _FILL:
            position += 1
            continue
        if marker == _START_OF_SCAN:
            break
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker not in _JPEG_METADATA:
            parts.append(data[position:end])
        position = end
    return b"".join((*parts, data[position:]))
