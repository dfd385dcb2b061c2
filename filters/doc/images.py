"""doc.images: the document still has enough images, and not too many."""

from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.contract.reasons import Reason
from filters.outcome import INTERLEAVED_ONLY, Kinds, reject_unless


class ImagesConfig(BaseModel):
    """Images a document may have, both ends inclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min: int = Field(default=1, ge=0)
    """OBELICS, MINT-1T and OmniCorpus ask for one image; MMC4-core for 2."""
    max: int = Field(default=30, ge=0)
    """OBELICS and MINT-1T stop at 30 images; MMC4-core at 15."""
    kinds: Kinds = INTERLEAVED_ONLY
    """Kinds of documents it applies to."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"max {self.max} is below min {self.min}")
        return self


def images(batch: pa.RecordBatch, *, config: ImagesConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    Args:
        batch: N documents; reads kind and num_images (those that survived so far).
        config: The limits.

    Returns:
        String array [N]. A null count is rejected.
    """
    num_images = batch["num_images"]
    good = pc.and_(pc.greater_equal(num_images, config.min), pc.less_equal(num_images, config.max))
    return reject_unless(good, kind=batch["kind"], kinds=config.kinds, reason=Reason.DOC_IMAGES)
