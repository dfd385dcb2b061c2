import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    CLIPImageProcessor,
    LlavaImageProcessor,
    LlavaNextImageProcessor,
    SiglipImageProcessor,
)

from curate.contract.errors import CurateError
from train_bridge.model.image_modes import has_newline, image_form, with_mode
from train_bridge.model.images import decode_image, normalise
from train_bridge.model_config import ImageConfig

SIGLIP = SiglipImageProcessor(size={"height": 28, "width": 28})
CLIP = CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})


def png(width: int, height: int) -> bytes:
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)).resize((width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("processor", [SIGLIP, CLIP], ids=["siglip", "clip"])
@pytest.mark.parametrize("mode", ["resize", "pad", "crop"])
def test_a_mode_is_said_in_words_that_plain_transformers_follows(processor: Any, mode: str, tmp_path: Path) -> None:
    made = with_mode(processor, ImageConfig.model_validate({"mode": mode}), size_px=28)
    made.save_pretrained(tmp_path)  # type: ignore[attr-defined]
    loaded = AutoImageProcessor.from_pretrained(tmp_path)
    form = image_form(loaded)
    assert form == image_form(made)
    assert (form.pads, form.shorter_side) == (mode == "pad", None if mode == "resize" else 28)
    data = png(60, 40)
    ours = normalise(torch.from_numpy(decode_image(data, form=form))[None], form=form)
    with Image.open(io.BytesIO(data)) as image:
        theirs = loaded(image, return_tensors="pt")["pixel_values"]
    levels = (ours - theirs).abs() * min(form.std) * 255
    assert levels.mean() < 0.5


def test_without_a_mode_a_processor_stays_as_it_is() -> None:
    assert with_mode(CLIP, ImageConfig(), size_px=28) is CLIP
    assert not has_newline(CLIP)


@pytest.mark.parametrize("mode", ["tiles", "s2"])
def test_crops_are_remembered_in_the_folder(mode: str, tmp_path: Path) -> None:
    config = ImageConfig.model_validate({"mode": mode, "max_tiles": 10})
    made = with_mode(SIGLIP, config, size_px=28, newline=True)
    made.save_pretrained(tmp_path)  # type: ignore[attr-defined]
    loaded = AutoImageProcessor.from_pretrained(tmp_path)
    tiling = image_form(loaded).tiling
    assert tiling is not None
    assert (tiling.mode, tiling.size_px, tiling.max_tiles) == (mode, 28, 10)
    assert tiling.scales == ((1, 2, 3) if mode == "s2" else ())
    assert has_newline(loaded)


def test_scales_are_multiples_of_what_the_tower_takes() -> None:
    config = ImageConfig(mode="s2", s2_scales=(28, 50))
    with pytest.raises(CurateError, match=r"s2_scales: 28, 50; expected 28 px"):
        with_mode(SIGLIP, config, size_px=28)


@pytest.mark.parametrize(
    "options",
    [{"do_normalize": False}, {"rescale_factor": 1 / 127}, {"do_center_crop": False, "size": {"shortest_edge": 32}}],
)
def test_processors_that_do_something_else_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(CurateError, match="image processor"):
        image_form(CLIPImageProcessor(**options))


def test_a_step_that_is_not_known_is_refused_by_name() -> None:
    strange = CLIPImageProcessor(do_pad=True)
    with pytest.raises(CurateError, match=r"\(CLIPImageProcessor\) does do_pad.*image\.mode"):
        image_form(strange)
    with pytest.raises(CurateError, match="does do_image_splitting"):
        image_form(CLIPImageProcessor(do_image_splitting=True))
    with pytest.raises(CurateError, match="image_grid_pinpoints"):
        image_form(LlavaNextImageProcessor())


def test_llavas_own_padding_is_read() -> None:
    assert image_form(LlavaImageProcessor(do_pad=True)).pads
    assert not image_form(LlavaImageProcessor(do_pad=False)).pads
