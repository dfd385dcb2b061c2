"""url.frequency: the image's URL does not stand in so many places that it must be decoration."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from curate.contract.reasons import Reason
from filters.outcome import WITH_IMAGES, Kinds, reject_unless


class FrequencyConfig(BaseModel):
    """How often a URL may occur."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max: int = Field(default=10, ge=1)
    """Occurrences in the whole run, inclusive. OBELICS drops image URLs that occur more than 10 times in its corpus;
    MMC4 does so within a sample of 60,000."""
    kinds: Kinds = WITH_IMAGES
    """Kinds of documents it applies to."""


def frequency(batch: pa.RecordBatch, *, config: FrequencyConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    Args:
        batch: N image items; reads kind and url_count (int64, 1 = seen once).
        config: The limit.

    Returns:
        String array [N]. All occurrences of a frequent URL are rejected, the first too. A null count is rejected.
    """
    good = pc.less_equal(batch["url_count"], config.max)
    return reject_unless(good, kind=batch["kind"], kinds=config.kinds, reason=Reason.URL_FREQUENCY)
