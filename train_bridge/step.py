"""One optimiser step: losses of several batches, weighted by tokens over all ranks, and the update.

The loss of a step is the mean over all its label tokens, wherever they are. How many there are is known only when all
ranks have read their packs, so gradients of *sums* are accumulated and divided once, before clipping.

Shapes: B packs, L tokens, K positions with a label in any row, V words, G groups of (source, kind).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from train_bridge.collate import Batch
from train_bridge.images import ImageForm, normalise
from train_bridge.mask import block_causal_mask
from train_bridge.samples import SkippedSample
from train_bridge.tokens import IGNORED


@dataclass(kw_only=True, slots=True)
class StepTotals:
    """Sums of one step, first of one rank, then of all."""

    num_groups: int
    loss: float = 0.0
    num_labels: float = 0.0
    num_tokens: float = 0.0
    num_places: float = 0.0
    """Packs times sequence length."""
    num_skipped: float = 0.0
    wait_s: float = 0.0
    """Seconds spent waiting for data; of all ranks together."""
    stop: float = 0.0
    """Ranks that were asked to stop."""
    group_loss: torch.Tensor = field(init=False)
    group_labels: torch.Tensor = field(init=False)
    skipped: list[SkippedSample] = field(default_factory=list)
    """Of this rank."""

    def __post_init__(self) -> None:
        self.group_loss = torch.zeros(self.num_groups, dtype=torch.float64)
        self.group_labels = torch.zeros(self.num_groups, dtype=torch.float64)

    def reduce(self, reducer: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Replace the sums of this rank by those of all."""
        names = ("loss", "num_labels", "num_tokens", "num_places", "num_skipped", "wait_s", "stop")
        scalars = torch.tensor([getattr(self, name) for name in names], dtype=torch.float64)
        reduced = reducer(torch.cat([scalars, self.group_loss, self.group_labels]))
        for name, value in zip(names, reduced.tolist(), strict=False):
            setattr(self, name, value)
        self.group_loss, self.group_labels = reduced[len(names) :].view(2, self.num_groups)


def token_losses(model: Any, batch: Batch, *, form: ImageForm) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Run the model on a batch.

    Logits are computed where some row has a label and nowhere else: most positions of an interleaved pack are images.

    Args:
        model: ``LlavaForConditionalGeneration``, sharded or not.
        batch: On the model's device.
        form: How pixels are normalised.

    Returns:
        Cross-entropy in fp32, 0 where there is no label; whether there is one; the group of the label: each [B, K].
    """
    targets = functional.pad(batch.labels[:, 1:], (0, 1), value=IGNORED)
    # The label of a place is the next token; where that starts another segment, its label is IGNORED already.
    places = (targets != IGNORED).any(dim=0).nonzero()[:, 0]
    if not len(places):
        places = torch.zeros(1, dtype=torch.int64, device=targets.device)  # every rank must run backward
    logits = model(
        input_ids=batch.input_ids,
        pixel_values=normalise(batch.pixel_values, form=form) if len(batch.pixel_values) else None,
        attention_mask=block_causal_mask(batch.segment_ids),
        position_ids=batch.position_ids,
        use_cache=False,
        logits_to_keep=places,
    ).logits
    wanted = targets[:, places]
    losses = functional.cross_entropy(
        logits.float().flatten(0, 1), wanted.flatten(), reduction="none", ignore_index=IGNORED
    ).view_as(wanted)
    return losses, wanted != IGNORED, batch.groups[:, places]


def accumulate(
    model: Any, batch: Batch, totals: StepTotals, *, form: ImageForm, scale: float, context: AbstractContextManager[Any]
) -> None:
    """Add a batch's gradients and sums.

    Args:
        model: See ``token_losses``.
        batch: On the model's device.
        totals: Of the step so far.
        form: How pixels are normalised.
        scale: Multiplies the gradients; a constant that keeps sums of thousands of losses in bf16's comfort.
        context: Autocast.
    """
    with context:
        losses, has_label, groups = token_losses(model, batch, form=form)
    torch.autograd.backward(losses.sum() * scale)
    chosen, values = groups[has_label].cpu(), losses.detach()[has_label].double().cpu()
    totals.group_loss.index_add_(0, chosen, values)
    totals.group_labels.index_add_(0, chosen, torch.ones_like(values))
    totals.loss += float(values.sum())
    totals.num_labels += len(values)
    totals.num_tokens += batch.num_tokens
    totals.num_skipped += len(batch.skipped)
    totals.skipped += batch.skipped


def update(model: nn.Module, optimiser: torch.optim.Optimizer, *, divisor: float, clip_norm: float | None) -> float:
    """Divide the gradients, clip them, and let the optimiser use them.

    Args:
        model: Its gradients are those of sums.
        optimiser: Its learning rate is set.
        divisor: Of the gradients.
        clip_norm: Largest norm of all gradients together; None does not clip.

    Returns:
        The norm before clipping.
    """
    learning = [parameter for parameter in model.parameters() if parameter.grad is not None]
    for parameter in learning:
        parameter.grad.div_(divisor)  # type: ignore[union-attr]  # chosen for having one
    norm = nn.utils.clip_grad_norm_(learning, float("inf") if clip_norm is None else clip_norm)
    full = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    if not torch.isfinite(full):
        return float(full)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(full)
