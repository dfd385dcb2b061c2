"""The loss on documents that were held out, per source and kind, on all ranks; nothing is learned from them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TypedDict

import torch
from transformers import LlavaForConditionalGeneration

from train_bridge.data.dataset import BatchDataset, DatasetSpec, load_batches
from train_bridge.data.samples import SkippedSample
from train_bridge.model.mask import Attention
from train_bridge.signals import started_deaf
from train_bridge.training.ranks import Ranks, sum_over_ranks
from train_bridge.training.step import token_losses


class GroupLoss(TypedDict):
    """Of one source and kind."""

    loss: float
    """Nats per label token."""
    label_tokens: int


class ValidationLoss(TypedDict):
    """Of all samples."""

    loss: float
    """Nats per label token."""
    label_tokens: int
    skipped: int
    """Samples that could not be read."""
    sources: dict[str, GroupLoss]
    """By "source / kind"."""


def held_out_spec(spec: DatasetSpec, *, world_size: int) -> DatasetSpec:
    """Return what reads each held-out document once, whatever the blend."""
    return replace(
        spec,
        side="validation",
        weights={},
        max_repeats={},
        num_epochs=1,
        round_packs=world_size * spec.packs_per_batch,
        fills_last_turn=True,
    )


def held_out_loss(
    model: LlavaForConditionalGeneration,
    spec: DatasetSpec,
    *,
    ranks: Ranks,
    num_workers: int,
    context: Callable[[], AbstractContextManager[object]] = nullcontext,
    attention: Attention = "mask",
) -> tuple[ValidationLoss, list[SkippedSample]]:
    """Read a data set to its end and return the loss of its samples, and what this rank could not use.

    All ranks call this, and get the same loss.

    Args:
        model: On its device, sharded or not. Left as it was found, learning or not.
        spec: Of ``held_out_spec``; its last turn must be filled where there are several ranks.
        ranks: The callers.
        num_workers: Loader processes.
        context: Autocast.
        attention: What the language model's attention takes.
    """
    was_training = model.training
    model.eval()
    groups = spec.open_corpus().groups
    with started_deaf():
        loader = load_batches(BatchDataset(spec, rank=ranks.rank, world_size=ranks.world_size), num_workers=num_workers)
        batches = iter(loader)
    skipped: list[SkippedSample] = []
    sums_2g = torch.zeros(2, len(groups) + 1, dtype=torch.float64)
    for batch in batches:
        with torch.no_grad(), context():
            losses_bk, has_label_bk, groups_bk = token_losses(
                model, batch.to(ranks.device), form=spec.image_form, attention=attention
            )
        groups_m, losses_m = groups_bk[has_label_bk].cpu(), losses_bk[has_label_bk].double().cpu()
        sums_2g[0].index_add_(0, groups_m, losses_m)
        sums_2g[1].index_add_(0, groups_m, torch.ones_like(losses_m))
        sums_2g[0, -1] += len(batch.skipped)
        skipped += batch.skipped
    model.train(was_training)
    return _describe(sum_over_ranks(sums_2g), groups), skipped


def _describe(sums_2g: torch.Tensor, groups: Sequence[tuple[str, str]]) -> ValidationLoss:
    """Put sums into words: losses and labels of each group, and in the last column how many samples were skipped."""
    total, labels = sums_2g[:, :-1].sum(dim=1).tolist()
    return {
        "loss": total / max(1.0, labels),
        "label_tokens": int(labels),
        "skipped": int(sums_2g[0, -1]),
        "sources": {
            " / ".join(group): {"loss": loss / count, "label_tokens": int(count)}
            for group, loss, count in zip(groups, *sums_2g[:, :-1].tolist(), strict=True)
            if count
        },
    }
