"""text.replacement: the document's text was read in its encoding, so that few characters had to be replaced."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from curate.contract.reasons import Reason
from filters.outcome import ALL_KINDS, Kinds, reject_unless


class ReplacementConfig(BaseModel):
    """Characters that may be U+FFFD, which stands where bytes could not be read."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_ratio: float = Field(default=0.01, ge=0, le=1)
    """Share of the document's characters, inclusive. Ours, for published pipelines name none: read in a wrong encoding,
    a German page loses about 1 % of its characters, a Czech one 20 %, an English one its quotation marks, mostly below
    0.8 %."""
    kinds: Kinds = ALL_KINDS
    """Kinds of documents it applies to."""


def replacement(batch: pa.RecordBatch, *, config: ReplacementConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    Args:
        batch: N documents; reads kind and replacement_ratio (float32, 0..1).
        config: The limit.

    Returns:
        String array [N]. A null share is rejected.
    """
    # Compared as stored, so that a share equal to the limit is kept.
    good = pc.less_equal(batch["replacement_ratio"], pa.scalar(config.max_ratio, pa.float32()))
    return reject_unless(good, kind=batch["kind"], kinds=config.kinds, reason=Reason.TEXT_REPLACEMENT)
