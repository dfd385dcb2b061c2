import io

import numpy as np
from PIL import Image

from pipelines.bench.pictures import photo, photo_jpeg


def test_a_picture_depends_on_its_seed_alone() -> None:
    assert photo_jpeg(64, 48, seed=1) == photo_jpeg(64, 48, seed=1) != photo_jpeg(64, 48, seed=2)
    assert Image.open(io.BytesIO(photo_jpeg(64, 48, seed=1))).size == (64, 48)


def test_detail_grows_fainter_with_its_fineness() -> None:
    gray = photo(256, 256, seed=0).mean(axis=2)
    contrasts = [np.abs(gray[:, step:] - gray[:, :-step]).mean() for step in (1, 8, 64)]
    assert 0 < contrasts[0] < contrasts[1] < contrasts[2]
