import io
import random
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, features

from curate.contract.reasons import FetchStatus
from curate.fetch.config import ResizeConfig
from curate.fetch.decode.decode import StoredImage, decode_image
from curate.fetch.errors import FetchError
from tests.curate.fetch import samples
from tests.curate.fetch.decode.test_colour import swapped_profile
from tests.curate.fetch.decode.test_metadata import BOMB, chunk, png, segment

MAX_PIXELS = 1_000_000
RED, BLUE, GREEN, WHITE = (255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 255)


def decode(data: bytes, *, resize: ResizeConfig | None = None, max_pixels: int = MAX_PIXELS) -> StoredImage:
    return decode_image(data, resize=resize, max_pixels=max_pixels)


def failure(data: bytes, *, max_pixels: int = MAX_PIXELS, resize: ResizeConfig | None = None) -> FetchStatus:
    with pytest.raises(FetchError) as caught:
        decode(data, max_pixels=max_pixels, resize=resize)
    return caught.value.status


def pixels(stored: StoredImage) -> Image.Image:
    image = Image.open(io.BytesIO(stored.data))
    assert image.format == "JPEG"
    assert image.size == (stored.width, stored.height)
    return image.convert("RGB")


def close(image: Image.Image, xy: tuple[int, int], color: tuple[int, int, int], tolerance: int = 40) -> bool:
    found = image.getpixel(xy)
    assert isinstance(found, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(found, color, strict=True))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_stays_as_it_is(mode: str) -> None:
    data = samples.jpeg(mode=mode)
    stored = decode(data, resize=ResizeConfig(shorter_side=30))
    assert stored == StoredImage(data=data, width=40, height=30, original_width=40, original_height=30)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_other_formats_become_jpeg(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow cannot read AVIF")
    image = pixels(decode(samples.encoded(samples.picture(), kind)))
    assert close(image, (2, 25), RED)
    assert close(image, (37, 15), BLUE)
    assert close(image, (3, 3), GREEN)


@pytest.mark.parametrize(
    ("orientation", "green_corner"),
    [(1, (2, 2)), (2, (37, 2)), (3, (37, 27)), (4, (2, 27)), (5, (2, 2)), (6, (27, 2)), (7, (27, 37)), (8, (2, 37))],
)
@pytest.mark.parametrize("resize", [None, ResizeConfig(shorter_side=15)])
def test_exif_orientation(orientation: int, green_corner: tuple[int, int], resize: ResizeConfig | None) -> None:
    stored = decode(samples.jpeg(orientation=orientation), resize=resize)
    upright = (30, 40) if orientation >= 5 else (40, 30)
    assert (stored.original_width, stored.original_height) == upright
    scale = 2 if resize else 1
    assert (stored.width, stored.height) == (upright[0] // scale, upright[1] // scale)
    image = pixels(stored)
    assert close(image, (green_corner[0] // scale, green_corner[1] // scale), GREEN, 90)
    assert image.getexif().get(0x0112, 1) == 1


def test_damaged_metadata_is_no_damage_of_the_picture() -> None:
    plain = pixels(decode(samples.encoded(samples.picture(), "PNG")))
    for extra in (BOMB, chunk(b"eXIf", b"garbage12345"), chunk(b"tEXt", b"a", crc=1), chunk(b"iCCP", b"x\0\0y")):
        assert pixels(decode(png(extra))) == plain
        assert pixels(decode(png(after=extra))) == plain
    jpeg = samples.jpeg()
    for junk in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"ICC_PROFILE\0\1\2x", b"MPF\0II*\0"):
        damaged = jpeg[:2] + b"".join(segment(marker, junk) for marker in (0xE1, 0xE2, 0xED)) + jpeg[2:]
        assert decode(damaged).data == damaged
        assert decode(damaged, resize=ResizeConfig(shorter_side=15)).height == 15


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB")])
def test_colours_of_another_gamut_are_those_that_a_screen_shows(kind: str, mode: str) -> None:
    data = samples.encoded(samples.picture(mode, (80, 60)), kind, icc_profile=swapped_profile())
    image = pixels(decode(data, resize=ResizeConfig(shorter_side=30)))
    assert close(image, (2, 25), GREEN)
    assert close(image, (37, 15), RED)


def test_a_profile_that_is_stored_with_its_file_changes_nothing() -> None:
    data = samples.encoded(samples.picture(), "JPEG", icc_profile=swapped_profile())
    assert decode(data).data == data


def test_a_senseless_orientation_is_none() -> None:
    assert decode(samples.jpeg(orientation=99)).data == samples.jpeg(orientation=99)


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "PNG"])
def test_orientation_of_other_formats(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"tiffinfo": {0x0112: 6}} if kind == "TIFF" else {"exif": exif}
    stored = decode(samples.encoded(samples.picture(), kind, **options))
    assert (stored.width, stored.original_width, stored.original_height) == (30, 30, 40)
    assert close(pixels(stored), (27, 2), GREEN, 90)


def test_cmyk() -> None:
    stored = decode(samples.jpeg(mode="CMYK"))
    assert stored.data != samples.jpeg(mode="CMYK")
    assert close(pixels(stored), (2, 25), RED, 60)


def test_16_bits_keep_their_scale() -> None:
    image = pixels(decode(samples.gray16_png()))
    assert close(image, (2, 2), (128, 128, 128), 4)
    assert close(image, (37, 2), WHITE, 4)


def test_transparency_shows_white() -> None:
    clear = samples.picture("RGBA")
    clear.putalpha(0)
    palette = samples.picture().quantize(8)
    corner = palette.getpixel((0, 0))
    for data, xy in (
        (samples.encoded(clear, "PNG"), (2, 25)),
        (samples.encoded(clear, "WEBP", lossless=True), (2, 25)),
        (samples.encoded(clear.convert("LA"), "PNG"), (2, 25)),
        (samples.encoded(palette, "PNG", transparency=corner), (3, 3)),
        (samples.encoded(palette, "GIF", transparency=corner), (3, 3)),
        (samples.encoded(samples.picture(), "PNG", transparency=(255, 0, 0)), (2, 25)),
    ):
        assert close(pixels(decode(data)), xy, WHITE)


def test_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in (RED, BLUE)] * 500
    for kind in ("GIF", "WEBP"):
        data = samples.encoded(frames[0], kind, save_all=True, append_images=frames[1:5])
        assert close(pixels(decode(data)), (10, 10), RED)


