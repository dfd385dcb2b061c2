"""text.language: the document's text is in a wanted language, and surely so."""

from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from curate.contract.reasons import Reason
from filters.outcome import ALL_KINDS, Kinds, reject_unless

LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class LanguageConfig(BaseModel):
    """Wanted languages."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    allow: tuple[LanguageCode, ...] = Field(default=("en",), min_length=1)
    """Codes of fastText lid.176: ISO 639-1 where there is one ("en"), else 639-3 ("ceb"). MMC4, OBELICS and MINT-1T are
    English."""
    min_prob: float = Field(default=0.65, ge=0, le=1)
    """Probability of the language, inclusive. MINT-1T is reported to use 0.65 with the same model; OBELICS uses 0.8."""
    kinds: Kinds = ALL_KINDS
    """Kinds of documents it applies to."""


def language(batch: pa.RecordBatch, *, config: LanguageConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    Args:
        batch: N documents; reads kind, lang (null: no letter in the text) and lang_prob (float32, 0..1).
        config: The wanted languages.

    Returns:
        String array [N]. A null language is rejected: unknown is not wanted.
    """
    allowed = pc.is_in(batch["lang"], value_set=pa.array(config.allow, pa.string()))
    # Compared as stored, so that a probability equal to the threshold is kept.
    sure = pc.greater_equal(batch["lang_prob"], pa.scalar(config.min_prob, pa.float32()))
    return reject_unless(pc.and_(allowed, sure), kind=batch["kind"], kinds=config.kinds, reason=Reason.TEXT_LANGUAGE)
