"""Compares what a model learns from the same packs with one kind of attention and another, and with fp32.

Where kernels round in bf16, two of them cannot agree to the last bit; both are as far from fp32, or one is wrong.

Shapes: see ``train_bridge.model``.
"""

from collections.abc import Sequence
from itertools import islice

import torch
from transformers import LlavaForConditionalGeneration

from train_bridge.config import StageConfig
from train_bridge.data.collate import Batch
from train_bridge.data.dataset import BatchDataset, load_batches
from train_bridge.model.attention import set_attention
from train_bridge.model.image_modes import image_form
from train_bridge.model.images import ImageForm
from train_bridge.model.llava import build_model, set_trainable
from train_bridge.model.mask import Attention
from train_bridge.model_config import TinyConfig
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import Ranks, autocast
from train_bridge.training.step import StepTotals, accumulate


def compare_attentions(  # noqa: PLR0913 - sizes
    shards: str,
    folder: str,
    *,
    ranks: Ranks,
    model: TinyConfig,
    seq_length: int,
    attentions: Sequence[Attention] = ("flex", "segments"),
    num_packs: int = 2,
) -> dict[str, dict[str, float]]:
    """Return, by attention, ``loss`` in bf16, and how far it and the gradient are from fp32 with segments.

    Args:
        shards: A shard set.
        folder: For what is prepared.
        ranks: Of this process; one.
        model: Sizes.
        seq_length: Tokens per pack.
        attentions: To compare.
        num_packs: That are learned from.

    Returns:
        ``loss_error`` is a share of the loss; ``gradient_error`` the norm of the difference of all gradients, as a
        share of the norm of those in fp32.
    """
    config = StageConfig.model_validate(
        {
            "output": folder,
            "model": {"tiny": model.model_dump()},
            "data": {"shards": shards, "order": "shuffled"},
            "pack": {"seq_length": seq_length},
            "optim": {"lr": 1e-5, "global_batch": 1, "max_steps": num_packs},
            "run": {"cache_dir": f"{folder}/../cache"},
        }
    )
    prepared = prepare(config, ranks=ranks)
    built = build_model(config, processor=prepared.processor)
    set_trainable(built, config.model.trainable)
    built.train().to(ranks.device)
    form = image_form(prepared.processor.image_processor)
    batches = [batch.to(ranks.device) for batch in islice(load_batches(BatchDataset(prepared.spec)), num_packs)]

    def learn(attention: Attention, dtype: torch.dtype) -> tuple[float, torch.Tensor]:
        set_attention(built, attention)
        return _learn(built, batches, form=form, attention=attention, ranks=ranks, dtype=dtype)

    expected, gradient = learn("segments", torch.float32)
    found: dict[str, dict[str, float]] = {}
    for attention in attentions:
        loss, own = learn(attention, torch.bfloat16)
        found[attention] = {
            "loss": loss,
            "loss_error": abs(loss - expected) / expected,
            "gradient_error": float((own - gradient).norm() / gradient.norm()),
        }
    return found


def _learn(
    model: LlavaForConditionalGeneration,
    batches: Sequence[Batch],
    *,
    form: ImageForm,
    attention: Attention,
    ranks: Ranks,
    dtype: torch.dtype,
) -> tuple[float, torch.Tensor]:
    """Return the mean loss, and all gradients in a row."""
    model.zero_grad(set_to_none=True)
    totals = StepTotals(num_groups=max(1, *(int(batch.groups.max()) + 1 for batch in batches)))
    for batch in batches:
        context = autocast(ranks=ranks, dtype=dtype)
        accumulate(model, batch, totals, form=form, scale=1e-3, context=context, attention=attention)
    gradients = [p.grad.detach().flatten() for p in model.parameters() if p.grad is not None]
    return totals.loss / totals.num_labels, torch.cat(gradients)
