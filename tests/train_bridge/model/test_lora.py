from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from curate.contract.errors import RecipeError
from tests.train_bridge.conftest import stage_config
from train_bridge.model.llava import build_model, set_trainable
from train_bridge.model.lora import add_adapters, check_lora, find_targets, is_adapter, merge_adapters
from train_bridge.model_config import ModelConfig, Module

LLM, VISION = "model.language_model.layers", "model.vision_tower.encoder.layers"
IDS_BL = torch.arange(3, 15)[None]


@pytest.fixture
def model(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> LlavaForConditionalGeneration:
    return build_model(stage_config(shard_folder, tmp_path), processor=processor).eval()


def settings(**changes: Any) -> ModelConfig:
    return ModelConfig.model_validate({"trainable": ["projector"], "lora": {"llm": {"rank": 4}}} | changes)


def adapted(model: nn.Module, config: ModelConfig) -> list[str]:
    set_trainable(model, config.trainable, unfreeze=config.unfreeze, freeze=config.freeze)
    return add_adapters(model, config, seed=0)


def learning(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_adapters_begin_without_effect(model: LlavaForConditionalGeneration) -> None:
    before = model(input_ids=IDS_BL).logits
    names = adapted(model, settings(lora={"llm": {"rank": 4, "dropout": 0.1}, "vision": {"rank": 2}}))
    assert torch.equal(model(input_ids=IDS_BL).logits, before)
    downs = [model.get_parameter(name) for name in names if "lora_A" in name]
    assert all(bool(down.any()) for down in downs)
    assert type(model) is LlavaForConditionalGeneration
    assert not hasattr(model, "peft_config")


def test_adapters_learn_and_what_learned_already(model: LlavaForConditionalGeneration) -> None:
    norm = f"{LLM}.1.input_layernorm.weight"
    names = adapted(model, settings(unfreeze=[norm]))
    assert len(names) == 2 * 2 * 7  # two matrices of seven linear layers in two layers
    projector = {f"model.multi_modal_projector.linear_{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")}
    assert learning(model) == {*names, *projector, norm}
    torch.autograd.backward(model(input_ids=IDS_BL).logits.square().sum())
    assert all(bool(model.get_parameter(name).grad.any()) for name in names if "lora_B" in name)
    assert model.lm_head.weight.grad is None


def test_layers_behind_the_used_feature_get_none(model: LlavaForConditionalGeneration) -> None:
    found = find_targets(model, settings(lora={"vision": {}, "llm": {}}))
    assert [*found] == [Module.LLM, Module.VISION]
    assert {name.removeprefix(f"{VISION}.")[0] for name in found[Module.VISION]} == {"0"}  # of two; feature -2
    assert len(found[Module.VISION]) == 6


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"lora": {"llm": {"targets": ["q_proj"]}}}, [f"{LLM}.{i}.self_attn.q_proj" for i in (0, 1)]),
        ({"lora": {"llm": {"targets": ["layers.1.*.v_proj"]}}}, [f"{LLM}.1.self_attn.v_proj"]),
        ({"lora": {"llm": {"targets": [f"{LLM}.0.mlp.up_proj", "lm_head"]}}}, [f"{LLM}.0.mlp.up_proj", "lm_head"]),
        (
            {"lora": {"llm": {"targets": ["q_proj"]}}, "freeze": ["*.layers.0.*.weight"]},
            [f"{LLM}.1.self_attn.q_proj"],
        ),
    ],
)
def test_layers_are_chosen_by_patterns(
    model: LlavaForConditionalGeneration, changes: dict[str, Any], found: list[str]
) -> None:
    assert find_targets(model, settings(**changes)) == {Module.LLM: found}


def test_all_patterns_without_a_layer_are_named(model: LlavaForConditionalGeneration) -> None:
    lora = {"llm": {"targets": ["query", "q_proj", "embed_tokens"]}, "vision": {"targets": ["layers.1.*"]}}
    with pytest.raises(RecipeError) as caught:
        find_targets(model, settings(lora=lora))
    assert [fault.partition(" ")[0] for fault in caught.value.faults] == [
        "model.lora.llm.targets:",
        "model.lora.llm.targets:",
        "model.lora.vision.targets:",
    ]
    text = str(caught.value)
    assert "query matches no linear layer; one of them is lm_head" in text
    assert "embed_tokens is an embedding, which has no adapter here; model.unfreeze" in text
    assert "layers.1.* matches no linear layer" in text


