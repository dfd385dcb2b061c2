"""Says what a plan amounts to before anything is trained: steps, fill, tokens and samples per source."""

import time
from collections import Counter
from dataclasses import dataclass

from train_bridge.config import OptimConfig
from train_bridge.data.corpus import Corpus
from train_bridge.packing.plan import PlanSettings, plan_packs


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanSummary:
    """Of the packs that the stage will use."""

    num_steps: int
    num_packs: int
    """Used: steps times global batch."""
    num_left: int
    """Packs of the last, incomplete step, which are not used."""
    num_samples: int
    """Parts of split documents count each."""
    num_tokens: int
    """Image tokens included."""
    fill: float
    """Share of the packs' places that hold tokens."""
    tokens_by_group: dict[tuple[str, str], int]
    samples_by_group: dict[tuple[str, str], int]
    faults: dict[str, int]
    """Selected samples that cannot be used, by reason."""
    seconds: float
    """Of planning."""

    def lines(self) -> list[str]:
        """Return the summary for a person."""
        rows = [
            f"packs      {self.num_packs:,} in {self.num_steps:,} steps; {self.num_left:,} left over",
            f"fill       {self.fill:.2%}",
            f"tokens     {self.num_tokens:,} in {self.num_samples:,} samples",
        ]
        for group, tokens in self.tokens_by_group.items():
            share = tokens / max(1, self.num_tokens)
            samples = self.samples_by_group[group]
            rows.append(f"  {' / '.join(group):<28} {tokens:>14,} tokens {share:7.2%} {samples:>12,} samples")
        rows += [f"not usable {count:,} samples: {reason}" for reason, count in self.faults.items()]
        return [*rows, f"planned in {self.seconds:.1f} s"]


def count_steps(corpus: Corpus, settings: PlanSettings, optim: OptimConfig) -> int:
    """Return the number of optimiser steps: ``max_steps``, or as many as the packs of ``epochs`` fill."""
    if optim.max_steps is not None:
        return optim.max_steps
    num_packs = sum(1 for _ in plan_packs(corpus, settings, num_epochs=optim.epochs))
    return num_packs // optim.global_batch


def summarise_plan(corpus: Corpus, settings: PlanSettings, optim: OptimConfig) -> PlanSummary:
    """Run the whole plan and count."""
    start = time.perf_counter()
    tokens: Counter[int] = Counter()
    samples: Counter[int] = Counter()
    num_packs = num_left = 0
    pending: list[tuple[int, int]] = []
    for pack in plan_packs(corpus, settings, num_epochs=None if optim.max_steps is not None else optim.epochs):
        pending += zip(pack.table["group"].tolist(), pack.table["num_tokens"].tolist(), strict=True)
        num_left += 1
        if num_left < optim.global_batch:
            continue
        for group, num_tokens in pending:
            tokens[group] += num_tokens
            samples[group] += 1
        pending, num_packs, num_left = [], num_packs + num_left, 0
        if num_packs // optim.global_batch == optim.max_steps:
            break
    total = sum(tokens.values())
    return PlanSummary(
        num_steps=num_packs // optim.global_batch,
        num_packs=num_packs,
        num_left=num_left,
        num_samples=sum(samples.values()),
        num_tokens=total,
        fill=total / max(1, num_packs * settings.capacity.seq_length),
        tokens_by_group={group: tokens[i] for i, group in enumerate(corpus.groups)},
        samples_by_group={group: samples[i] for i, group in enumerate(corpus.groups)},
        faults=corpus.faults(),
        seconds=time.perf_counter() - start,
    )
