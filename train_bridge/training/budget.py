"""How much may go wrong before a run ends: what is lost is counted, and a run that learns nothing is no success."""

from collections.abc import Sequence

from curate.contract.errors import CurateError
from train_bridge.config import RunConfig
from train_bridge.data.samples import SkippedSample
from train_bridge.tokens.faults import SampleFault
from train_bridge.training.checkpoint import TrainProgress

MIN_SKIPPED = 100
"""Samples that may be skipped whatever their share: at the start of a run one in ten is one."""


class RunStoppedError(CurateError):
    """A run that cannot go on as it should; what it has learned is saved."""


def check_budget(progress: TrainProgress, run: RunConfig) -> None:
    """Look after a step at what has gone wrong so far.

    Raises:
        RunStoppedError: It is more than the stage allows.
    """
    allowed = max(MIN_SKIPPED, int(run.max_skipped_share * progress.num_samples))
    if progress.num_skipped > allowed:
        raise RunStoppedError(
            f"after step {progress.step}: {progress.num_skipped:,} of {progress.num_samples:,} samples were skipped, "
            f"more than run.max_skipped_share {run.max_skipped_share:g} allows; metrics.jsonl names each, and why"
        )
    if progress.num_left_out > run.max_not_finite:
        raise RunStoppedError(
            f"after step {progress.step}: {progress.num_left_out} steps had a loss or gradient that is not finite, "
            f"more than run.max_not_finite {run.max_not_finite}; metrics.jsonl names their documents, and data.exclude "
            "can leave them out"
        )


def is_healthy(before: TrainProgress, now: TrainProgress, run: RunConfig) -> bool:
    """Say whether the steps between two checkpoints were sound: none left out, and hardly a sample lost."""
    skipped, samples = now.num_skipped - before.num_skipped, now.num_samples - before.num_samples
    return now.num_left_out == before.num_left_out and skipped <= run.max_skipped_share * samples


def describe_lost(skipped: Sequence[Sequence[SkippedSample]]) -> str:
    """Say what storage did not give, and to which rank.

    Args:
        skipped: Of every rank.
    """
    lost = [(rank, one) for rank, own in enumerate(skipped) for one in own if one.fault is SampleFault.STORAGE]
    rank, first = lost[0]
    more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"rank {rank} could not read sample {first.key}{more}: {first.detail}"
