"""Small previews of stored images, as ``data:`` URIs."""

import base64
import io
import warnings

from PIL import Image

MAX_SIDE_PX = 200
_QUALITY = 74  # about 6 kB per photograph of this size


def make_thumbnail(data: bytes) -> str | None:
    """Return a JPEG of at most 200 px a side as a ``data:`` URI; None for bytes that cannot be decoded safely."""
    try:
        with warnings.catch_warnings():
            # Pillow warns at 89 million pixels and raises at twice as many; a preview stops at the first.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _encode(data)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _encode(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))  # JPEG only: decodes at the nearest smaller scale
        small = image.convert("RGBA" if "transparency" in image.info or image.mode in {"LA", "PA"} else image.mode)
        small.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
    if small.mode == "RGBA":
        ground = Image.new("RGB", small.size, "white")
        ground.paste(small, mask=small.getchannel("A"))
        small = ground
    out = io.BytesIO()
    small.convert("RGB").save(out, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
