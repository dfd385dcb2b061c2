"""Whether an assembled model's language model says what it said before: its logits, alone and in a pack.

LLaVA takes the layers and the output matrix of a causal language model. What that model does around them (scales or
caps of logits, a bias), or in its attention (sinks, ALiBi, states of a recurrence that a mask does not cut), would be
dropped without a word. So a few random tokens go through it before it is taken apart, and through what was made of it.

Shapes: see ``train_bridge.model``; T tokens of one sample.
"""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import LlavaForConditionalGeneration, PreTrainedModel

from curate.contract.errors import CurateError
from train_bridge.model.attention import set_attention
from train_bridge.model.mask import Attention, packed_mask
from train_bridge.model.parts import output_matrix, settings_of
from train_bridge.model.windows import LanguageSettings, windows_of

LENGTHS = (24, 7)
"""Tokens of the samples."""
LONGEST = 160
"""Tokens of a sample that is made longer than the language model's shortest window, where that is affordable."""
TOLERANCE = 1e-3
"""Largest difference, as a share of the largest logit: rounding of fp32 through a hundred layers stays below."""
FORMS: tuple[Attention, ...] = ("mask", "segments")
"""Of attention, those that run everywhere; flex attention takes what ``mask`` says."""

SUSPECTS = ("alibi", "cap", "chunk", "conv", "logit", "mamba", "multiplier", "scal", "sink", "window")
"""What names of settings hold that change logits or what a token sees."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What a causal language model said."""

    ids: list[torch.Tensor]
    """[T] of each sample."""
    logits: list[torch.Tensor]
    """[T, V] of each sample."""


@torch.no_grad()
def remember(llm: PreTrainedModel) -> Memory:
    """Run a causal language model on random tokens, the same ones each time."""
    ids = _samples(llm.config, vocab_size=llm.get_output_embeddings().weight.shape[0])
    return Memory(ids=ids, logits=_alone(llm, ids))


@torch.no_grad()
def check_logits(model: LlavaForConditionalGeneration, memory: Memory, *, name: str) -> None:
    """Compare an assembled model with what its language model said before.

    Args:
        model: In fp32; it is left in evaluation mode, with the attention of ``mask``.
        memory: Of its language model.
        name: Of that, for the error.

    Raises:
        CurateError: They differ; says by how much, and what may be behind it.
    """
    _compare(model, _alone(model, memory.ids), memory.logits, f"{name}: outside its causal model")


@torch.no_grad()
def check_packs(model: LlavaForConditionalGeneration, *, name: str) -> None:
    """Compare what a model says of samples in a pack with what it says of each alone.

    Args:
        model: In fp32; it is left in evaluation mode, with the attention of ``mask``.
        name: Of it, for the error.

    Raises:
        CurateError: A sample's logits depend on its neighbours, or its attention takes no masks of packs.
    """
    settings = settings_of(model).text_config
    ids = _samples(settings, vocab_size=output_matrix(model).shape[0])
    alone = _alone(model, ids)
    for form in FORMS:
        set_attention(model, form)
        _compare(model, _packed(model, ids, form), alone, f"{name}: in a pack (run.attention: {form})")
    set_attention(model, "mask")


def _samples(settings: LanguageSettings, *, vocab_size: int) -> list[torch.Tensor]:
    """Return samples [T] of random tokens, the same ones each time, the first longer than a window that is short."""
    windows = windows_of(settings)
    found = windows.values() if isinstance(windows, dict) else (windows,)
    sizes = [window.size + 2 for window in found if window is not None]
    first, *more = LENGTHS
    lengths = (max([first, *(size for size in sizes if size <= LONGEST)]), *more)
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(vocab_size, (length,), generator=generator) for length in lengths]


def _alone(model: PreTrainedModel, ids: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return the logits [T, V] of each sample."""
    return [model(input_ids=ids_t[None], use_cache=False).logits[0] for ids_t in ids]


def _packed(model: LlavaForConditionalGeneration, ids: list[torch.Tensor], form: Attention) -> list[torch.Tensor]:
    """Return the logits [T, V] of samples that share a pack."""
    lengths = [len(ids_t) for ids_t in ids]
    segments_l = torch.arange(len(ids)).repeat_interleave(torch.tensor(lengths))
    windows = windows_of(settings_of(model).text_config)
    logits_1lv = model(
        input_ids=torch.cat(ids)[None],
        attention_mask=packed_mask(segments_l[None], attention=form, windows=windows),
        position_ids=torch.cat([torch.arange(length) for length in lengths])[None],
        use_cache=False,
    ).logits
    return list(torch.split(logits_1lv[0], lengths))


def _compare(model: nn.Module, found: list[torch.Tensor], wanted: list[torch.Tensor], where: str) -> None:
    wanted_tv = torch.cat(wanted)
    found_tv = torch.cat(found)[:, : wanted_tv.shape[1]]  # rows that were added for new tokens are last
    difference, largest = float((found_tv - wanted_tv).abs().max()), float(wanted_tv.abs().max())
    if not difference <= TOLERANCE * largest:  # a NaN is no agreement
        settings = settings_of(model).text_config
        suspects = ", ".join(_suspects(settings)) or "nothing that is known here"
        apart = f"up to {difference:.3g} apart, of {largest:.3g}"
        raise CurateError(
            f"{where} a language model of type {settings.model_type} gives other logits ({apart}), so it cannot be "
            "trained here: it does something around its layers or in its attention that LLaVA does not; its "
            f"configuration sets {suspects}"
        )


def _suspects(settings: LanguageSettings) -> list[str]:
    """Return the settings of a language model that may be what LLaVA does not do."""
    return sorted(
        name
        for name, value in vars(settings).items()
        if any(mark in name for mark in SUSPECTS) and value not in (None, False, 0, 1, "") and name[0] != "_"
    )
