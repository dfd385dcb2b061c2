from pathlib import Path

import pytest
import torch
from transformers import Dinov2WithRegistersConfig, LlavaConfig, LlavaForConditionalGeneration

from tests.train_bridge.conftest import stage_config
from train_bridge.model.llava import build_model
from train_bridge.model.parts import (
    VISION_TOWER,
    LlavaSettings,
    TextSettings,
    VisionSettings,
    language_layers,
    module_of,
    num_vision_tokens,
    output_matrix,
    projector,
    second_matrix,
    settings_of,
    unused_vision,
    vision_layers,
    vision_tower,
)
from train_bridge.model.processor import build_processor
from train_bridge.model_config import Module


@pytest.fixture(params=["clip", "siglip"])
def model(
    request: pytest.FixtureRequest, shard_folder: str, parts: dict[str, str], tmp_path: Path
) -> LlavaForConditionalGeneration:
    towers = {"tiny": None, "vision": parts[request.param], "llm": parts["llm"]}
    config = stage_config(shard_folder, tmp_path, model=towers)
    return build_model(config, processor=build_processor(config))


def test_parts_are_those_that_transformers_names(model: LlavaForConditionalGeneration) -> None:
    assert vision_layers(model) == list(model.model.vision_tower.encoder.layers)
    assert vision_tower(model) is model.model.vision_tower
    assert projector(model) is model.model.multi_modal_projector
    assert second_matrix(model) is model.model.multi_modal_projector.linear_2
    assert language_layers(model) == list(model.model.language_model.layers)
    assert output_matrix(model) is model.lm_head.weight


def test_a_configuration_has_what_is_read_of_it(model: LlavaForConditionalGeneration) -> None:
    settings = settings_of(model)
    for read, found in (
        (LlavaSettings, settings),
        (VisionSettings, settings.vision_config),
        (TextSettings, settings.text_config),
    ):
        missing = [name for name in read.__annotations__ if not hasattr(found, name)]
        assert missing == []


def test_every_parameter_belongs_to_a_module(model: LlavaForConditionalGeneration) -> None:
    in_tower = {module_of(name) for name, _ in vision_tower(model).named_parameters(prefix=VISION_TOWER)}
    assert in_tower == {Module.VISION}
    assert {module_of(name) for name, _ in model.named_parameters()} == set(Module)
    assert module_of("lm_head.weight") == module_of("model.language_model.norm.weight") == Module.LLM
    assert module_of("model.multi_modal_projector.linear_1.bias") == Module.PROJECTOR


def test_a_tower_sees_its_patches_and_what_is_none(model: LlavaForConditionalGeneration) -> None:
    seen = vision_tower(model)(torch.zeros(1, 3, 16, 16)).last_hidden_state
    assert num_vision_tokens(settings_of(model)) == seen.shape[1]


@pytest.mark.parametrize(("select", "num_taken"), [("default", 4), ("full", 9)])
def test_one_that_interpolates_sees_as_many_patches_as_there_are(select: str, num_taken: int) -> None:
    tower = Dinov2WithRegistersConfig(image_size=224, patch_size=8)  # images of 16 px, one class token, 4 registers
    settings = LlavaConfig(vision_config=tower, vision_feature_select_strategy=select, image_seq_length=num_taken)
    assert num_vision_tokens(settings) == 9


@pytest.mark.parametrize(("layer", "num_unused"), [(-1, 0), (-2, 1), (-3, 2), (0, 2), (1, 1), (2, 0)])
def test_what_follows_the_feature_is_unused(model: LlavaForConditionalGeneration, layer: int, num_unused: int) -> None:
    settings_of(model).vision_feature_layer = layer
    tower = vision_tower(model)
    unused = {id(parameter) for parameter in unused_vision(model)}
    names = {name for name, parameter in tower.named_parameters() if id(parameter) in unused}
    behind = {name for name, _ in tower.named_parameters() if name.startswith(("post_layernorm.", "head."))}
    assert behind <= names
    last = tuple(f"encoder.layers.{number}." for number in range(2 - num_unused, 2))
    assert names - behind == {name for name, _ in tower.named_parameters() if last and name.startswith(last)}
