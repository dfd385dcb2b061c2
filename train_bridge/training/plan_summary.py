"""Says what a plan amounts to before anything is trained: steps, fill, what each source gives."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from train_bridge.config import OptimConfig
from train_bridge.data.corpus import Corpus
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.draw import Samples
from train_bridge.packing.plan import PlanSettings, plan_packs
from train_bridge.training.data_use import LAST_STEP, RAN_OUT, DataUse, GroupUse

NO_CHUNK = "no_labels_in_chunk"
"""A document that was drawn, and of which no chunk that is used has a token to learn."""
MAX_STEPS = "max_steps"
"""The run ends before it comes to the document, because it was told so."""
BLOCK_ROWS = 1 << 20
Flags = npt.NDArray[np.bool_]


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
    use: DataUse
    seconds: float
    """Of planning."""

    def lines(self) -> list[str]:
        """Return the summary for a person."""
        return [
            f"packs      {self.num_packs:,} in {self.num_steps:,} steps; {self.num_left:,} left over",
            f"fill       {self.fill:.2%}",
            f"tokens     {self.num_tokens:,} in {self.num_samples:,} samples",
            *self.use.lines(),
            f"planned in {self.seconds:.1f} s",
        ]


class _Tally:
    """Adds up packs of whole steps."""

    def __init__(self, corpus: Corpus) -> None:
        self.used: Flags = np.zeros(corpus.num_rows, dtype=np.bool_)
        self.left: Flags = np.zeros(corpus.num_rows, dtype=np.bool_)
        self.samples, self.tokens, self.images, self.cut = (
            np.zeros(corpus.num_groups, dtype=np.int64) for _ in range(4)
        )
        self.drawn = np.zeros(len(corpus.entries), dtype=np.int64)
        """Documents of each entry, repeats too."""
        for i, entry in enumerate(corpus.entries):
            if entry.seen is not None:
                self.used[entry.rows if entry.seen.epoch else entry.rows[entry.seen.places]] = True
                self.drawn[i] = entry.seen.start

    def add(self, tables: Sequence[Samples]) -> None:
        """Count the packs of a step."""
        table = np.concatenate(tables)
        self.used[table["row"]] = True
        self.samples += np.bincount(table["group"], minlength=len(self.samples))
        self.tokens += self._sum(table, "num_tokens")
        self.cut += self._sum(table, "num_cut")
        self.images += self._sum(table, "num_images")
        self.draw(table)

    def leave(self, tables: Sequence[Samples]) -> None:
        """Note the packs of the last, incomplete step."""
        for table in tables:
            self.left[table["row"]] = True
            self.draw(table)

    def draw(self, table: Samples) -> None:
        """Note how far the entries have come."""
        self.drawn += np.bincount(table["entry"][table["chunk"] == 0], minlength=len(self.drawn))

    def _sum(self, table: Samples, name: str) -> npt.NDArray[np.int64]:
        sums = np.bincount(table["group"], weights=table[name], minlength=len(self.samples))
        return np.asarray(sums, dtype=np.int64)


def summarise_plan(
    corpus: Corpus, settings: PlanSettings, optim: OptimConfig, *, start: Cursor | None = None
) -> PlanSummary:
    """Run the whole plan and count.

    Args:
        corpus: What is planned.
        settings: Of the plan.
        optim: Of the run.
        start: Where the plan begins, if an earlier one has drawn before it; what that has drawn counts as used.
    """
    start_s = time.perf_counter()
    tally, num_packs = _Tally(corpus), 0
    pending: list[Samples] = []
    num_epochs = None if optim.max_steps is not None else optim.epochs
    for pack in plan_packs(corpus, settings, cursor=start, num_epochs=num_epochs):
        pending.append(pack.table)
        if len(pending) < optim.global_batch:
            continue
        tally.add(pending)
        num_packs += len(pending)
        pending = []
        if num_packs // optim.global_batch == optim.max_steps:
            break
    tally.leave(pending)
    num_tokens = int(tally.tokens.sum())
    return PlanSummary(
        num_steps=num_packs // optim.global_batch,
        num_packs=num_packs,
        num_left=len(pending),
        num_samples=int(tally.samples.sum()),
        num_tokens=num_tokens,
        fill=num_tokens / max(1, num_packs * settings.capacity.seq_length),
        use=_find_use(corpus, tally, ends_by_steps=optim.max_steps is not None),
        seconds=time.perf_counter() - start_s,
    )


def _find_use(corpus: Corpus, tally: _Tally, *, ends_by_steps: bool) -> DataUse:
    """Say of each group how much of it was used, and why the rest was not."""
    limits = [len(entry.rows) * entry.max_repeats for entry in corpus.entries]
    first_out = int(np.argmax(tally.drawn / limits))
    num_used, reasons = np.zeros(corpus.num_groups, dtype=np.int64), [Counter[str]() for _ in corpus.groups]
    for i, entry in enumerate(corpus.entries):
        missed = MAX_STEPS if ends_by_steps else NO_CHUNK if i == first_out else RAN_OUT
        for start in range(0, len(entry.rows), BLOCK_ROWS):
            rows = np.asarray(entry.rows[start : start + BLOCK_ROWS])
            of, used, left = corpus.counts(rows).group, tally.used[rows], tally.left[rows]
            num_used += np.bincount(of[used], minlength=len(num_used))
            for reason, flags in ((LAST_STEP, left & ~used), (missed, ~left & ~used)):
                for place, count in enumerate(np.bincount(of[flags], minlength=corpus.num_groups).tolist()):
                    reasons[place][reason] += count
    groups = tuple(
        GroupUse(
            source=survey.source,
            kind=survey.kind,
            num_documents=survey.num_documents,
            num_held_out=survey.num_held_out,
            num_used=int(num_used[i]),
            num_samples=int(tally.samples[i]),
            num_tokens=int(tally.tokens[i]),
            num_images=int(tally.images[i]),
            num_tokens_cut=int(tally.cut[i]),
            unused={**survey.unusable, **(+reasons[i])},
        )
        for i, survey in enumerate(corpus.survey())
    )
    is_blend = len(corpus.entries) > 1 and not ends_by_steps
    return DataUse(groups=groups, first_out=corpus.entries[first_out].name if is_blend else None)
