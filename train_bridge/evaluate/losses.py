"""Validation loss of a model: cross-entropy per label token of every source and kind, over packed shards."""

from dataclasses import replace

from train_bridge.config import StageConfig
from train_bridge.model.llava import build_model
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import Ranks
from train_bridge.training.validation import ValidationLoss, held_out_loss


def validation_loss(config: StageConfig, *, ranks: Ranks) -> ValidationLoss:
    """Return the loss of all usable samples of a stage's data under its model.

    Args:
        config: ``init_from`` is the model; one epoch of ``data`` is read.
        ranks: Of one process.
    """
    prepared = prepare(config, ranks=ranks)
    model = build_model(config, processor=prepared.processor).eval().to(ranks.device)
    spec = replace(prepared.spec, num_epochs=1, fills_last_turn=True)
    found, _skipped = held_out_loss(model, spec, ranks=ranks, num_workers=config.run.num_workers)
    return found
