from typing import Any

import pytest
import torch
from transformers import (
    CohereConfig,
    Gemma2Config,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PhiConfig,
    PretrainedConfig,
    PreTrainedModel,
    SiglipVisionConfig,
)

from curate.contract.errors import CurateError
from tests.train_bridge.model.conftest import IDS, SIZES, Build, Save
from train_bridge.model.assemble import find_base, fold_logit_scale
from train_bridge.model.family_llava import FamilyLlava


@torch.no_grad()
def largest_difference(model: PreTrainedModel, llm: PreTrainedModel) -> float:
    wanted = llm(input_ids=IDS).logits
    logits = model(input_ids=IDS).logits[..., : wanted.shape[-1]]
    return float((logits - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (CohereConfig(**SIZES, logit_scale=0.0625), "logit_scale"),
        (GraniteConfig(**SIZES, logits_scaling=6.0, tie_word_embeddings=True), "logits_scaling"),
    ],
)
def test_a_scale_of_logits_moves_into_the_last_norm(
    save: Save, build: Build, config: PretrainedConfig, field: str
) -> None:
    llm = save(config)
    model = build()
    assert type(model) is LlavaForConditionalGeneration
    assert getattr(model.config.text_config, field) == 1.0
    assert largest_difference(model, llm) < 1e-5
    assert model.lm_head.weight is model.model.language_model.embed_tokens.weight


def test_a_power_of_two_changes_no_bit(save: Save) -> None:
    llm = save(CohereConfig(**SIZES, logit_scale=0.0625))
    before = llm(input_ids=IDS).logits
    fold_logit_scale(find_base(llm, name="x"), llm.config)
    assert torch.equal(llm.lm_head(llm.model(input_ids=IDS).last_hidden_state), before)


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        (PhiConfig(**SIZES), {"lm_head_bias": True, "logit_softcap": None}),
        (
            Gemma2Config(**SIZES, final_logit_softcapping=3.0, query_pre_attn_scalar=16),
            {"lm_head_bias": False, "logit_softcap": 3.0},
        ),
    ],
)
def test_a_bias_or_a_cap_behind_the_matrix_is_carried_by_a_class(
    save: Save, build: Build, config: PretrainedConfig, fields: dict[str, object]
) -> None:
    llm = save(config)
    model = build()
    assert type(model) is FamilyLlava
    assert {name: getattr(model.config, name) for name in fields} == fields
    assert largest_difference(model, llm) < 1e-5
    again = type(model)(model.config).eval()
    again.load_state_dict(model.state_dict())
    assert largest_difference(again, llm) < 1e-5


def test_capped_scores_and_windows_are_those_of_the_language_model_when_it_writes(save: Save, build: Build) -> None:
    llm = save(Gemma2Config(**SIZES, query_pre_attn_scalar=16, attn_logit_softcapping=2.0, sliding_window=6))
    model = build()
    options = {"max_new_tokens": 12, "do_sample": False, "eos_token_id": None}
    wanted = llm.generate(input_ids=IDS, **options)
    model.generation_config.suppress_tokens = [*range(250, model.lm_head.weight.shape[0])]
    assert torch.equal(model.generate(input_ids=IDS, **options), wanted)


def test_a_projector_of_another_class_is_refused_with_them(save: Save, build: Build) -> None:
    save(PhiConfig(**SIZES))
    with pytest.raises(CurateError, match=r"phi with siglip_vision_model needs lm_head_bias.*take model\.projector"):
        build(projector="mlp_downsample")


def test_another_layout_is_assembled_too(save: Save, build: Build) -> None:
    llm = save(GPTNeoXConfig(**SIZES))
    assert largest_difference(build(), llm) < 1e-5


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (GPT2Config(vocab_size=250, n_embd=32, n_layer=1, n_head=2), "type gpt2 does not keep its layers at layers"),
        (GPTNeoXConfig(**SIZES, tie_word_embeddings=True), "ties its output matrix to an embedding that is not at"),
    ],
)
def test_a_layout_that_llava_cannot_hold_is_refused(
    save: Save, build: Build, config: PretrainedConfig, fault: str
) -> None:
    save(config)
    with pytest.raises(CurateError, match=fault):
        build()


def test_rows_for_new_tokens_are_zeros(save: Save, build: Build) -> None:
    llm = save(LlamaConfig(**SIZES))
    model = build()
    for table, before in ((model.lm_head, llm.lm_head), (model.get_input_embeddings(), llm.get_input_embeddings())):
        assert len(table.weight) > len(before.weight)
        assert not table.weight[len(before.weight) :].any()


def test_a_model_whose_layers_transformers_builds_otherwise_is_refused(parts: dict[str, str]) -> None:
    llm = LlamaForCausalLM.from_pretrained(parts["llm"])
    llm.config = GemmaConfig(**SIZES)
    with pytest.raises(CurateError, match="a LlamaForCausalLM holds no model as transformers builds one of gemma"):
        find_base(llm, name="x")


def features_that_enter(model: Any, ids: torch.Tensor, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the language model is given for images, and for words."""
    seen: list[torch.Tensor] = []
    language_model = model.model.language_model
    hook = language_model.register_forward_pre_hook(
        lambda _module, _args, given: seen.append(given["inputs_embeds"]), with_kwargs=True
    )
    with torch.no_grad():
        model(input_ids=ids, pixel_values=pixels)
    hook.remove()
    is_image = ids[0] == model.config.image_token_id
    return seen[0][0, is_image], seen[0][0, ~is_image]


def test_gemma_scales_words_and_not_images_as_its_own_multimodal_class_does(save: Save, build: Build) -> None:
    gemma = GemmaConfig(**SIZES)
    save(gemma)
    model = build(projector="mlp")
    pixels = torch.randn(1, 3, 16, 16)
    ids = torch.tensor([[model.config.image_token_id] * 4 + [60, 61]])
    images, words = features_that_enter(model, ids, pixels)
    projected = torch.cat(list(model.get_image_features(pixel_values=pixels).pooler_output))
    assert torch.allclose(images, projected, atol=1e-6)
    table = model.model.language_model.embed_tokens.weight
    assert torch.allclose(words, table[[60, 61]] * 32**0.5, atol=1e-5)
    vision = SiglipVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8
    )
    theirs = PaliGemmaForConditionalGeneration(
        PaliGemmaConfig(vision_config=vision, text_config=gemma, image_token_id=249, projection_dim=32)
    ).eval()
    images, words = features_that_enter(theirs, torch.tensor([[249] * 4 + [60, 61]]), pixels)
    projected = theirs.get_image_features(pixel_values=pixels).pooler_output[0]
    assert torch.allclose(images, projected, atol=1e-6)
    assert torch.allclose(words, theirs.model.language_model.embed_tokens.weight[[60, 61]] * 32**0.5, atol=1e-5)
