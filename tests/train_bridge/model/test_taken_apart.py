from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
)

from curate.contract.errors import CurateError
from tests.train_bridge.checkpoints.folders import IMAGE_PX, new_text, new_vision, write_qwen_tokenizer
from tests.train_bridge.conftest import stage_config
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor
from train_bridge.model.taken_apart import is_whole, take_language_model, take_tower

KINDS = {
    "llava": (LlavaConfig, LlavaForConditionalGeneration),
    "llava_next": (LlavaNextConfig, LlavaNextForConditionalGeneration),
    "llava_onevision": (LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration),
}


def write(folder: Path, kind: str) -> Any:
    """Write a whole model with random weights; return it."""
    config_class, model_class = KINDS[kind]
    torch.manual_seed(0)
    text, vision = new_text("qwen2").config, new_vision().config
    config = config_class(text_config=text, vision_config=vision, vision_feature_select_strategy="full")
    model = model_class(config).eval()
    model.save_pretrained(folder)
    size = {"shortest_edge": IMAGE_PX}
    LlavaNextImageProcessor(size=size, crop_size={"height": IMAGE_PX, "width": IMAGE_PX}).save_pretrained(folder)
    write_qwen_tokenizer(folder)
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("newer_names", [False, True])
def test_parts_of_a_whole_model_are_put_together_anew(
    shard_folder: str, tmp_path: Path, kind: str, *, newer_names: bool
) -> None:
    folder = tmp_path / kind
    whole = write(folder, kind)
    path = folder / "model.safetensors"
    tensors = {name: value for name, value in whole.state_dict().items() if newer_names} or load_file(path)
    save_file({name: value.clone() for name, value in tensors.items()}, path)
    place = str(folder)
    parts = {"tiny": None, "vision": place, "llm": place, "projector_from": place, "projector": "mlp"}
    config = stage_config(shard_folder, tmp_path / "out", model=parts, image={"mode": "resize"})
    processor = build_processor(config)
    model = build_model(config, processor=processor).eval()
    pixels = torch.randn(1, 3, IMAGE_PX, IMAGE_PX)
    with torch.no_grad():
        states = whole.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-2]
        expected = whole.model.multi_modal_projector(states)
        (found,) = model.model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
        assert torch.allclose(found, expected[0], atol=1e-6)
        ids = torch.tensor([[5, 6, 7]])
        alone = whole.lm_head(whole.model.language_model(input_ids=ids).last_hidden_state)
        assert torch.allclose(model(input_ids=ids).logits[..., : alone.shape[-1]], alone, atol=1e-5)


def test_tiles_of_another_kind_have_to_be_given_up_in_words(shard_folder: str, tmp_path: Path) -> None:
    write(tmp_path / "next", "llava_next")
    place = str(tmp_path / "next")
    parts = {"tiny": None, "vision": place, "llm": place, "projector_from": place}
    with pytest.raises(CurateError, match=r"image_grid_pinpoints.*set image\.mode"):
        build_processor(stage_config(shard_folder, tmp_path / "out", model=parts))


def test_what_is_not_there_is_named(parts: dict[str, str], tmp_path: Path) -> None:
    assert not is_whole(parts["llm"])
    assert not is_whole("someone/on-a-hub")
    write(tmp_path / "next", "llava_next")
    path = tmp_path / "next" / "model.safetensors"
    save_file({n: v for n, v in load_file(path).items() if "vision_tower" not in n and "layers.1" not in n}, path)
    with pytest.raises(CurateError, match=r"no tensor is called model\.vision_tower\. or vision_tower\."):
        take_tower(str(tmp_path / "next"))
    with pytest.raises(CurateError, match="language model: 12 tensors are missing"):
        take_language_model(str(tmp_path / "next"))
