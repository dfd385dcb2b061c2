from pathlib import Path

import pytest
import torch
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from tests.train_bridge.conftest import stage_config
from train_bridge.model.llava import build_model, set_trainable
from train_bridge.model.lora import add_adapters
from train_bridge.model_config import ModelConfig, Module
from train_bridge.training.flops import ModelCost, cost_of, find_peak, peak_flops

HIDDEN, LAYERS, VOCAB = 32, 2, 320
LAYER_WEIGHTS = 4 * HIDDEN * HIDDEN + 3 * HIDDEN * 3 * HIDDEN
"""Of tests' tiny language model: attention, and a gated feed-forward three times as wide."""


@pytest.fixture
def model(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> LlavaForConditionalGeneration:
    config = stage_config(shard_folder, tmp_path, model={"projector": "linear"})
    return build_model(config, processor=processor)


def cost(model: LlavaForConditionalGeneration, *modules: Module) -> ModelCost:
    set_trainable(model, set(modules))
    return cost_of(model, tokens_per_image=4)


def test_a_trained_language_model_costs_six_flops_per_weight_and_token(model: LlavaForConditionalGeneration) -> None:
    trained = cost(model, Module.PROJECTOR, Module.LLM)
    assert trained.per_token == 6 * LAYERS * LAYER_WEIGHTS
    assert trained.per_label == 6 * HIDDEN * model.config.text_config.vocab_size
    assert trained.per_pair == 3 * 4 * HIDDEN * LAYERS


def test_a_frozen_one_costs_four_behind_a_projector_that_learns(model: LlavaForConditionalGeneration) -> None:
    assert cost(model, Module.PROJECTOR).per_token == 4 * LAYERS * LAYER_WEIGHTS
    assert cost(model, Module.PROJECTOR).per_pair == 3 * 4 * HIDDEN * LAYERS


def test_a_frozen_model_costs_its_forward_pass(model: LlavaForConditionalGeneration) -> None:
    assert cost(model).per_token == 2 * LAYERS * LAYER_WEIGHTS
    assert cost(model).per_pair == 4 * HIDDEN * LAYERS


def test_adapters_cost_six_flops_per_weight_and_what_they_stand_beside_four(
    model: LlavaForConditionalGeneration,
) -> None:
    set_trainable(model, {Module.PROJECTOR})
    config = ModelConfig.model_validate(
        {"trainable": ["projector"], "lora": {"llm": {"rank": 4, "targets": ["q_proj"]}}}
    )
    add_adapters(model, config, seed=0)
    adapters = LAYERS * 2 * 4 * HIDDEN
    assert cost_of(model, tokens_per_image=4).per_token == 4 * LAYERS * LAYER_WEIGHTS + 6 * adapters


def test_images_cost_the_layers_that_are_used(model: LlavaForConditionalGeneration) -> None:
    patches = 5  # 2 x 2 and the class token
    layer = 4 * HIDDEN * HIDDEN + 2 * HIDDEN * 2 * HIDDEN
    convolution = HIDDEN * 3 * 8 * 8
    used = 2 * (layer + convolution) * patches + 4 * HIDDEN * 1 * patches**2  # feature -2: one of two layers
    projector = 2 * 2 * HIDDEN * HIDDEN
    assert cost(model).per_image == used + 4 * projector
    assert cost(model, Module.PROJECTOR).per_image == used + 4 * (projector + 2 * HIDDEN * HIDDEN)
    assert cost(model, Module.VISION).per_image > 2.5 * used


def test_flops_add_up(model: LlavaForConditionalGeneration) -> None:
    found = cost(model, Module.LLM)
    total = found.flops(tokens=10, pairs=55, labels=9, images=1)
    assert total == 10 * found.per_token + 55 * found.per_pair + 9 * found.per_label + found.per_image


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA A10G", 70e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA L4", 121e12),
        ("Some other card", None),
    ],
)
def test_peaks_by_name(name: str, peak: float | None) -> None:
    assert find_peak(name) == peak


def test_a_cpu_has_no_peak() -> None:
    assert peak_flops(torch.device("cpu"), dtype=torch.bfloat16) is None
    assert peak_flops(torch.device("cuda"), dtype=torch.float32) is None
