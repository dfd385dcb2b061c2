from typing import Any

import pytest
from transformers import BloomConfig, Gemma3TextConfig, GptOssConfig, LlamaConfig, Phi3Config, PretrainedConfig
from transformers.models.llama4.configuration_llama4 import Llama4TextConfig

from curate.contract.errors import RecipeError
from train_bridge.model.context import check_context, positions_of

LONGROPE = {"rope_type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48, "rope_theta": 1e4}


def llama(stated: int, **rope: Any) -> LlamaConfig:
    return LlamaConfig(max_position_embeddings=stated, rope_parameters={"rope_theta": 1e4, **rope})


@pytest.mark.parametrize(
    ("config", "num_positions"),
    [
        (LlamaConfig(max_position_embeddings=4096), 4096),
        (llama(4096, rope_type="linear", factor=2.0), 8192),
        (llama(32768, rope_type="yarn", factor=4.0, original_max_position_embeddings=32768), 131072),
        (
            llama(
                131072,
                rope_type="llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=8192,
            ),
            131072,
        ),
        (llama(4096, rope_type="dynamic", factor=2.0), 4096),
        (
            Phi3Config(
                max_position_embeddings=131072,
                original_max_position_embeddings=4096,
                rope_parameters=LONGROPE | {"original_max_position_embeddings": 4096, "factor": 32.0},
            ),
            4096,
        ),
        (Gemma3TextConfig(max_position_embeddings=32768), 32768),
        (BloomConfig(), None),
    ],
)
def test_positions_are_counted_with_their_scaling(config: PretrainedConfig, num_positions: int | None) -> None:
    assert positions_of(config) == num_positions


def test_a_longer_sequence_is_refused_and_told_what_helps() -> None:
    config = LlamaConfig(max_position_embeddings=4096)
    check_context(config, seq_length=4096)
    with pytest.raises(RecipeError, match=r"pack\.seq_length: 4097 is more than the 4096 positions.*\"factor\": 2\.0"):
        check_context(config, seq_length=4097)


def test_a_window_bounds_it_too() -> None:
    with pytest.raises(RecipeError, match="sliding_window of 128"):
        check_context(GptOssConfig(max_position_embeddings=4096, sliding_window=128), seq_length=4096)


def test_scales_by_the_place_in_a_row_bound_packs() -> None:
    config = Llama4TextConfig(num_hidden_layers=4, max_position_embeddings=131072, floor_scale=8192)
    check_context(config, seq_length=8191)
    with pytest.raises(RecipeError, match=r"8192 reaches the floor_scale of 8192 .* take at most 8191"):
        check_context(config, seq_length=8192)
    config.attn_temperature_tuning = False
    check_context(config, seq_length=8192)
