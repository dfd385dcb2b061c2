"""What of the selected documents a run learns from, and why it does not from the others: told before its first step."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from curate.contract.errors import CurateError
from train_bridge.data.survey import NO_LABELS, NO_WEIGHT, GroupSurvey
from train_bridge.tokens.faults import SampleFault

RAN_OUT, LAST_STEP = "ran_out", "last_step"
"""Reasons of a plan: another entry of the blend ends the run first; the packs left over do not fill a step."""
NUM_REASONS = 3
"""Commonest reasons that an error tells."""
REMEDIES = {
    RAN_OUT: "raise data.max_repeats of {first_out} or lower its weight",
    NO_WEIGHT: "give it a weight, or leave it out by data.sources or data.kinds",
    NO_LABELS: "leave these documents out by data.kinds or data.sources, or take data.labels: all",
    LAST_STEP: "lower optim.global_batch",
    SampleFault.NO_ASSISTANT: "take data.kinds: [text], or data.labels: all for documents without answers",
    SampleFault.NO_TEXT: "leave these documents out by data.kinds or data.sources",
    SampleFault.REFUSED_ROLE: "data.chat.system: fold, or a data.chat.template that takes these roles",
    SampleFault.TEXT_LOST: "a data.chat.template that writes all that a turn says",
    SampleFault.IMAGE_LOST: "a data.chat.template that writes images",
    SampleFault.ANSWER_NOT_FOUND: "a data.chat.template that writes every answer",
    SampleFault.UNREADABLE: "curate verify the shards",
    SampleFault.MALFORMED: "curate verify the shards",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupUse:
    """Of one source and kind."""

    source: str
    kind: str
    num_documents: int
    """Selected, those held out for validation aside."""
    num_held_out: int
    num_used: int
    """Documents that the run learns from at least once; where nothing is planned, those that it may draw."""
    num_samples: int
    """Parts of split documents and repeats count each."""
    num_tokens: int
    """Image tokens included."""
    num_images: int
    unused: dict[str, int]
    """Documents by reason."""
    num_tokens_cut: int = 0
    """Of the documents that are used: in parts that ``data.long_documents`` leaves out, or without a label."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataUse:
    """Of a run."""

    groups: tuple[GroupUse, ...]
    is_planned: bool = True
    """False: steps end the run, and the figures are of one pass over what it may draw."""
    first_out: str | None = None
    """The entry of the blend that ends an epoch; None without weights, or where steps end the run."""
    num_passes: float | None = None
    """Over the data, about, where steps end the run and there are no weights."""

    def lines(self) -> list[str]:
        """Return it for a person."""
        num_tokens = sum(group.num_tokens for group in self.groups)
        rows = [] if self.is_planned else ["  steps end this run: the figures are of one pass over the data"]
        rows += [line for group in self.groups for line in self._group_lines(group, num_tokens)]
        if self.first_out is not None:
            rows.append(f"an epoch ends when {self.first_out} has run out")
        if self.num_passes is not None:
            rows.append(f"the steps take about {self.num_passes:.2f} passes over the data")
        return rows

    def _group_lines(self, group: GroupUse, num_tokens: int) -> list[str]:
        share = group.num_tokens / max(1, num_tokens)
        held_out = f"; {group.num_held_out:,} held out" if group.num_held_out else ""
        use = "used" if self.is_planned else "may be used"
        head = (
            f"  {group.source + ' / ' + group.kind:<28} {group.num_used:,} of {group.num_documents:,} documents {use}: "
            f"{group.num_samples:,} samples, {group.num_tokens:,} tokens ({share:.2%}), {group.num_images:,} images"
        )
        ordered = sorted(group.unused.items(), key=lambda item: (-item[1], item[0]))
        cut = f"    {group.num_tokens_cut:,} tokens cut off documents that are longer than a sequence"
        return [
            head + held_out,
            *([cut] if group.num_tokens_cut else []),
            *(f"    not used {count:,}: {self._why(reason)}" for reason, count in ordered),
        ]

    def _why(self, reason: str) -> str:
        return f"{reason} ({self.first_out} ran out)" if reason == RAN_OUT else str(reason)

    def record(self) -> dict[str, object]:
        """Return it for ``metrics.jsonl``."""
        return {
            "groups": [{name: getattr(group, name) for name in GroupUse.__slots__} for group in self.groups],
            "is_planned": self.is_planned,
            "first_out": self.first_out,
        }


def survey_use(surveys: Sequence[GroupSurvey], *, tokens_per_image: int, steps_tokens: int | None = None) -> DataUse:
    """Return what a run of ``optim.max_steps`` may draw; it goes over the data as often as its steps take.

    Args:
        surveys: Of the corpus.
        tokens_per_image: Of the model.
        steps_tokens: Places of all steps' packs, where there are no weights.
    """
    groups = tuple(
        GroupUse(
            source=one.source,
            kind=one.kind,
            num_documents=one.num_documents,
            num_held_out=one.num_held_out,
            num_used=one.num_usable,
            num_samples=one.num_usable,
            num_tokens=one.num_tokens + one.num_images * (tokens_per_image - 1),
            num_images=one.num_images,
            unused=dict(one.unusable),
        )
        for one in surveys
    )
    num_tokens = sum(group.num_tokens for group in groups)
    return DataUse(
        groups=groups, is_planned=False, num_passes=None if steps_tokens is None else steps_tokens / max(1, num_tokens)
    )


def check_used(use: DataUse, *, max_unused: float) -> None:
    """Refuse a run that would leave much of its data without a word.

    Raises:
        CurateError: More than ``max_unused`` of the documents are not used; says the commonest reasons, and what helps.
    """
    reasons: Counter[str] = Counter()
    for group in use.groups:
        reasons.update({reason: count for reason, count in group.unused.items() if reason != LAST_STEP})
    num_documents, num_unused = sum(group.num_documents for group in use.groups), reasons.total()
    if num_unused <= max_unused * num_documents:
        return
    told = "; ".join(
        f"{count:,} {reason}: {REMEDIES.get(reason, 'see --plan-only').format(first_out=use.first_out)}"
        for reason, count in reasons.most_common(NUM_REASONS)
    )
    share = num_unused / num_documents
    raise CurateError(
        f"{num_unused:,} of {num_documents:,} documents would not be used ({share:.1%}), more than data.max_unused "
        f"{max_unused:g}: {told}; or raise data.max_unused"
    )
