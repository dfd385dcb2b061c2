from pathlib import Path

import pytest
import torch
from transformers import (
    CwmConfig,
    GraniteSWAConfig,
    Lfm2Config,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    MistralConfig,
)

from curate.contract.errors import CurateError
from tests.train_bridge.conftest import stage_config
from tests.train_bridge.model.conftest import IDS, SIZES, Build, Save
from train_bridge.model.llava import build_model
from train_bridge.model.same_logits import LENGTHS, check_logits, check_packs, remember


@pytest.fixture
def model(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> LlavaForConditionalGeneration:
    return build_model(stage_config(shard_folder, tmp_path), processor=processor)


def test_what_was_said_is_said_again(model: LlavaForConditionalGeneration) -> None:
    memory = remember(model)
    assert [len(ids) for ids in memory.ids] == list(LENGTHS)
    check_logits(model, memory, name="x")
    check_packs(model, name="x")
    assert model.model.language_model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("factor", [0.9, float("nan")])
def test_other_logits_are_refused_with_their_difference(model: LlavaForConditionalGeneration, factor: float) -> None:
    memory = remember(model)
    with torch.no_grad():
        model.lm_head.weight.mul_(factor)
    with pytest.raises(CurateError, match=r"x: outside its causal model a language model of type llama .* apart, of"):
        check_logits(model, memory, name="x")


def test_what_a_family_sets_is_named(save: Save, build: Build) -> None:
    save(GraniteSWAConfig(**SIZES, logits_scaling=8.0, layer_types=["full_attention"] * 2))
    with pytest.raises(CurateError, match=r"outside its causal model .* type granite_swa .* logits_scaling"):
        build()


def test_layers_that_a_mask_does_not_cut_are_refused(save: Save, build: Build) -> None:
    save(Lfm2Config(**SIZES, layer_types=["conv", "full_attention"]))
    with pytest.raises(CurateError, match=r"in a pack \(run\.attention: mask\) .* type lfm2 .* conv_L_cache"):
        build()


def test_a_window_that_packs_do_not_know_is_noticed_where_it_is_short(model: LlavaForConditionalGeneration) -> None:
    text = CwmConfig(**SIZES, initializer_range=0.5, sliding_window=4, layer_types=["sliding_attention"] * 2)
    other = LlavaForConditionalGeneration(LlavaConfig(vision_config=model.config.vision_config, text_config=text))
    with pytest.raises(CurateError, match=r"in a pack .* type cwm .* sliding_window"):
        check_packs(other, name="x")


@pytest.mark.parametrize(("window", "length"), [(8, 24), (100, 102), (4096, 24)])
def test_a_sample_is_longer_than_a_window_where_that_is_cheap(save: Save, window: int, length: int) -> None:
    memory = remember(save(MistralConfig(**SIZES, sliding_window=window)))
    assert len(memory.ids[0]) == length


def test_rows_for_new_tokens_are_not_compared(save: Save, build: Build) -> None:
    llm = save(LlamaConfig(**SIZES))
    model = build()
    assert model.lm_head.weight.shape[0] > llm.lm_head.weight.shape[0]
    assert torch.allclose(model(input_ids=IDS).logits[..., :250], llm(input_ids=IDS).logits, atol=1e-4)