def test_an_output_matrix_that_is_the_embeddings_has_no_adapter(model: LlavaForConditionalGeneration) -> None:
    model.config.tie_word_embeddings = True
    model.tie_weights()
    with pytest.raises(RecipeError, match=r"model\.lora\.llm\.targets: lm_head is tied to the embeddings"):
        find_targets(model, settings(lora={"llm": {"targets": ["lm_head"]}}))


def test_a_module_of_which_all_layers_are_frozen_is_a_fault(model: LlavaForConditionalGeneration) -> None:
    with pytest.raises(RecipeError, match=r"model\.lora\.llm: .* model\.freeze names all"):
        find_targets(model, settings(freeze=["*.layers.*"]))


def test_the_seed_alone_says_how_adapters_begin(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    states: list[torch.Tensor] = []
    for seed in (0, 0, 1):
        model = build_model(stage_config(shard_folder, tmp_path), processor=processor)
        torch.manual_seed(len(states))
        before = torch.get_rng_state()
        names = add_adapters(model, settings(), seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        states.append(torch.cat([model.get_parameter(name).flatten() for name in names]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_an_empty_model_gets_empty_adapters_of_the_same_names(model: LlavaForConditionalGeneration) -> None:
    with torch.device("meta"):
        empty = LlavaForConditionalGeneration(model.config)
    config = settings(lora={"llm": {"rank": 4}, "vision": {"rank": 2}})
    assert adapted(empty, config) == adapted(model, config)
    assert {parameter.device.type for parameter in empty.parameters()} == {"meta"}
    assert {name: p.shape for name, p in empty.named_parameters()} == {n: p.shape for n, p in model.named_parameters()}


def test_merged_weights_give_what_the_adapted_model_gives(
    model: LlavaForConditionalGeneration, shard_folder: str, processor: LlavaProcessor, tmp_path: Path
) -> None:
    lora = {"llm": {"rank": 4, "alpha": 12}, "vision": {"rank": 2}}
    for name in adapted(model, settings(lora=lora)):
        nn.init.normal_(model.get_parameter(name), std=0.1)
    pixels = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    ids_bl = torch.cat([torch.full((1, 4), model.config.image_token_id), IDS_BL[:, 1:]], dim=1)
    expected = model(input_ids=ids_bl, pixel_values=pixels).logits
    plain = build_model(stage_config(shard_folder, tmp_path), processor=processor).eval()
    untrained = plain(input_ids=ids_bl, pixel_values=pixels).logits
    plain.load_state_dict(merge_adapters(model, model.state_dict()))
    torch.testing.assert_close(plain(input_ids=ids_bl, pixel_values=pixels).logits, expected, atol=1e-5, rtol=1e-5)
    assert (untrained - expected).abs().max() > 1e-2


def test_a_base_in_bf16_is_merged_in_fp32(model: LlavaForConditionalGeneration) -> None:
    adapted(model, settings())
    layer = f"{LLM}.0.self_attn.q_proj"
    base = model.get_parameter(f"{layer}.base_layer.weight")
    base.data = base.data.to(torch.bfloat16)
    up = model.get_parameter(f"{layer}.lora_B.default.weight")
    nn.init.constant_(up, 1e-6)
    merged = merge_adapters(model, model.state_dict())[f"{layer}.weight"]
    assert merged.dtype == torch.float32
    down = model.get_parameter(f"{layer}.lora_A.default.weight")
    torch.testing.assert_close(merged - base.float(), 2 * up @ down, atol=1e-7, rtol=0)


def test_weights_without_adapters_stay_as_they_are(model: LlavaForConditionalGeneration) -> None:
    weights = model.state_dict()
    assert add_adapters(model, ModelConfig(), seed=0) == []
    merged = merge_adapters(model, dict(weights))
    assert merged.keys() == weights.keys()
    assert all(merged[name] is weights[name] for name in weights)
    assert not any(map(is_adapter, merged))


def test_without_peft_the_extra_is_named() -> None:
    with pytest.raises(RecipeError, match=r"model\.lora: adapters need peft; pip install 'vila-curate\[lora\]'"):
        check_lora(settings(), find=lambda _: None)
    check_lora(settings())
    check_lora(ModelConfig(), find=lambda _: None)
