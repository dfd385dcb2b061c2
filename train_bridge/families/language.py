"""A tiny random language model of each family, with what sets the family apart."""

from collections.abc import Callable
from dataclasses import dataclass

from transformers import (
    BloomConfig,
    Cohere2Config,
    CohereConfig,
    Exaone4Config,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    Glm4Config,
    GPT2Config,
    GPTNeoXConfig,
    GptOssConfig,
    GraniteConfig,
    GraniteMoeConfig,
    Lfm2Config,
    LlamaConfig,
    MinistralConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    Olmo3Config,
    OPTConfig,
    Phi3Config,
    PhiConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
    Qwen3MoeConfig,
    SmolLM3Config,
    StableLmConfig,
    Starcoder2Config,
)
from transformers.models.llama4.configuration_llama4 import Llama4TextConfig

WINDOW = 6
"""Tokens of a window, so that samples are longer."""
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
HEADS_OF_16 = {"head_dim": 16}
WINDOWED = {"sliding_window": WINDOW}
WINDOWED_FROM_2 = {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 2}
TIED = {"tie_word_embeddings": True}


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """A row of the table."""

    name: str
    mark: str
    """What sets the family apart."""
    build: Callable[..., PreTrainedConfig]
    options: dict[str, object]

    def config(self, *, vocab_size: int) -> PreTrainedConfig:
        """Return the configuration of a tiny model."""
        return self.build(**SIZES | {"vocab_size": vocab_size} | self.options)


def _row(name: str, mark: str, build: Callable[..., PreTrainedConfig], **options: object) -> Language:
    return Language(name=name, mark=mark, build=build, options=options)


LANGUAGES = (
    _row("Llama 2, Vicuna", "", LlamaConfig, num_key_value_heads=4),
    _row("Llama 3", "scaled rotary positions", LlamaConfig, rope_parameters=LLAMA3_ROPE),
    _row("Falcon 3", "heads of another width", LlamaConfig, **HEADS_OF_16),
    _row("Mistral v0.1", "window", MistralConfig, **WINDOWED),
    _row("Mistral v0.3, Nemo", "heads of another width", MistralConfig, sliding_window=None, **HEADS_OF_16),
    _row("Mixtral", "experts; window", MixtralConfig, num_local_experts=4, num_experts_per_tok=2, **WINDOWED),
    _row("Qwen2", "bias in attention", Qwen2Config),
    _row("Qwen2, windowed", "window from a layer on", Qwen2Config, **WINDOWED_FROM_2),
    _row("Qwen2.5 (small)", "tied", Qwen2Config, **TIED),
    _row(
        "Qwen2-MoE",
        "experts; window in every second layer",
        Qwen2MoeConfig,
        num_experts=4,
        shared_expert_intermediate_size=16,
        **EXPERTS,
        **WINDOWED_FROM_2,
    ),
    _row("Qwen3", "norms of queries and keys; window from a layer on", Qwen3Config, **HEADS_OF_16, **WINDOWED_FROM_2),
    _row("Qwen3-MoE", "experts; window", Qwen3MoeConfig, num_experts=4, **EXPERTS, **HEADS_OF_16, **WINDOWED_FROM_2),
    _row("Gemma", "embeddings scaled, tied", GemmaConfig, **HEADS_OF_16),
    _row(
        "Gemma 2",
        "windows in every second layer; scores and logits capped",
        Gemma2Config,
        final_logit_softcapping=2.0,
        attn_logit_softcapping=2.0,
        query_pre_attn_scalar=16,
        **HEADS_OF_16,
        **WINDOWED,
    ),
    _row(
        "Gemma 3 (text)",
        "windows in most layers, each with its positions",
        Gemma3TextConfig,
        sliding_window_pattern=2,
        query_pre_attn_scalar=16,
        **HEADS_OF_16,
        **WINDOWED,
    ),
    _row("Phi-1.5, Phi-2", "bias behind the output matrix", PhiConfig, num_key_value_heads=4),
    _row("Phi-3", "window; joined matrices", Phi3Config, **WINDOWED),
    _row("OLMo 2", "norms behind layers", Olmo2Config),
    _row("OLMo 3", "windows in most layers", Olmo3Config, **WINDOWED),
    _row(
        "Granite",
        "embeddings, residuals and logits scaled; tied",
        GraniteConfig,
        embedding_multiplier=12.0,
        logits_scaling=8.0,
        residual_multiplier=0.22,
        attention_multiplier=0.1,
        **TIED,
    ),
    _row("Cohere", "logits scaled; tied", CohereConfig, logit_scale=0.0625),
    _row("Cohere 2", "logits scaled; windows in most layers; tied", Cohere2Config, logit_scale=0.25, **WINDOWED),
    _row("StableLM", "rotary positions in part", StableLmConfig),
    _row(
        "SmolLM3", "layers without positions; windows there", SmolLM3Config, **TIED, use_sliding_window=True, **WINDOWED
    ),
    _row("StarCoder2", "window; biases", Starcoder2Config, **WINDOWED),
    _row("GPT-NeoX, Pythia", "another layout", GPTNeoXConfig),
    _row(
        "Llama 4 (text)",
        "chunked attention; experts",
        Llama4TextConfig,
        attention_chunk_size=WINDOW,
        intermediate_size_mlp=48,
        num_local_experts=2,
        **HEADS_OF_16,
    ),
    _row("Ministral", "window", MinistralConfig, **HEADS_OF_16, **WINDOWED),
    _row("Granite MoE", "scaled as Granite; experts", GraniteMoeConfig, logits_scaling=8.0, **TIED),
    _row("EXAONE 4", "windows in most layers", Exaone4Config, **WINDOWED),
    _row("GLM-4", "norms around layers", Glm4Config, **HEADS_OF_16),
    _row(
        "gpt-oss",
        "sinks in attention; experts",
        GptOssConfig,
        num_local_experts=2,
        num_experts_per_tok=1,
        **HEADS_OF_16,
    ),
    _row("LFM2", "convolutions between layers", Lfm2Config, layer_types=["conv", "full_attention"] * 2),
    _row("Falcon (old)", "another layout", FalconConfig),
    _row("BLOOM", "ALiBi", BloomConfig),
    _row("GPT-2", "learned positions", GPT2Config, n_embd=32, n_layer=2, n_head=2),
    _row("OPT", "learned positions", OPTConfig, ffn_dim=48, word_embed_proj_dim=32),
)
