"""Options of deduplication."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ImageDedupConfig(BaseModel):
    """When two images are one."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    exact: bool = True
    """The stored bytes are the same."""
    cosine: float | None = Field(default=None, gt=0, le=1)
    """The cosine of their CLIP embeddings is at least this; null means not asked, as it needs a CLIP model. 0.95 finds
    re-encodings and crops; how close two different pictures may come depends on the model."""


class DedupConfig(BaseModel):
    """How duplicates are found and who survives."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    mode: Literal["ordered"] = "ordered"
    """``ordered``: the first in input order survives, so documents can be decided while later ones are on their way."""
    image: ImageDedupConfig = Field(default_factory=ImageDedupConfig)
