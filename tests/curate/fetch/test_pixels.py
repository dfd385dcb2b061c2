import numpy as np
import pytest
from PIL import Image

from curate.fetch.config import ResizeConfig
from curate.fetch.pixels import orientation, target_size, to_opaque, turn_upright, upright_size
from tests.curate.fetch import samples

TO_100 = ResizeConfig(shorter_side=100)


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((400, 200), TO_100, (200, 100)),
        ((200, 400), TO_100, (100, 200)),
        ((333, 201), TO_100, (166, 100)),
        ((100, 900), TO_100, (100, 900)),
        ((50, 60), TO_100, (50, 60)),
        ((50, 60), ResizeConfig(shorter_side=100, only_if_larger=False), (100, 120)),
        ((400, 200), None, (400, 200)),
        ((1, 1), ResizeConfig(shorter_side=1), (1, 1)),
    ],
)
def test_target_size(size: tuple[int, int], resize: ResizeConfig | None, expected: tuple[int, int]) -> None:
    assert target_size(size, resize=resize) == expected


def test_orientation_and_its_size() -> None:
    image = samples.picture()
    assert orientation(image) == 1
    image.getexif()[0x0112] = 8
    assert orientation(image) == 8
    for odd in (0, 9, "6", 1.5):
        image.getexif()[0x0112] = odd
        assert orientation(image) == 1
    for turn in range(1, 9):
        assert turn_upright(image, turn).size == upright_size(image.size, turn)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"])
def test_every_mode_becomes_rgb_of_the_same_picture(mode: str) -> None:
    made = samples.picture("RGBA" if mode == "RGBa" else "LA" if mode == "PA" else "RGB").convert(mode)
    image = to_opaque(made).convert("RGB")
    assert (image.mode, image.size) == ("RGB", (samples.WIDTH, samples.HEIGHT))
    left, right = image.convert("L").getpixel((2, 25)), image.convert("L").getpixel((37, 25))
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    assert left >= right


def gray(values: list[list[float]], kind: str) -> list[list[int]]:
    found: list[list[int]] = np.asarray(to_opaque(Image.fromarray(np.array(values, kind)))).tolist()
    return found


def test_deep_samples() -> None:
    assert gray([[0, 0x80FF, 0xFFFF]], "uint16") == [[0, 0x80, 0xFF]]
    assert gray([[-5, 0, 5]], "int32") == [[0, 128, 255]]
    assert gray([[7, 7]], "int32") == [[0, 0]]
    assert gray([[0.0, 0.5, 1.0]], "float32") == [[0, 128, 255]]


def test_samples_that_are_no_numbers() -> None:
    inf, nan = float("inf"), float("nan")
    assert gray([[nan, -inf, inf, 0.0, 2.0]], "float32") == [[0, 0, 255, 0, 255]]
    assert gray([[nan, inf]], "float32") == [[0, 0]]
    assert gray([[-3e38, 0.0, 3e38]], "float32") == [[0, 128, 255]]
