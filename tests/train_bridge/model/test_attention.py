from pathlib import Path

import pytest
from transformers import LlavaProcessor

from curate.contract.errors import CurateError
from tests.train_bridge.conftest import stage_config
from train_bridge.model.attention import set_attention
from train_bridge.model.llava import build_model
from train_bridge.model.mask import IMPLEMENTATIONS, Attention

FORMS: tuple[Attention, ...] = ("flex", "segments", "mask")


def test_attention_is_set_for_the_language_model_alone(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path
) -> None:
    model = build_model(stage_config(shard_folder, tmp_path), processor=processor)
    for form in FORMS:
        set_attention(model, form)
        assert model.model.language_model.config._attn_implementation == IMPLEMENTATIONS[form]
        assert model.model.vision_tower.config._attn_implementation == "sdpa"
    model.config.text_config.attn_logit_softcapping = 50.0
    set_attention(model, "mask")
    assert model.model.language_model.config._attn_implementation == "capped"


def test_a_form_that_a_language_model_does_not_take_is_refused(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path
) -> None:
    model = build_model(stage_config(shard_folder, tmp_path), processor=processor)
    model.model.language_model._supports_flex_attn = False
    with pytest.raises(CurateError, match=r"run\.attention: flex: a language model of type llama does not take it"):
        set_attention(model, "flex")
