"""Admit: which images of a partition may be fetched, by rules on text and URLs, read from what is measured before.

Nothing is stored: the fetch stage and the decision both ask, and the answer takes milliseconds.
"""

import numpy as np
import pyarrow as pa

from pipelines.decide.facts import image_items
from pipelines.decide.facts_table import gather_admission
from pipelines.decide.judge import Judged, Rules, admit
from pipelines.decide.judge_partition import load_url_counts
from pipelines.run.context import RunContext
from pipelines.run.tables import ITEMS

IMAGE_COLUMNS = ("doc_id", "position", "image_url", "expected_sha256")


def admit_partition(context: RunContext, partition: str) -> Judged:
    """Return what of a partition stands by what is known before its images are fetched."""
    facts = gather_admission(context, partition)
    return admit(facts, Rules.of(context.recipe), load_url_counts(context, partition, facts))


def admitted_images(context: RunContext, partition: str) -> pa.Table:
    """Return doc_id, position, image_url, expected_sha256 of the images that may be fetched, in document order."""
    judged = admit_partition(context, partition)
    items = image_items(context.folder.read(ITEMS, partition), judged.facts.documents["doc_id"].combine_chunks())
    rows = np.flatnonzero(judged.standing_images())
    return items.select([name for name in IMAGE_COLUMNS if name in items.column_names]).take(pa.array(rows))
