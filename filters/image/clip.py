"""image.clip: the image has to do with some text of its document."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from curate.contract.reasons import Reason
from filters.outcome import WITH_IMAGES, Kinds, reject_unless


class ClipFloorConfig(BaseModel):
    """The floor of similarity."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min: float = Field(default=0.15, ge=-1, le=1)
    """Cosine, inclusive. MMC4 drops images whose best sentence is below 0.15 by OpenAI's ViT-L/14; LAION-5B, on
    captions alone and with ViT-B/32, drops below 0.28. The scale is the model's own: set it anew for another model."""
    kinds: Kinds = WITH_IMAGES
    """Kinds of documents it applies to."""


def clip(batch: pa.RecordBatch, *, config: ClipFloorConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    Args:
        batch: N images; reads kind and best_sim (float16, cosine to the best text item; a pair's caption is its text).
        config: The floor.

    Returns:
        String array [N]. A null or NaN score is rejected: unscored is not good.
    """
    # The floor is rounded as the scores were, so that a score stored as "0.15" is not below 0.15.
    floor = float(np.float16(config.min))
    good = pc.greater_equal(pc.cast(batch["best_sim"], pa.float32()), floor)
    return reject_unless(good, kind=batch["kind"], kinds=config.kinds, reason=Reason.IMAGE_CLIP)
