from pathlib import Path

import pytest
import torch
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from curate.contract.errors import RecipeError
from tests.train_bridge.conftest import stage_config
from train_bridge.model.frozen import check_frozen_dtype, describe_held, hold_frozen
from train_bridge.model.llava import build_model, set_trainable
from train_bridge.model.lora import add_adapters
from train_bridge.model_config import ModelConfig

BF16 = ModelConfig.model_validate({"trainable": ["projector"], "frozen_dtype": "bf16", "lora": {"llm": {"rank": 4}}})


@pytest.fixture
def model(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> LlavaForConditionalGeneration:
    model = build_model(stage_config(shard_folder, tmp_path), processor=processor)
    set_trainable(model, BF16.trainable)
    add_adapters(model, BF16, seed=0)
    return model


def logits_and_gradients(model: LlavaForConditionalGeneration) -> list[torch.Tensor]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits_blv = model(input_ids=torch.arange(3, 15)[None]).logits
    torch.autograd.backward(logits_blv.float().square().sum())
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    return [logits_blv, *gradients]


def test_a_computation_in_bf16_does_not_see_it(model: LlavaForConditionalGeneration) -> None:
    expected = logits_and_gradients(model)
    num_held = hold_frozen(model, BF16)
    found = logits_and_gradients(model)
    assert len(found) == len(expected) == 1 + 2 * 2 * 7  # text alone: no projector
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    held = [parameter for parameter in model.parameters() if parameter.dtype == torch.bfloat16]
    assert sum(parameter.numel() for parameter in held) == num_held
    assert not any(parameter.requires_grad for parameter in held)
    assert model.lm_head.weight.dtype == torch.bfloat16
    assert model.get_input_embeddings().weight.dtype == torch.float32


def test_embeddings_that_are_the_output_matrix_stay(model: LlavaForConditionalGeneration) -> None:
    model.config.tie_word_embeddings = True
    model.tie_weights()
    hold_frozen(model, BF16)
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert model.lm_head.weight.dtype == torch.float32


def test_by_default_nothing_is_changed(model: LlavaForConditionalGeneration) -> None:
    assert hold_frozen(model, ModelConfig()) == 0
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_it_needs_a_computation_in_bf16() -> None:
    with pytest.raises(RecipeError, match=r"model\.frozen_dtype: .* set run\.precision: bf16"):
        check_frozen_dtype(BF16, dtype=torch.float32)
    check_frozen_dtype(BF16, dtype=torch.bfloat16)
    check_frozen_dtype(ModelConfig(), dtype=torch.float32)


def test_rounding_for_good_is_told() -> None:
    assert describe_held(1000, base="bfloat16") == ["1,000 frozen weights are held in bf16"]
    assert "they were float16; the exported model has them as bf16 rounds them" in describe_held(9, base="float16")[1]
    assert describe_held(0, base="float16") == []
