from typing import Any

import pytest
from transformers import (
    Gemma2Config,
    Gemma3TextConfig,
    GptOssConfig,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen2MoeConfig,
)
from transformers.models.llama4.configuration_llama4 import Llama4TextConfig

from curate.contract.errors import RecipeError
from train_bridge.model.windows import CHUNKED, FULL, SLIDING, Window, check_window, windows_of

WINDOWED = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1, "num_hidden_layers": 2}


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (LlamaConfig(), None),
        (MistralConfig(sliding_window=8), Window(size=8)),
        (MistralConfig(sliding_window=None), None),
        (Qwen2Config(sliding_window=8), None),
        (Qwen2Config(**WINDOWED), {FULL: None, SLIDING: Window(size=8)}),
        (Qwen2MoeConfig(num_hidden_layers=2), None),
        (Gemma2Config(num_hidden_layers=2), {FULL: None, SLIDING: Window(size=4096)}),
        (Gemma3TextConfig(num_hidden_layers=2, sliding_window=512), {SLIDING: Window(size=512)}),
        (
            Llama4TextConfig(num_hidden_layers=4, attention_chunk_size=64),
            {FULL: None, CHUNKED: Window(size=64, is_chunk=True)},
        ),
    ],
)
def test_windows_are_read_off_the_configuration(config: PretrainedConfig, wanted: Any) -> None:
    assert windows_of(config) == wanted


def test_a_window_that_packs_do_not_know_bounds_them() -> None:
    config = GptOssConfig(sliding_window=128)
    check_window(config, seq_length=128)
    with pytest.raises(RecipeError, match=r"pack\.seq_length: 129 is more than the sliding_window of 128 tokens"):
        check_window(config, seq_length=129)


def test_known_windows_bound_nothing() -> None:
    check_window(MistralConfig(sliding_window=8), seq_length=4096)
    check_window(LlamaConfig(), seq_length=4096)
