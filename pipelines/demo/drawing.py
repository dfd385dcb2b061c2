"""Scenes to pixels and pixels to files, with Pillow. The same generator state gives the same bytes."""

import io
import math
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from pipelines.demo.scenes import Scene

RGB = tuple[int, int, int]

PALETTE: dict[str, RGB] = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 220),
    "yellow": (240, 210, 50),
    "purple": (140, 60, 180),
    "orange": (245, 140, 30),
    "white": (245, 245, 245),
    "black": (20, 20, 20),
}
MIN_SIDE_PX = 160
MAX_SIDE_PX = 640
RATIOS = (1.0, 1.0, 4 / 3, 3 / 4, 5 / 4)
"""Width to height."""
FORMATS = ("JPEG",) * 12 + ("PNG",) * 4 + ("WEBP",) * 2 + ("GIF",) * 2
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}
PERIOD = 0.18
"""Of stripes and dots, as a fraction of the shorter side: coarse enough to survive a reduction to 64 px."""
SPECKLES_PER_SIDE = 22
SPECKLE_DEVIATION = 38.0
"""Standard deviation of the speckles' brightness, in 8-bit levels."""


def sample_size(rng: random.Random) -> tuple[int, int]:
    """Return (width, height) in px, each between MIN_SIDE_PX and MAX_SIDE_PX, small sizes more often."""
    side = MIN_SIDE_PX * (MAX_SIDE_PX / MIN_SIDE_PX) ** rng.random()
    ratio = rng.choice(RATIOS)
    sides = round(side * ratio**0.5), round(side / ratio**0.5)
    width, height = (min(MAX_SIDE_PX, max(MIN_SIDE_PX, side_px)) for side_px in sides)
    return width, height


def draw_scene(scene: Scene, rng: random.Random, *, width: int, height: int) -> Image.Image:
    """Return an RGB picture of ``scene`` with jittered colours, places and sizes."""
    image = _draw_ground(scene, rng, width=width, height=height)
    canvas = ImageDraw.Draw(image)
    side = min(width, height)
    radius = side * (rng.uniform(0.22, 0.36) if len(scene.figures) == 1 else rng.uniform(0.15, 0.2))
    for figure, (x, y) in zip(scene.figures, _places(scene, rng), strict=True):
        colour = _jitter(PALETTE[figure.colour], rng, spread=12)
        _DRAWERS[figure.shape](canvas, colour, x * width, y * height, radius)
    return image


def encode_image(image: Image.Image, image_format: str, *, quality: int = 88) -> bytes:
    """Encode an RGB image.

    Args:
        image: RGB.
        image_format: A key of EXTENSIONS.
        quality: Of JPEG and WebP, 1 to 100; the other formats are lossless (GIF: 256 colours).
    """
    # The quickest settings: a world of hundreds of pictures is drawn while somebody waits.
    options = {"JPEG": {"quality": quality}, "PNG": {"compress_level": 1}, "WEBP": {"quality": quality, "method": 0}}
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options.get(image_format, {}))
    return buffer.getvalue()


def _draw_ground(scene: Scene, rng: random.Random, *, width: int, height: int) -> Image.Image:
    colour = _jitter(PALETTE[scene.ground], rng, spread=15)
    image = Image.new("RGB", (width, height), colour)
    if scene.pattern == "speckled":
        return _speckle(image, seed=rng.getrandbits(63))
    canvas = ImageDraw.Draw(image)
    red, green, blue = ((level * 3 + 128) // 4 for level in PALETTE[scene.ground])
    period = PERIOD * min(width, height)
    rows = [row * period for row in range(math.ceil(height / period))]
    if scene.pattern == "striped":
        for y in rows:
            canvas.rectangle((0, y, width, y + period * 0.45), fill=(red, green, blue))
    elif scene.pattern == "dotted":
        for x in (column * period for column in range(math.ceil(width / period))):
            for y in rows:
                canvas.ellipse((x, y, x + period * 0.45, y + period * 0.45), fill=(red, green, blue))
    return image


def _speckle(image: Image.Image, *, seed: int) -> Image.Image:
    grid = (SPECKLES_PER_SIDE, SPECKLES_PER_SIDE)
    levels = np.random.default_rng(seed).normal(128.0, SPECKLE_DEVIATION, grid).clip(0, 255).astype(np.uint8)
    speckles = Image.fromarray(levels).resize(image.size, Image.Resampling.NEAREST).convert("RGB")
    return Image.blend(image, speckles, 0.3)


def _places(scene: Scene, rng: random.Random) -> list[tuple[float, float]]:
    """Return the figures' centres as fractions of width and height."""

    def near(place: float, spread: float) -> float:
        return place + rng.uniform(-spread, spread)

    if scene.relation is None:
        return [(near(0.5, 0.12), near(0.5, 0.12))]
    if scene.relation == "left of":
        return [(near(0.28, 0.04), near(0.5, 0.08)), (near(0.72, 0.04), near(0.5, 0.08))]
    return [(near(0.5, 0.08), near(0.28, 0.04)), (near(0.5, 0.08), near(0.72, 0.04))]


def _jitter(colour: RGB, rng: random.Random, *, spread: int) -> RGB:
    red, green, blue = (min(255, max(0, level + rng.randint(-spread, spread))) for level in colour)
    return red, green, blue


_Drawer = Callable[[ImageDraw.ImageDraw, RGB, float, float, float], None]


def _circle(canvas: ImageDraw.ImageDraw, colour: RGB, x: float, y: float, r: float) -> None:
    canvas.ellipse((x - r, y - r, x + r, y + r), fill=colour)


def _square(canvas: ImageDraw.ImageDraw, colour: RGB, x: float, y: float, r: float) -> None:
    canvas.rectangle((x - r, y - r, x + r, y + r), fill=colour)


def _triangle(canvas: ImageDraw.ImageDraw, colour: RGB, x: float, y: float, r: float) -> None:
    canvas.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)


def _star(canvas: ImageDraw.ImageDraw, colour: RGB, x: float, y: float, r: float) -> None:
    tips = [(r if tip % 2 == 0 else r * 0.42, tip * math.pi / 5) for tip in range(10)]
    canvas.polygon([(x + reach * math.sin(angle), y - reach * math.cos(angle)) for reach, angle in tips], fill=colour)


def _cross(canvas: ImageDraw.ImageDraw, colour: RGB, x: float, y: float, r: float) -> None:
    arm = r * 0.35
    canvas.rectangle((x - arm, y - r, x + arm, y + r), fill=colour)
    canvas.rectangle((x - r, y - arm, x + r, y + arm), fill=colour)


def _ring(canvas: ImageDraw.ImageDraw, colour: RGB, x: float, y: float, r: float) -> None:
    canvas.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=max(2, int(r * 0.35)))


def _heart(canvas: ImageDraw.ImageDraw, colour: RGB, x: float, y: float, r: float) -> None:
    canvas.ellipse((x - r, y - r, x, y), fill=colour)
    canvas.ellipse((x, y - r, x + r, y), fill=colour)
    canvas.polygon([(x - r * 0.93, y - r * 0.3), (x + r * 0.93, y - r * 0.3), (x, y + r)], fill=colour)


def _diamond(canvas: ImageDraw.ImageDraw, colour: RGB, x: float, y: float, r: float) -> None:
    canvas.polygon([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], fill=colour)


_DRAWERS: dict[str, _Drawer] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "heart": _heart,
    "diamond": _diamond,
}
