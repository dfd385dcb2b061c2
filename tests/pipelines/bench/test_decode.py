import io

import numpy as np
from PIL import Image

from curate.fetch.config import ResizeConfig
from pipelines.bench.decode import SIZES, _convert_ours, _convert_with_opencv, _images_per_s
from pipelines.bench.pictures import photo_jpeg


def test_both_give_the_same_picture_in_the_same_size_and_quality() -> None:
    data = photo_jpeg(320, 240, seed=0)
    ours, theirs = (
        Image.open(io.BytesIO(convert(data, resize=ResizeConfig(shorter_side=128))))
        for convert in (_convert_ours, _convert_with_opencv)
    )
    assert ours.size == theirs.size == (171, 128)
    assert getattr(ours, "quantization", 1) == getattr(theirs, "quantization", 2)
    difference = np.asarray(ours, np.float32) - np.asarray(theirs, np.float32)
    assert np.sqrt(np.square(difference).mean()) < 8


def test_the_sizes_are_what_the_cases_are_called() -> None:
    for width, height in SIZES["0.5mp"]:
        assert 3e5 <= width * height <= 1e6
    for width, height in SIZES["12mp"]:
        assert abs(width * height - 12e6) < 3e5


def test_a_rate_is_positive() -> None:
    assert _images_per_s(lambda data: data * 1000, [bytes(1000)]) > 0
