"""One optimiser step: losses of several batches, weighted by tokens over all ranks, and the update.

The loss of a step is the mean over all its label tokens, wherever they are. How many there are is known only when all
ranks have read their packs, so gradients of *sums* are accumulated and divided once, before clipping.

Shapes: see ``train_bridge.model``; M labels, G groups of (source, kind).
"""

import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.nn import functional
from transformers import LlavaForConditionalGeneration

from train_bridge.data.collate import PADDING, Batch
from train_bridge.data.samples import SkippedSample
from train_bridge.model.images import ImageForm, normalise
from train_bridge.model.mask import BLOCK, Attention, packed_mask
from train_bridge.model.parts import settings_of
from train_bridge.model.windows import windows_of
from train_bridge.tokens.encoder import IGNORED
from train_bridge.tokens.faults import SampleFault
from train_bridge.training.chunked_loss import losses_for_logits
from train_bridge.training.idle_towers import running_idle_towers

SUMS = (
    "loss",
    "num_labels",
    "num_tokens",
    "num_places",
    "num_images",
    "num_pairs",
    "num_samples",
    "num_skipped",
    "num_lost",
    "wait_s",
    "stop",
)
"""Fields of ``StepTotals`` that are summed over ranks."""


@dataclass(kw_only=True, slots=True)
class StepTotals:
    """Sums of one step, first of one rank, then of all."""

    num_groups: int
    loss: float = 0.0
    num_labels: float = 0.0
    num_tokens: float = 0.0
    num_places: float = 0.0
    """Packs times sequence length."""
    num_images: float = 0.0
    num_pairs: float = 0.0
    """Queries and keys that see each other."""
    num_samples: float = 0.0
    """Segments of packs."""
    num_skipped: float = 0.0
    num_lost: float = 0.0
    """Of the skipped ones, those whose storage does not answer."""
    wait_s: float = 0.0
    """Seconds spent waiting for data; of all ranks together."""
    stop: float = 0.0
    """Ranks that were asked to stop."""
    group_loss: torch.Tensor = field(init=False)
    group_labels: torch.Tensor = field(init=False)
    skipped: list[SkippedSample] = field(default_factory=list)
    """Of this rank."""
    bad_packs: list[int] = field(default_factory=list)
    """Packs of this rank with a loss that is not finite."""
    seen: list[tuple[int, int]] = field(default_factory=list)
    """Packs of this rank, each with a checksum of its labels, where that is asked for."""

    def __post_init__(self) -> None:
        self.group_loss = torch.zeros(self.num_groups, dtype=torch.float64)
        self.group_labels = torch.zeros(self.num_groups, dtype=torch.float64)

    def reduce(self, reducer: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Replace the sums of this rank by those of all."""
        names = SUMS
        scalars = torch.tensor([getattr(self, name) for name in names], dtype=torch.float64)
        reduced = reducer(torch.cat([scalars, self.group_loss, self.group_labels]))
        for name, value in zip(names, reduced.tolist(), strict=False):
            setattr(self, name, value)
        self.group_loss, self.group_labels = reduced[len(names) :].view(2, self.num_groups)


def token_losses(
    model: LlavaForConditionalGeneration, batch: Batch, *, form: ImageForm, attention: Attention = "mask"
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Run the model on a batch.

    Logits are computed where some row has a label and nowhere else: most positions of an interleaved pack are images.

    Args:
        model: Sharded or not.
        batch: On the model's device.
        form: How pixels are normalised.
        attention: What the language model's attention takes.

    Returns:
        Cross-entropy in fp32, 0 where there is no label; whether there is one; the group of the label: each [B, K].
    """
    if attention == "flex":
        batch = pad_to_blocks(batch)
    targets_bl = functional.pad(batch.labels[:, 1:], (0, 1), value=IGNORED)
    # The label of a place is the next token; where that starts another segment, its label is IGNORED already.
    places_k = (targets_bl != IGNORED).any(dim=0).nonzero()[:, 0]
    if not len(places_k):
        places_k = torch.zeros(1, dtype=torch.int64, device=targets_bl.device)  # every rank must run backward
    targets_bk = targets_bl[:, places_k]
    windows = windows_of(settings_of(model).text_config)
    has_images = len(batch.pixel_values) > 0
    is_idle = isinstance(model, FSDPModule) and not has_images
    with losses_for_logits(model, targets_bk), running_idle_towers(model, form=form) if is_idle else nullcontext():
        losses_bk = model(
            input_ids=batch.input_ids,
            pixel_values=normalise(batch.pixel_values, form=form) if has_images else None,
            image_sizes=batch.image_grids if len(batch.image_grids) else None,
            attention_mask=packed_mask(batch.segment_ids, attention=attention, windows=windows),
            position_ids=batch.position_ids,
            use_cache=False,
            logits_to_keep=places_k,
        ).logits
    return losses_bk, targets_bk != IGNORED, batch.groups[:, places_k]


def pad_to_blocks(batch: Batch) -> Batch:
    """Pad rows to whole blocks of flex attention: few shapes to compile for, and no block that is half there."""
    missing = -batch.input_ids.shape[1] % BLOCK

    def pad(tensor_bl: torch.Tensor, value: int) -> torch.Tensor:
        return functional.pad(tensor_bl, (0, missing), value=value)

    return replace(
        batch,
        input_ids=pad(batch.input_ids, 0),
        labels=pad(batch.labels, IGNORED),
        position_ids=pad(batch.position_ids, 0),
        segment_ids=pad(batch.segment_ids, PADDING),
        groups=pad(batch.groups, 0),
    )


def checksums(batch: Batch) -> list[tuple[int, int]]:
    """Return each pack's number and the CRC-32 of its labels, which padding does not change."""
    rows = zip(batch.packs, batch.labels.cpu(), strict=True)
    return [(number, zlib.crc32(labels_l[labels_l != IGNORED].numpy().tobytes())) for number, labels_l in rows]


def accumulate(  # noqa: PLR0913 - what a forward pass takes
    model: LlavaForConditionalGeneration,
    batch: Batch,
    totals: StepTotals,
    *,
    form: ImageForm,
    scale: float,
    context: AbstractContextManager[object],
    attention: Attention = "mask",
) -> None:
    """Add a batch's gradients and sums.

    Args:
        model: See ``token_losses``.
        batch: On the model's device.
        totals: Of the step so far.
        form: How pixels are normalised.
        scale: Multiplies the gradients; a constant that keeps sums of thousands of losses in bf16's comfort.
        context: Autocast.
        attention: What the language model's attention takes.
    """
    with context:
        losses_bk, has_label_bk, groups_bk = token_losses(model, batch, form=form, attention=attention)
    total = losses_bk.sum() * scale
    if total.requires_grad:  # not where only the projector learns, and the batch is text alone
        torch.autograd.backward(total)
    losses_bk = losses_bk.detach().double().cpu()
    has_label_bk = has_label_bk.cpu()
    groups_m, losses_m = groups_bk.cpu()[has_label_bk], losses_bk[has_label_bk]
    totals.group_loss.index_add_(0, groups_m, losses_m)
    totals.group_labels.index_add_(0, groups_m, torch.ones_like(losses_m))
    totals.loss += float(losses_m.sum())
    totals.num_labels += len(losses_m)
    totals.num_tokens += batch.num_tokens
    totals.num_images += len(batch.pixel_values)
    totals.num_pairs += float((batch.position_ids + 1)[batch.segment_ids != PADDING].sum())
    totals.num_samples += float((batch.segment_ids.amax(dim=1) + 1).sum())
    totals.num_skipped += sum(sample.fault is not SampleFault.EXCLUDED for sample in batch.skipped)
    totals.num_lost += sum(sample.fault is SampleFault.STORAGE for sample in batch.skipped)
    totals.skipped += batch.skipped
    is_bad = (~losses_bk.isfinite()).any(dim=1).tolist()
    totals.bad_packs += [number for number, bad in zip(batch.packs, is_bad, strict=True) if bad]


def update(model: nn.Module, optimiser: torch.optim.Optimizer, *, divisor: float, clip_norm: float | None) -> float:
    """Divide the gradients, clip them, and let the optimiser use them.

    What learns but had no part in the step, as the projector in one of text alone, has a gradient of zero: its momentum
    goes on and its weights decay. Sharded models have that zero from a black image, so both learn the same.

    Args:
        model: Its gradients are those of sums.
        optimiser: Its learning rate is set.
        divisor: Of the gradients.
        clip_norm: Largest norm of all gradients together; None does not clip.

    Returns:
        The norm before clipping. If it is not finite nothing has been learned.
    """
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.div_(divisor)
    norm = nn.utils.clip_grad_norm_(learning, float("inf") if clip_norm is None else clip_norm)
    full = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    if torch.isfinite(full):
        optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(full)
