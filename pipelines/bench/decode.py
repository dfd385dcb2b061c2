"""JPEG in, smaller JPEG out, one thread: our decoder beside the usual chain of OpenCV calls."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np

from curate.fetch.config import ResizeConfig
from curate.fetch.decode.decode import decode_image
from curate.fetch.decode.jpeg import JPEG_QUALITY
from curate.fetch.decode.pixels import target_size
from pipelines.bench.pictures import photo_jpeg
from pipelines.bench.row import BenchRow, compare

MAX_PIXELS = 64_000_000
MIN_SECONDS = 0.7
"""Of one measurement; the list is gone through again until it has passed."""

SIZES: dict[str, tuple[tuple[int, int], ...]] = {
    "0.5mp": ((640, 480), (800, 600), (816, 612), (1024, 768), (1152, 864)),
    "12mp": ((4000, 3000), (4032, 3024)),
}
"""Width and height, px: what pages show, and what cameras write."""

SHORTER_SIDES = {"": 256, "-384": 384}
"""Targets, px: what img2dataset's users ask for, and our default."""


def bench_decode() -> list[BenchRow]:
    """Measure images per second of decode, scale and encode; size and quality of the output are the same."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return [_bench_case(case, suffix) for case in SIZES for suffix in SHORTER_SIDES]
    finally:
        cv2.setNumThreads(threads)


def _bench_case(case: str, suffix: str) -> BenchRow:
    files = [photo_jpeg(*size, seed=seed) for seed, size in enumerate(SIZES[case])]
    resize = ResizeConfig(shorter_side=SHORTER_SIDES[suffix])
    return compare(
        "decode",
        case + suffix,
        unit="images/s",
        ours=partial(_images_per_s, partial(_convert_ours, resize=resize), files),
        peer=f"cv2 {cv2.__version__}",
        theirs=partial(_images_per_s, partial(_convert_with_opencv, resize=resize), files),
    )


def _images_per_s(convert: Callable[[bytes], bytes], files: list[bytes]) -> float:
    num_images = 0
    start_s = time.process_time()
    while (passed_s := time.process_time() - start_s) < MIN_SECONDS:
        for data in files:
            convert(data)
        num_images += len(files)
    return num_images / passed_s


def _convert_ours(data: bytes, *, resize: ResizeConfig) -> bytes:
    return decode_image(data, resize=resize, max_pixels=MAX_PIXELS).data


def _convert_with_opencv(data: bytes, *, resize: ResizeConfig) -> bytes:
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    size = target_size((pixels.shape[1], pixels.shape[0]), resize=resize)
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
