"""Pre-trained language models of other families than the parts'."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlavaForConditionalGeneration,
    PretrainedConfig,
    PreTrainedModel,
)

from tests.train_bridge.conftest import stage_config
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor

SIZES: dict[str, Any] = {
    "vocab_size": 250,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
IDS = torch.tensor([[5, 60, 7, 200, 9]])
Build = Callable[..., LlavaForConditionalGeneration]
Save = Callable[[PretrainedConfig], PreTrainedModel]


@pytest.fixture
def save(parts: dict[str, str], tmp_path: Path) -> Save:
    """Return what makes a language model of a configuration and saves it in ``tmp_path / "llm"``.

    Its weights are large, and none is zero or one, so that what is lost shows.
    """

    def save(config: PretrainedConfig) -> PreTrainedModel:
        torch.manual_seed(0)
        llm = AutoModelForCausalLM.from_config(config).eval()
        with torch.no_grad():
            for parameter in llm.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.2)
        llm.save_pretrained(tmp_path / "llm")
        AutoTokenizer.from_pretrained(parts["llm"]).save_pretrained(tmp_path / "llm")
        return llm

    return save


@pytest.fixture
def build(shard_folder: str, parts: dict[str, str], tmp_path: Path) -> Build:
    """Return what assembles the language model that was saved with a tower, which is SigLIP but where one is named."""

    def build(**model: Any) -> LlavaForConditionalGeneration:
        chosen = {"tiny": None, "vision": parts["siglip"], "llm": str(tmp_path / "llm")} | model
        config = stage_config(shard_folder, tmp_path, model=chosen)
        return build_model(config, processor=build_processor(config))

    return build
