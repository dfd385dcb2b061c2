import numpy as np
import numpy.typing as npt
import pytest

from curate.measure.pdq import hash_luma

Luma = npt.NDArray[np.float32]


def wavy(height: int, width: int) -> Luma:
    """Interfering waves that grow finer: all frequencies, no ties."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    waves: Luma = ((x * x * 3 + y * y * 5 + x * y * 7) // (height + width) % 256).astype(np.float32)
    return waves


def drawing(height: int, width: int) -> Luma:
    """A disc, a shaded box and a darker ellipse on a plain ground."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    disc = np.where((x - 150) ** 2 + (y - 120) ** 2 < 8100, 220, 40)
    box = np.where((x > 200) & (y > 130) & (x < 330), (x + 2 * y) // 40, 0)
    ellipse = np.where((x - 300) ** 2 + 2 * (y - 60) ** 2 < 900, -30, 0)
    levels: Luma = (disc + box + ellipse).astype(np.float32)
    return levels


# Hashes and qualities by the reference program (C++, through pdqhash 0.2.8) of the same pixels, repeated on R, G and B.
GOLDEN = [
    (wavy(384, 384), "982a52aa96aa34ef85ffff00827f32758ec032c782cf72de8edc72d886d83250", 100),
    (wavy(200, 640), "704d3775e0287755a22a575555553fbee0283fbe6000c7ff9e00c87f9df0c8c0", 100),
    (wavy(500, 90), "46f42b89d8a36bab1ef6c55c3c54810154b5a10f5ef70b8f56f22a0efef241c8", 100),
    (wavy(64, 64), "e9c6122ac4c62b55c6ce15bae647ba91c72e15d8ea3738e9475211c5eaab39c6", 100),
    (wavy(129, 333), "53d5a4553be2a4555354a45f5bc8a65d1bcee455ebea522ac4ea518ea43c59b0", 100),
    (drawing(384, 384), "b8393b39c1cfc9c9d9f9074e46c644c592963e06364636c6d83ed936d93607c9", 100),
    (drawing(257, 512), "366770e17b1cf8e170e48ee198e18f138ff17f1e6701b00e731e80ec80fe4d33", 100),
]


def hamming_distance(first: bytes, second: bytes) -> int:
    """Return how many bits of two hashes differ, 0..256."""
    return (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).bit_count()


@pytest.mark.parametrize(("luma", "expected_hex", "expected_quality"), GOLDEN)
def test_hashes_are_those_of_the_reference(luma: Luma, expected_hex: str, expected_quality: int) -> None:
    found, quality = hash_luma(luma)
    # Float sums in another order may flip a bit that ties with the median.
    assert hamming_distance(found, bytes.fromhex(expected_hex)) <= 2
    assert abs(quality - expected_quality) <= 1


def test_half_the_bits_are_set() -> None:
    found, _ = hash_luma(wavy(384, 384))
    assert hamming_distance(found, bytes(32)) == 128


def test_a_smaller_copy_matches_and_another_picture_does_not() -> None:
    picture = drawing(384, 384)
    smaller = picture.reshape(192, 2, 192, 2).mean(axis=(1, 3), dtype=np.float32)
    found, _ = hash_luma(picture)
    assert hamming_distance(found, hash_luma(smaller)[0]) <= 31
    assert hamming_distance(found, hash_luma(wavy(384, 384))[0]) > 60


def test_a_plain_picture_has_no_quality() -> None:
    assert hash_luma(np.full((100, 100), 128, dtype=np.float32))[1] == 0


@pytest.mark.parametrize("shape", [(1, 1), (4, 300), (300, 4)])
def test_a_picture_too_small_to_hash(shape: tuple[int, int]) -> None:
    assert hash_luma(np.ones(shape, dtype=np.float32)) == (bytes(32), 0)


def test_the_smallest_picture_that_is_hashed() -> None:
    found, quality = hash_luma(wavy(5, 5))
    assert found != bytes(32)
    assert quality > 0