def test_large_jpegs_are_scaled_from_a_reduced_decode() -> None:
    stored = decode(samples.jpeg(size=(800, 600)), resize=ResizeConfig(shorter_side=60))
    assert (stored.width, stored.height, stored.original_width) == (80, 60, 800)
    assert close(pixels(stored), (5, 5), GREEN)
    assert close(pixels(stored), (70, 30), BLUE)


def test_enlarging_is_on_wish_and_within_the_cap() -> None:
    stored = decode(samples.jpeg(), resize=ResizeConfig(shorter_side=60, only_if_larger=False))
    assert (stored.width, stored.height) == (80, 60)
    thin = samples.encoded(samples.picture(size=(3_000, 1)), "PNG")
    assert failure(thin, resize=ResizeConfig(shorter_side=20, only_if_larger=False)) == FetchStatus.TOO_MANY_PIXELS
    assert decode(thin, resize=ResizeConfig(shorter_side=20)).width == 3_000


@pytest.mark.parametrize("data", [samples.jpeg(), samples.encoded(samples.picture(), "WEBP")], ids=["jpeg", "webp"])
def test_the_pixel_cap_is_exact(data: bytes) -> None:
    assert decode(data, max_pixels=40 * 30).width == 40
    assert failure(data, max_pixels=40 * 30 - 1) == FetchStatus.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    "data",
    [
        samples.png_header(16_000, 16_000, bits=8, color=6),
        samples.png_header(20_000, 20_000, bits=1, color=0),
        samples.png_header(70_000, 2, bits=8, color=2),
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0",
    ],
    ids=["rgba", "1 bit", "one long side", "webp canvas"],
)
def test_bombs_are_refused_by_their_header(data: bytes) -> None:
    assert failure(data, max_pixels=64_000_000) == FetchStatus.TOO_MANY_PIXELS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_cut_files_are_broken(kind: str) -> None:
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    data = samples.encoded(noise, kind)
    for part in (len(data) // 2, 40):
        assert failure(data[:part]) == FetchStatus.BROKEN_IMAGE


@pytest.mark.parametrize("resize", [None, ResizeConfig(shorter_side=16)])
def test_a_jpeg_that_was_cut_and_closed_is_broken(resize: ResizeConfig | None) -> None:
    data = samples.encoded(Image.effect_noise((64, 64), 90).convert("RGB"), "JPEG")
    assert failure(data[: len(data) // 2] + b"\xff\xd9", resize=resize) == FetchStatus.BROKEN_IMAGE


@pytest.mark.parametrize("resize", [None, ResizeConfig(shorter_side=16)])
def test_a_jpeg_with_stray_bytes_is_whole(resize: ResizeConfig | None, capfd: pytest.CaptureFixture[str]) -> None:
    data = samples.jpeg()[:-2] + b"\x11\x22\x33\xff\xd9"
    stored = decode(data, resize=resize)
    assert (stored.data == data) == (resize is None)
    assert close(pixels(stored), (2, stored.height - 2), RED, 60)
    assert capfd.readouterr().err == ""


def test_a_jpeg_of_countless_scans_is_refused() -> None:
    data = samples.encoded(samples.picture(), "JPEG", progressive=True)
    assert decode(data).data == data
    last = data.rindex(b"\xff\xda")
    assert failure(data[:-2] + data[last:-2] * 200 + data[-2:]) == FetchStatus.BROKEN_IMAGE


@pytest.mark.parametrize("data", [b"", b"<html>", b"<svg/>", b"BM, said he", b"GIF", b"\0" * 99, b"%PDF-1.7"])
def test_what_is_no_image(data: bytes) -> None:
    assert failure(data) == FetchStatus.NOT_AN_IMAGE


def test_same_bytes_in_same_bytes_out_in_any_thread() -> None:
    data = samples.encoded(samples.picture("RGBA", (300, 200)), "PNG")
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: decode(data, resize=ResizeConfig(shorter_side=77)).data, range(16)))
    assert len(set(results)) == 1


def test_mutated_files_raise_nothing_else() -> None:
    rng = random.Random(0)
    seeds = [
        samples.encoded(samples.picture(), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000")
    ]
    statuses = set[str]()
    for number in range(700):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(rng.choice((1, 3, 9))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            decode(bytes(data))
        except FetchError as error:
            statuses.add(error.status)
    assert statuses == {"broken_image", "not_an_image", "too_many_pixels"}


def test_warnings_of_pillow_do_not_leak() -> None:
    broken_exif = samples.jpeg(orientation=6).replace(
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"
    )
    assert broken_exif != samples.jpeg(orientation=6)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decode(broken_exif)
    assert not caught
