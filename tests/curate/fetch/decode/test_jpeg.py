import io
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from curate.contract.reasons import FetchStatus
from curate.fetch.decode.jpeg import MAX_SCANS, check_scans, is_whole, read_jpeg, write_jpeg
from curate.fetch.errors import FetchError
from tests.curate.fetch import samples

NOISE = samples.encoded(Image.effect_noise((160, 120), 90).convert("RGB"), "JPEG", quality=90)
END = b"\xff\xd9"


def cut_short(data: bytes, call: Callable[[bytes], object]) -> bool:
    try:
        call(data)
    except FetchError as error:
        return error.status == FetchStatus.BROKEN_IMAGE
    return False


def read_small(data: bytes) -> object:
    return read_jpeg(data, size=(160, 120), target=(20, 15))


@pytest.mark.parametrize("call", [is_whole, read_small])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_files_that_end_early_are_cut_short_even_with_an_end_marker(
    call: Callable[[bytes], object], options: dict[str, object]
) -> None:
    data = samples.encoded(Image.effect_noise((160, 120), 90).convert("RGB"), "JPEG", quality=90, **options)
    assert not cut_short(data, call)
    assert is_whole(data)
    half = data[: len(data) // 2]
    assert cut_short(half, call)
    assert cut_short(half + END, call)
    assert cut_short(data[:-2], call)


def test_oddities_are_left_to_a_more_patient_decoder() -> None:
    odd = NOISE[:-2] + b"stray bytes" + END
    assert not is_whole(odd)
    assert read_jpeg(odd, size=(160, 120), target=(20, 15)) is None
    assert is_whole(NOISE + b"what stands behind the end")


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for data in (NOISE[:-2] + b"stray bytes" + END, NOISE[:500], NOISE[:500] + END, NOISE[:30]):
        with suppress(FetchError):
            is_whole(data)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize(
    ("target", "expected"),
    [((160, 120), 1), ((80, 60), 1), ((60, 45), 2), ((61, 46), 1), ((30, 22), 4), ((15, 11), 8), ((1, 1), 8)],
)
def test_the_scale_leaves_a_third_over_the_target(target: tuple[int, int], expected: int) -> None:
    pixels = read_jpeg(NOISE, size=(160, 120), target=target)
    assert pixels is not None
    assert pixels.shape == (120 // expected, 160 // expected, 3)


def test_gray_becomes_rgb() -> None:
    pixels = read_jpeg(samples.jpeg(mode="L"), size=(40, 30), target=(40, 30))
    assert pixels is not None
    assert pixels.shape == (30, 40, 3)
    assert np.ptp(pixels, axis=2).max() == 0


def test_what_is_written_can_be_read_and_has_half_the_chroma() -> None:
    pixels = np.asarray(samples.picture())[:, ::-1]  # not contiguous
    image = Image.open(io.BytesIO(write_jpeg(pixels)))
    assert (image.format, image.size) == ("JPEG", (40, 30))
    assert image.layer[0][1:3] == (2, 2)  # type: ignore[attr-defined]
    # What an inner pixel of each half looks like; the borders between colours are blurred by the chroma.
    assert np.abs(np.asarray(image)[25, [3, 36]].astype(int) - pixels[25, [3, 36]]).max() < 8


def test_scans_are_counted() -> None:
    scan = b"\xff\xda\0\x0c" + bytes(10)
    check_scans(scan * MAX_SCANS)
    with pytest.raises(FetchError) as caught:
        check_scans(scan * (MAX_SCANS + 1))
    assert caught.value.status == FetchStatus.BROKEN_IMAGE
