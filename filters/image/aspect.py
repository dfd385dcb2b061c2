"""image.aspect: the image is no banner and no column."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from curate.contract.reasons import Reason
from filters.outcome import WITH_IMAGES, Kinds, reject_unless


class AspectConfig(BaseModel):
    """How long an image may be."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max: float = Field(default=2.0, ge=1, allow_inf_nan=False)
    """Longer side over shorter side, inclusive. 2 in MMC4, OBELICS, MINT-1T HTML and OmniCorpus; 3 in COYO and
    DataComp."""
    kinds: Kinds = WITH_IMAGES
    """Kinds of documents it applies to."""


def aspect(batch: pa.RecordBatch, *, config: AspectConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    Args:
        batch: N images; reads kind, original_width and original_height (px): resizing rounds the sides.
        config: The limit.

    Returns:
        String array [N]. A null or zero side is rejected.
    """
    width, height = batch["original_width"], batch["original_height"]
    shorter = pc.min_element_wise(width, height, skip_nulls=False)
    longer = pc.max_element_wise(width, height, skip_nulls=False)
    # A product, not a quotient: 400 x 200 is exactly 2, and no side divides by zero.
    fits = pc.less_equal(pc.cast(longer, pa.float64()), pc.multiply(pc.cast(shorter, pa.float64()), config.max))
    good = pc.and_(fits, pc.greater(shorter, 0))
    return reject_unless(good, kind=batch["kind"], kinds=config.kinds, reason=Reason.IMAGE_ASPECT)
