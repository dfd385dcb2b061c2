"""Pictures and texts to train and to measure the tiny CLIP model on, as the demo world shows them."""

import io
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipelines.demo.drawing import FORMATS, draw_scene, encode_image, sample_size
from pipelines.demo.scenes import Scene, sample_scene
from pipelines.demo.sentences import alt_text, aside, describe

IMAGE_PX = 64
STORED_SIDE_PX = 384
"""Larger pictures are reduced to this shorter side before they are stored and scored: the default of recipes."""
STORED_QUALITY = 95
SHARE_WITH_ASIDE = 0.25
SHARE_ALT = 0.1


@dataclass(frozen=True, slots=True)
class Pictures:
    """N scenes and their pixels."""

    scenes: tuple[Scene, ...]
    pixels: np.ndarray
    """uint8 [N, IMAGE_PX, IMAGE_PX, 3]."""


def render_stored(scene: Scene, rng: random.Random) -> Image.Image:
    """Return a picture of ``scene`` after all that happens to it on its way into the store: file, resize, JPEG."""
    width, height = sample_size(rng)
    drawn = draw_scene(scene, rng, width=width, height=height)
    image = Image.open(io.BytesIO(encode_image(drawn, rng.choice(FORMATS)))).convert("RGB")
    scale = STORED_SIDE_PX / min(image.size)
    if scale < 1:
        image = image.resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
    return Image.open(io.BytesIO(encode_image(image, "JPEG", quality=STORED_QUALITY)))


def render_pictures(num_pictures: int, rng: random.Random) -> Pictures:
    """Render scenes at the model's own size, squashed to a square as its preprocessing does."""
    scenes = tuple(sample_scene(rng) for _ in range(num_pictures))
    pixels = np.empty((num_pictures, IMAGE_PX, IMAGE_PX, 3), np.uint8)
    for row, scene in enumerate(scenes):
        squashed = render_stored(scene, rng).resize((IMAGE_PX, IMAGE_PX), Image.Resampling.BICUBIC)
        pixels[row] = np.asarray(squashed)
    return Pictures(scenes, pixels)


def training_text(scene: Scene, rng: random.Random) -> str:
    """Return a text for ``scene``: its sentence, alone or with another one behind it as in a paragraph, or an alt."""
    draw = rng.random()
    if draw < SHARE_ALT:
        return alt_text(scene, rng) or describe(scene, rng)
    if draw < SHARE_ALT + SHARE_WITH_ASIDE:
        return f"{describe(scene, rng)} {aside(rng)}"
    return describe(scene, rng)
