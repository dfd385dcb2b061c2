import cv2
import numpy as np
import pytest
from PIL import Image

from curate.fetch.config import ResizeConfig
from curate.fetch.decode.pixels import orientation, shrink, target_size, to_opaque, turn_upright, upright_size
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


def wave(width: int, height: int, *, period_px: float) -> np.ndarray:
    """Return a vertical grating around middle gray."""
    row = 128 + 90 * np.sin(2 * np.pi * np.arange(width) / period_px)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("size", [(200, 150), (190, 143), (100, 75), (60, 45), (20, 15), (1, 1), (200, 75)])
def test_shrinking_keeps_flat_colours_and_gives_the_size(size: tuple[int, int]) -> None:
    flat = np.full((150, 200, 3), (10, 128, 250), np.uint8)
    small = shrink(flat, size=size)
    assert small.dtype == np.uint8
    assert small.tolist() == [[[10, 128, 250]] * size[0]] * size[1]


def test_shrinking_keeps_what_fits_and_drops_what_would_alias() -> None:
    coarse, fine = wave(300, 40, period_px=24), wave(300, 40, period_px=2.2)
    for width in (120, 150, 200):
        assert np.ptp(shrink(coarse, size=(width, 16)).astype(int)) > 150
    for width in (30, 120, 150):
        assert np.ptp(shrink(fine, size=(width, 16))[:, 2:-2].astype(int)) < 60


def test_shrinking_is_nearer_to_lanczos_than_area_averaging() -> None:
    rng = np.random.default_rng(0)
    octaves = [rng.normal(0, 4 << n, (360 >> n, 480 >> n)).astype(np.float32) for n in range(6)]
    mixed = 128 + np.sum([cv2.resize(one, (480, 360), interpolation=cv2.INTER_CUBIC) for one in octaves], axis=0)
    noise = Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)).convert("RGB")
    pixels = np.asarray(noise)
    for size in ((440, 330), (400, 300), (300, 225), (200, 150)):
        wanted = np.asarray(noise.resize(size, Image.Resampling.LANCZOS)).astype(float)
        area = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(float)
        assert np.square(shrink(pixels, size=size) - wanted).mean() < np.square(area - wanted).mean()


def test_thin_images_shrink() -> None:
    assert shrink(np.zeros((3, 60_000, 3), np.uint8), size=(20_000, 1)).shape == (1, 20_000, 3)
