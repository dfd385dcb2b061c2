"""Sets the attention that the language model runs, by the form of its masks."""

from torch import nn
from transformers import PreTrainedModel

from curate.contract.errors import CurateError
from train_bridge.model import capped_attention, segment_attention
from train_bridge.model.mask import Attention, implementation
from train_bridge.model.parts import settings_of


def register() -> None:
    """Make the attentions of packs known to transformers: a process that builds a model which runs one needs that."""
    segment_attention.register()
    capped_attention.register()


def set_attention(model: PreTrainedModel, attention: Attention) -> None:
    """Let the language model's attention take masks of this form; the vision tower has none and stays as it is.

    Raises:
        CurateError: The language model's attention has not this form.
    """
    register()
    name = implementation(attention, caps_scores=caps_scores(model))
    try:
        model.set_attn_implementation({"text_config": name})
    except ValueError as error:
        reason, kind = str(error).partition(". ")[0], settings_of(model).text_config.model_type
        fault = f"run.attention: {attention}: a language model of type {kind} does not take it"
        raise CurateError(f"{fault} ({reason}); try another of mask, flex and segments") from error


def caps_scores(model: nn.Module) -> bool:
    """Say whether the language model caps its attention's scores (Gemma 2)."""
    return getattr(settings_of(model).text_config, "attn_logit_softcapping", None) is not None
