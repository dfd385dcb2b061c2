import io
import warnings
from pathlib import Path

import pytest
from PIL import Image, UnidentifiedImageError

from curate.contract.reasons import ALL_REASONS
from pipelines.demo.drawing import encode_image
from pipelines.demo.faults import (
    FaultKind,
    FaultRule,
    decompression_bomb,
    image_faults,
    page_faults,
    read_faults,
    write_faults,
)

SAMPLE = encode_image(Image.effect_noise((160, 160), 50).convert("RGB"), "JPEG")


def test_rules_survive_their_file(tmp_path: Path) -> None:
    rules = {
        "/a": FaultRule(kind=FaultKind.BUSY, status=503, times=2, headers={"Retry-After": "1"}),
        "/b": FaultRule(kind=FaultKind.REDIRECT, status=302, location="/c"),
    }
    write_faults(tmp_path, rules)
    assert read_faults(tmp_path) == rules


def test_every_fault_expects_reasons_that_the_ledger_knows() -> None:
    faults = (*image_faults(SAMPLE), *page_faults())
    assert {code for fault in faults for code in fault.expected} <= ALL_REASONS
    assert all(fault.expected for fault in faults)
    assert len({fault.path for fault in faults}) == len(faults)


def test_headers_are_named_as_in_http() -> None:
    rule = next(fault.rule for fault in image_faults(SAMPLE) if fault.path == "/images/too-often.jpg")
    assert rule is not None
    assert rule.headers == {"Retry-After": "1"}


def test_broken_files_do_not_decode() -> None:
    bodies = {fault.path: fault.body for fault in image_faults(SAMPLE) if fault.body is not None}
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(bodies["/images/cut-1.jpg"])).load()
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(bodies["/images/really-a-page.jpg"]))


def test_a_bomb_is_small_outside_and_large_inside() -> None:
    bomb = decompression_bomb()
    assert len(bomb) < 200_000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(Image.DecompressionBombError):
            Image.open(io.BytesIO(bomb))


def test_a_harmless_bomb_is_a_valid_png() -> None:
    with Image.open(io.BytesIO(decompression_bomb(20))) as image:
        assert image.size == (20, 20)
        assert image.convert("L").getextrema() == (0, 0)
