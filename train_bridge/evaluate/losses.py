"""Validation loss: cross-entropy per label token of every source and kind, over packed shards, without learning."""

from typing import TypedDict

import torch

from train_bridge.config import StageConfig
from train_bridge.data.dataset import BatchDataset, load_batches
from train_bridge.model.images import image_form
from train_bridge.model.llava import build_model
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import Ranks
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


def validation_loss(config: StageConfig, *, ranks: Ranks) -> ValidationLoss:
    """Return the loss of all usable samples of a stage's data under its model.

    Args:
        config: ``init_from`` is the model; one epoch of ``data`` is read.
        ranks: Of one process.
    """
    prepared = prepare(config, ranks=ranks)
    model = build_model(config, processor=prepared.processor).eval().to(ranks.device)
    form = image_form(prepared.processor.image_processor)
    groups = prepared.corpus.groups
    sums_2g = torch.zeros(2, len(groups), dtype=torch.float64)
    num_skipped = 0
    for batch in load_batches(BatchDataset(prepared.spec), num_workers=config.run.num_workers):
        with torch.no_grad():
            losses_bk, has_label_bk, groups_bk = token_losses(model, batch.to(ranks.device), form=form)
        groups_m, losses_m = groups_bk[has_label_bk].cpu(), losses_bk[has_label_bk].double().cpu()
        sums_2g[0].index_add_(0, groups_m, losses_m)
        sums_2g[1].index_add_(0, groups_m, torch.ones_like(losses_m))
        num_skipped += len(batch.skipped)
    total, labels = sums_2g.sum(dim=1).tolist()
    return {
        "loss": total / max(1.0, labels),
        "label_tokens": int(labels),
        "skipped": num_skipped,
        "sources": {
            " / ".join(group): {"loss": loss / count, "label_tokens": int(count)}
            for group, loss, count in zip(groups, *sums_2g.tolist(), strict=True)
            if count
        },
    }
