import random

from pipelines.demo.scenes import Figure, Scene
from pipelines.demo.tiny_clip.pictures import IMAGE_PX, STORED_SIDE_PX, render_pictures, render_stored, training_text

SCENE = Scene("plain", "blue", (Figure("red", "star"),), None)


def test_pictures_are_square_and_repeat() -> None:
    one, other = (render_pictures(6, random.Random(0)) for _ in range(2))
    assert one.pixels.shape == (6, IMAGE_PX, IMAGE_PX, 3)
    assert one.scenes == other.scenes
    assert (one.pixels == other.pixels).all()
    assert one.pixels.std(axis=(1, 2, 3)).min() > 0


def test_stored_pictures_are_jpegs_of_limited_size() -> None:
    rng = random.Random(1)
    for _ in range(10):
        image = render_stored(SCENE, rng)
        assert image.format == "JPEG"
        assert min(image.size) <= STORED_SIDE_PX


def test_training_texts_start_with_the_scene() -> None:
    rng = random.Random(2)
    texts = [training_text(SCENE, rng) for _ in range(200)]
    assert sum("red star" in text for text in texts) > 180
    assert any(text.count(".") == 2 for text in texts)
    assert any(len(text.split()) < 10 for text in texts)
