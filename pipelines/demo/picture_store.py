"""Writes the world's pictures below the site's folder and remembers them, so that later documents can copy them."""

import io
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipelines.demo.documents import Variant
from pipelines.demo.drawing import EXTENSIONS, FORMATS, MIN_SIDE_PX, draw_scene, encode_image, sample_size
from pipelines.demo.scenes import Scene

PICTURES_PER_FOLDER = 500
NEAR_SCALE = (0.7, 0.95)
NEAR_QUALITY = (60, 80)
"""JPEG quality of a near-duplicate."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One file of the site that shows a scene."""

    path: str
    """On the server, from the root."""
    scene: Scene
    group: str
    variant: Variant
    width: int
    height: int


class PictureStore:
    """Owns ``site/images``; file names follow the order of calls."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._num_pictures = 0
        self._originals: list[Picture] = []

    def add_scene(self, scene: Scene, rng: random.Random, *, copyable: bool = True) -> Picture:
        """Draw ``scene``; a copyable one may be given out by ``pick_original`` later."""
        width, height = sample_size(rng)
        image_format = rng.choice(FORMATS)
        data = encode_image(draw_scene(scene, rng, width=width, height=height), image_format)
        picture = self._write(scene, data, EXTENSIONS[image_format], size=(width, height))
        if copyable:
            self._originals.append(picture)
        return picture

    def pick_original(self, rng: random.Random, *, apart_from: tuple[Scene, ...]) -> Picture | None:
        """Return an earlier picture that shares no figure with ``apart_from``; None if a few draws find none."""
        taken = {figure for scene in apart_from for figure in scene.figures}
        for _ in range(8):
            if self._originals and not taken & set((picture := rng.choice(self._originals)).scene.figures):
                return picture
        return None

    def add_exact_copy(self, original: Picture) -> Picture:
        """Write the same bytes under another name."""
        data = (self._site / original.path.lstrip("/")).read_bytes()
        extension = original.path.rsplit(".", 1)[1]
        size = (original.width, original.height)
        return self._write(original.scene, data, extension, size=size, copy=(original.group, Variant.EXACT))

    def add_near_copy(self, original: Picture, rng: random.Random) -> Picture:
        """Write the same picture, slightly smaller and as another JPEG."""
        with Image.open(self._site / original.path.lstrip("/")) as file:
            image = file.convert("RGB")
        scale = max(rng.uniform(*NEAR_SCALE), MIN_SIDE_PX / min(image.size))
        size = (round(image.width * scale), round(image.height * scale))
        data = encode_image(image.resize(size), "JPEG", quality=rng.randint(*NEAR_QUALITY))
        return self._write(original.scene, data, "jpg", size=size, copy=(original.group, Variant.NEAR))

    def _write(
        self,
        scene: Scene,
        data: bytes,
        extension: str,
        *,
        size: tuple[int, int],
        copy: tuple[str, Variant] | None = None,
    ) -> Picture:
        number = self._num_pictures
        self._num_pictures += 1
        figure = scene.figures[0]
        name = f"{number:06d}-{figure.colour}-{figure.shape}.{extension}"
        path = f"/images/{number // PICTURES_PER_FOLDER:03d}/{name}"
        file = self._site / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        group, variant = copy or (f"picture-{number:06d}", Variant.ORIGINAL)
        return Picture(path, scene, group, variant, *size)


def thumbnail_bytes(width: int, height: int, colour: tuple[int, int, int], image_format: str) -> bytes:
    """Return a one-coloured image with a darker frame: logos, pixels and banners."""
    image = Image.new("RGB", (width, height), tuple(level // 2 for level in colour))
    margin = min(width, height) // 8
    image.paste(colour, (margin, margin, width - margin, height - margin))
    buffer = io.BytesIO()
    image.save(buffer, image_format)
    return buffer.getvalue()
