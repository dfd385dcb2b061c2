"""text.words: the document is neither too short nor too long."""

from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.contract.reasons import Reason
from filters.outcome import INTERLEAVED_ONLY, Kinds, reject_unless


class WordsConfig(BaseModel):
    """Words a document may have, both ends inclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min: int = Field(default=10, ge=0)
    """OBELICS asks for 10 words a document, OmniCorpus for 50."""
    max: int | None = Field(default=100_000, ge=0)
    """OmniCorpus stops at 100,000 words, OBELICS at 2,000; null means no limit."""
    kinds: Kinds = INTERLEAVED_ONLY
    """Kinds of documents it applies to: captions are short by nature."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max {self.max} is below min {self.min}")
        return self


def words(batch: pa.RecordBatch, *, config: WordsConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    Args:
        batch: N documents; reads kind and num_words.
        config: The limits.

    Returns:
        String array [N]. A null count is rejected.
    """
    num_words = batch["num_words"]
    good = pc.greater_equal(num_words, config.min)
    if config.max is not None:
        good = pc.and_(good, pc.less_equal(num_words, config.max))
    return reject_unless(good, kind=batch["kind"], kinds=config.kinds, reason=Reason.TEXT_WORDS)
