"""image.size: both sides of the image are within limits."""

from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.contract.reasons import Reason
from filters.outcome import WITH_IMAGES, Kinds, reject_unless


class SizeConfig(BaseModel):
    """Sides an image may have, in pixels before resizing, both ends inclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min: int = Field(default=150, ge=1)
    """MMC4, OBELICS, MINT-1T and OmniCorpus drop images with a side under 150; COYO and DataComp use 200."""
    max: int = Field(default=20_000, ge=1)
    """OBELICS and MINT-1T: 20,000."""
    kinds: Kinds = WITH_IMAGES
    """Kinds of documents it applies to."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"max {self.max} is below min {self.min}")
        return self


def size(batch: pa.RecordBatch, *, config: SizeConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    Args:
        batch: N images; reads kind, original_width and original_height (px).
        config: The limits.

    Returns:
        String array [N]. A null side is rejected.
    """
    width, height = batch["original_width"], batch["original_height"]
    shorter = pc.min_element_wise(width, height, skip_nulls=False)
    longer = pc.max_element_wise(width, height, skip_nulls=False)
    good = pc.and_(pc.greater_equal(shorter, config.min), pc.less_equal(longer, config.max))
    return reject_unless(good, kind=batch["kind"], kinds=config.kinds, reason=Reason.IMAGE_SIZE)
