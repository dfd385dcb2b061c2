"""What the report shows: plain values and short lists, ready to be laid out and safe to pickle."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class FunnelStep:
    """One bar of a funnel."""

    name: str
    num: int
    """What is left after this step."""
    lost: int
    """What left at this step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Funnel:
    """How the documents or the images of one source dwindled."""

    source: str
    unit: str
    """``documents`` | ``images``."""
    steps: tuple[FunnelStep, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """One bar of a histogram."""

    label: str
    kept: int
    rejected: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Counts of kept and rejected things over a measured value."""

    title: str
    unit: str
    bins: tuple[Bin, ...]
    threshold: float | None = None
    """Where the rule cuts, in bins from the left edge; null where there is no such rule."""
    threshold_label: str = ""
    horizontal: bool = False
    """Bars run sideways: for bins that are names, such as languages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendLine:
    """One weighted part of a blend."""

    name: str
    wanted_share: float
    """0..1 of the blend's unit."""
    got_share: float
    num_samples: int
    num_images: int
    num_tokens: int
    most_repeats: int
    """How often the most used document occurs; 1 = once."""
    supply: int
    """Documents in the pool."""
    num_not_drawn: int
    """Documents of the pool that the blend had no room for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blend:
    """One shard set's mixture."""

    name: str
    unit: str
    """``samples`` | ``images`` | ``tokens``: what the shares are of."""
    num_samples: int
    num_images: int
    num_tokens: int
    binding: str
    """The entry whose supply limits the blend's size; empty where unknown."""
    entries: tuple[BlendLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TruthFigure:
    """A figure measured against known truth, and what it has to reach."""

    name: str
    value: float | None
    """0..1, or a number; null where the run met no case."""
    target: float | None
    """The least that passes; null where the figure is only told."""
    num_cases: int
    """Cases that the value is a share of."""

    @property
    def passed(self) -> bool:
        """Whether the figure reaches its target; one without target or cases cannot fail."""
        return self.value is None or self.target is None or self.value >= self.target


@dataclass(frozen=True, kw_only=True, slots=True)
class LossCurve:
    """The training loss of one stage."""

    stage: str
    points: tuple[tuple[float, float], ...]
    """(step, loss) in order of steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownText:
    """A text item of a gallery document."""

    text: str
    """Cut to a bounded length."""
    role: str | None
    position: int
    colour: int | None
    """That of the first good image matched to it; null without one."""
    matches: tuple[tuple[int, float | None, bool], ...]
    """(number, similarity, whether it is good) of each image whose sentence this is; a bad one is merely closest."""
    is_image: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownImage:
    """An image item of a gallery document."""

    number: int
    """1.. within the document."""
    position: int
    url: str
    alt: str | None
    status: str | None
    """FetchStatus; null where it was never asked for."""
    reason: str | None
    """Null = kept."""
    detail: str | None
    thumbnail: str | None = None
    """A ``data:`` URI; null where there are no pixels."""
    size_px: tuple[int, int] | None
    """Width and height before resizing."""
    best_sim: float | None
    alt_sim: float | None
    matched_position: int | None
    """Position of its sentence: the assigned one of a kept image, the closest one of another."""
    matched_sim: float | None
    colour: int | None
    """0..7, shared with its sentence; null without one or where the image has a reason of its own."""
    is_image: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class GalleryDocument:
    """One sampled document, its items in document order."""

    doc_id: str
    source: str
    kind: str
    url: str | None
    reason: str | None
    """Null = kept."""
    stage: str | None
    detail: str | None
    num_words: int | None
    lang: str | None
    lang_prob: float | None
    items: tuple[ShownText | ShownImage, ...]
    num_left_out: int = 0
    """Items that are not shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportData:
    """Everything that one report shows."""

    title: str
    facts: Mapping[str, str]
    """Header lines, such as the models used."""
    ledger: Mapping[str, Any]
    funnels: tuple[Funnel, ...]
    statuses: Mapping[str, int]
    """Images per FetchStatus, most frequent first."""
    histograms: tuple[Histogram, ...]
    blends: tuple[Blend, ...] = ()
    truth: tuple[TruthFigure, ...] = ()
    training: tuple[LossCurve, ...] = ()
    gallery: tuple[GalleryDocument, ...] = ()
