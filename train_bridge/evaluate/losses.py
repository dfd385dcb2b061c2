"""Validation loss: cross-entropy per label token of every source and kind, over packed shards, without learning."""

from typing import Any

import torch

from train_bridge.config import StageConfig
from train_bridge.data.dataset import BatchDataset, load_batches
from train_bridge.model.images import image_form
from train_bridge.model.llava import build_model
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import Ranks
from train_bridge.training.step import token_losses


def validation_loss(config: StageConfig, *, ranks: Ranks) -> dict[str, Any]:
    """Return the loss of all usable samples of a stage's data under its model, in nats per label token.

    Args:
        config: ``init_from`` is the model; one epoch of ``data`` is read.
        ranks: Of one process.

    Returns:
        ``loss``, ``label_tokens``, ``skipped`` (samples that could not be read) and ``sources``: by "source / kind".
    """
    prepared = prepare(config, ranks=ranks)
    model = build_model(config, processor=prepared.processor).eval().to(ranks.device)
    form = image_form(prepared.processor.image_processor)
    groups = prepared.corpus.groups
    sums = torch.zeros(2, len(groups), dtype=torch.float64)
    num_skipped = 0
    for batch in load_batches(BatchDataset(prepared.spec), num_workers=config.run.num_workers):
        with torch.no_grad():
            losses, has_label, labels_of = token_losses(model, batch.to(ranks.device), form=form)
        chosen, values = labels_of[has_label].cpu(), losses[has_label].double().cpu()
        sums[0].index_add_(0, chosen, values)
        sums[1].index_add_(0, chosen, torch.ones_like(values))
        num_skipped += len(batch.skipped)
    total, labels = sums.sum(dim=1).tolist()
    return {
        "loss": total / max(1.0, labels),
        "label_tokens": int(labels),
        "skipped": num_skipped,
        "sources": {
            " / ".join(group): {"loss": loss / count, "label_tokens": int(count)}
            for group, loss, count in zip(groups, *sums.tolist(), strict=True)
            if count
        },
    }
