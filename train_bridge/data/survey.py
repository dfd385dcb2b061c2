"""What a corpus holds for a run before anything is planned: documents per source and kind, and why some are useless."""

from dataclasses import dataclass, field

NO_LABELS, NO_WEIGHT = "no_labels", "no_weight"
"""Reasons beside those of ``SampleFault``: no token of it has a loss; no entry of ``data.weights`` covers it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupSurvey:
    """Of the documents of one source and kind that the stage selects."""

    source: str
    kind: str
    num_documents: int
    """Those held out for validation aside."""
    num_held_out: int
    num_tokens: int
    """Of the usable documents: text, and a token per image."""
    num_images: int
    unusable: dict[str, int] = field(default_factory=dict)
    """Documents by reason."""

    @property
    def num_usable(self) -> int:
        """Documents that a plan may draw."""
        return self.num_documents - sum(self.unusable.values())
