import io
import random
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.demo.documents import Variant
from pipelines.demo.picture_store import PictureStore, thumbnail_bytes
from pipelines.demo.scenes import Figure, Scene

SCENE = Scene("striped", "green", (Figure("red", "star"),), None)


def test_an_exact_copy_has_the_same_bytes_under_another_name(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    original = store.add_scene(SCENE, random.Random(0))
    copy = store.add_exact_copy(original)
    assert copy.path != original.path
    assert copy.group == original.group
    assert copy.variant is Variant.EXACT
    assert (tmp_path / copy.path.lstrip("/")).read_bytes() == (tmp_path / original.path.lstrip("/")).read_bytes()


def reduced(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((32, 32))).astype(float)


def test_a_near_copy_shows_the_same_in_other_bytes(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    original = store.add_scene(SCENE, random.Random(1))
    copy = store.add_near_copy(original, random.Random(2))
    one, other = (reduced(tmp_path / picture.path.lstrip("/")) for picture in (original, copy))
    assert np.abs(one - other).mean() < 12
    assert copy.variant is Variant.NEAR
    assert min(copy.width, copy.height) >= 150
    assert (tmp_path / copy.path.lstrip("/")).read_bytes() != (tmp_path / original.path.lstrip("/")).read_bytes()


def test_only_copyable_pictures_of_other_figures_are_given_out(tmp_path: Path) -> None:
    store, rng = PictureStore(tmp_path), random.Random(3)
    assert store.pick_original(rng, apart_from=()) is None
    store.add_scene(SCENE, rng, copyable=False)
    assert store.pick_original(rng, apart_from=()) is None
    picture = store.add_scene(SCENE, rng)
    assert store.pick_original(rng, apart_from=()) == picture
    assert store.pick_original(rng, apart_from=(SCENE,)) is None


def test_a_tracking_pixel_is_one_pixel() -> None:
    with Image.open(io.BytesIO(thumbnail_bytes(1, 1, (255, 255, 255), "GIF"))) as image:
        assert image.size == (1, 1)
