"""The funnel: what is left of a source after each step of the road."""

from collections import Counter
from typing import Self

import pyarrow as pa

from curate.contract.reasons import Stage
from curate.report.data import Funnel, FunnelStep
from curate.report.outcomes import Outcomes, count_pairs

FIRST_STEP = "in"
STEPS = ("admitted", "fetched", "kept", "deduplicated", "in shards")
STEP_OF_STAGE: dict[str, str] = {
    Stage.INGEST: "admitted",
    Stage.FETCH_PAGES: "fetched",
    Stage.PARSE_PAGES: "admitted",
    Stage.MEASURE_TEXT: "admitted",
    Stage.COUNT_URLS: "admitted",
    Stage.ADMIT: "admitted",
    Stage.FETCH_IMAGES: "fetched",
    Stage.MEASURE_IMAGES: "kept",
    Stage.MEASURE_CLIP: "kept",
    Stage.GATHER_FACTS: "kept",
    Stage.PROPOSE: "deduplicated",
    Stage.DECIDE: "kept",
    Stage.KEEP: "kept",
    Stage.DEDUP: "deduplicated",
    Stage.COUNT_TOKENS: "in shards",
    Stage.BLEND: "in shards",
    Stage.SPOOL: "in shards",
    Stage.WRITE_SHARDS: "in shards",
}
"""At which step a verdict of a stage takes its document, with the document's images, or its image away. Any stage may
pass one: a document that kills its worker is set aside by the stage that it kills."""


class FunnelCounter:
    """Folds the outcomes of partitions into one funnel per source and unit."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], Counter[str | None]] = {}

    def add(self, outcomes: Outcomes, sources: pa.Array) -> None:
        """Count one partition; ``sources`` is a string [N] of the documents' sources."""
        of_images = sources.take(pa.array(outcomes.image_docs))
        units = {"documents": (sources, outcomes.doc_stages), "images": (of_images, outcomes.image_stages)}
        for unit, (names, stages) in units.items():
            for source, stage, number in count_pairs(names, stages):
                counter = self._left.setdefault((source, unit), Counter())
                counter[None if stage is None else STEP_OF_STAGE[stage]] += number

    def merge(self, other: Self) -> None:
        """Add the counts of other partitions."""
        for key, counter in other._left.items():
            self._left.setdefault(key, Counter()).update(counter)

    def finish(self) -> tuple[Funnel, ...]:
        """Return the funnels by source name, documents before images."""
        funnels = []
        for (source, unit), left in sorted(self._left.items()):
            num = left.total()
            steps = [FunnelStep(name=FIRST_STEP, num=num, lost=0)]
            for name in STEPS:
                num -= left[name]
                steps.append(FunnelStep(name=name, num=num, lost=left[name]))
            funnels.append(Funnel(source=source, unit=unit, steps=tuple(steps)))
        return tuple(funnels)
