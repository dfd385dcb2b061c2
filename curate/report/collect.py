"""Fold a run, partition by partition, into the plain data of a report.

Memory is bounded: histograms and counters have a fixed number of cells, and of the documents only the ids of a sample
are held. Which documents are sampled depends on their ids alone, so collectors of parts of a run may be merged in any
order.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import FetchStatus, Kind, Reason
from curate.contract.schemas import WHOLE_DOCUMENT
from curate.report.data import Blend, GalleryDocument, Histogram, LossCurve, ReportData, TruthFigure
from curate.report.funnel import FunnelCounter
from curate.report.gallery import PartitionTables, add_thumbnails, build_entries, rows_of
from curate.report.histogram import SIZE_EDGES_PX, WORD_EDGES, EdgeCounter, NameCounter, SimilarityCounter
from curate.report.outcomes import Outcomes, column, resolve
from curate.report.sampling import Group, SmallestHashes, order_by_rank
from curate.report.thumbnails import make_thumbnail

_MAX_THUMBNAILS = 16  # per document
_NUM_PER_SOURCE = 3  # so that no source is missing from the gallery
_NUM_PER_IMAGE_REASON = 2  # documents that show an image rejected for a reason of its own


class ReportCollector:
    """Takes one partition at a time, or what another one has taken; ``finish`` gives what the page shows."""

    def __init__(self, *, clip_min: float | None = None, num_kept: int = 8, num_rejected: int = 3) -> None:
        """Start empty.

        Args:
            clip_min: The threshold of ``image.clip`` (cosine), drawn into the histogram; None without that rule.
            num_kept: Kept documents in the gallery per kind.
            num_rejected: Rejected documents in the gallery per kind and reason.
        """
        self._clip_min = clip_min
        self._num_kept, self._num_rejected = num_kept, num_rejected
        self._funnels = FunnelCounter()
        self._statuses: Counter[str] = Counter()
        self._similarity = SimilarityCounter()
        self._sizes, self._words = EdgeCounter(SIZE_EDGES_PX), EdgeCounter(WORD_EDGES)
        self._languages = NameCounter()
        self._sample = SmallestHashes()
        self._places: dict[str, str] = {}
        self._entries: dict[str, GalleryDocument] = {}

    def add_partition(self, tables: PartitionTables, *, partition: str) -> None:
        """Count one partition and let its documents into the sample.

        Args:
            tables: The partition; of its items the images are enough. Verdicts are those of all stages together.
            partition: Its name.

        Raises:
            CurateError: The verdicts do not fit the documents and items.
        """
        outcomes = resolve(tables.documents, tables.items, tables.verdicts)
        self._funnels.add(outcomes, column(tables.documents, "source"))
        self._count_images(tables, outcomes)
        self._count_texts(tables, outcomes)
        self._offer(tables.documents, outcomes)
        members = self._sample.members()
        self._places |= dict.fromkeys(members & set(outcomes.doc_ids.to_pylist()), partition)

    def merge(self, other: Self) -> None:
        """Take what another collector has taken of other partitions."""
        self._funnels.merge(other._funnels)
        self._statuses.update(other._statuses)
        self._similarity.merge(other._similarity)
        self._sizes.merge(other._sizes)
        self._words.merge(other._words)
        self._languages.merge(other._languages)
        self._sample.merge(other._sample)
        self._places |= other._places
        members = self._sample.members()
        self._places = {doc_id: name for doc_id, name in self._places.items() if doc_id in members}

    def sampled(self) -> dict[str, list[str]]:
        """Return the documents of the gallery by partition: their entries are to be built for ``finish``."""
        members, found = self._sample.members(), defaultdict[str, list[str]](list)
        for doc_id, partition in sorted(self._places.items()):
            if doc_id in members:
                found[partition].append(doc_id)
        return dict(sorted(found.items()))

    def add_entries(self, entries: Mapping[str, GalleryDocument]) -> None:
        """Take the gallery's entries of sampled documents; see ``draw_entries``."""
        self._entries |= entries

    def finish(
        self,
        *,
        ledger: Mapping[str, Any],
        title: str,
        facts: Mapping[str, str] | None = None,
        blends: Sequence[Blend] = (),
        truth: Sequence[TruthFigure] = (),
        training: Sequence[LossCurve] = (),
    ) -> ReportData:
        """Return the report's data.

        Args:
            ledger: What ``LedgerCounter.to_dict`` gave.
            title: The run's name.
            facts: Header lines, such as ``{"CLIP": "ViT-L-14 / openai"}``.
            blends: One per shard set, see ``build_blend``.
            truth: Figures measured against known truth.
            training: One loss curve per stage, see ``build_curve``.
        """
        return ReportData(
            title=title,
            facts=dict(facts or {}),
            ledger=ledger,
            funnels=self._funnels.finish(),
            statuses=dict(sorted(self._statuses.items(), key=lambda pair: (-pair[1], pair[0]))),
            histograms=self._finish_histograms(),
            blends=tuple(blends),
            truth=tuple(truth),
            training=tuple(training),
            gallery=_order_gallery(self._entries),
        )

    def _count_images(self, tables: PartitionTables, outcomes: Outcomes) -> None:
        kept = outcomes.image_reasons.is_null().to_numpy(zero_copy_only=False)
        first = len(outcomes.doc_ids)
        if tables.images is not None and tables.images.num_rows:
            for row in column(tables.images, "status").value_counts().to_pylist():
                self._statuses[row["values"]] += row["counts"]
            good = tables.images.filter(pc.equal(column(tables.images, "status"), str(FetchStatus.OK)))
            rows = outcomes.find(column(good, "doc_id"), column(good, "position")) - first
            sides = pc.min_element_wise(column(good, "original_width"), column(good, "original_height"))
            values = pc.fill_null(sides, -1).to_numpy(zero_copy_only=False).astype(np.int64)
            usable = (rows >= 0) & (values >= 0)
            self._sizes.add(values[usable], kept[rows[usable]])
        if tables.clip is not None and tables.clip.num_rows:
            rows = outcomes.find(column(tables.clip, "doc_id"), column(tables.clip, "position")) - first
            sims = pc.cast(column(tables.clip, "best_sim"), pa.float32()).to_numpy(zero_copy_only=False).astype(float)
            usable = (rows >= 0) & np.isfinite(sims)
            self._similarity.add(sims[usable], kept[rows[usable]])

    def _count_texts(self, tables: PartitionTables, outcomes: Outcomes) -> None:
        if tables.text is None or not tables.text.num_rows:
            return
        whole = tables.text.filter(pc.equal(column(tables.text, "position"), WHOLE_DOCUMENT))
        rows = outcomes.find(column(whole, "doc_id"), column(whole, "position"))
        kept = outcomes.doc_reasons.is_null().to_numpy(zero_copy_only=False)
        known = rows >= 0
        words = column(whole, "num_words").to_numpy(zero_copy_only=False).astype(np.int64)
        self._words.add(words[known], kept[rows[known]])
        self._languages.add(column(whole, "lang").filter(pa.array(known)), kept[rows[known]])

    def _offer(self, documents: pa.Table, outcomes: Outcomes) -> None:
        own: dict[int, set[str]] = {}
        for doc, reason in zip(outcomes.image_docs.tolist(), outcomes.image_reasons.to_pylist(), strict=True):
            if reason is not None and reason != Reason.DOC_REJECTED:
                own.setdefault(doc, set()).add(reason)
        columns = (outcomes.doc_ids, column(documents, "source"), column(documents, "kind"), outcomes.doc_reasons)
        for row, (doc_id, source, kind, reason) in enumerate(zip(*(c.to_pylist() for c in columns), strict=True)):
            end = "kept" if reason is None else "rejected"
            groups: dict[Group, int] = {
                ("document", kind, reason or "kept"): self._num_kept if reason is None else self._num_rejected,
                ("source", source, end): _NUM_PER_SOURCE,
                **{("image", kind, image_reason): _NUM_PER_IMAGE_REASON for image_reason in own.get(row, ())},
            }
            self._sample.offer(doc_id, groups)

    def _finish_histograms(self) -> tuple[Histogram, ...]:
        found = (
            self._similarity.finish(threshold=self._clip_min),
            self._sizes.finish(title="Image size", unit="shorter side as fetched, px"),
            self._words.finish(title="Words per document", unit="words"),
            self._languages.finish(title="Language", unit="documents"),
        )
        return tuple(histogram for histogram in found if histogram.bins)


def draw_entries(tables: PartitionTables, doc_ids: Sequence[str]) -> dict[str, GalleryDocument]:
    """Return the gallery's entries of some documents of a partition, with thumbnails.

    Args:
        tables: Whole rows of these documents at least; images with ``data``.
        doc_ids: Of the documents.
    """
    entries = build_entries(tables, doc_ids)
    drawn: dict[str, dict[int, str | None]] = {doc_id: {} for doc_id in doc_ids}
    images = rows_of(tables.images, doc_ids)
    if images is not None and "data" in images.column_names:
        for doc_id, position, data in zip(*(column(images, n) for n in ("doc_id", "position", "data")), strict=True):
            own = drawn[doc_id.as_py()]
            if data.is_valid and len(own) < _MAX_THUMBNAILS:
                own[position.as_py()] = make_thumbnail(data.as_py())
    return {doc_id: add_thumbnails(entry, drawn[doc_id]) for doc_id, entry in entries.items()}


def _order_gallery(entries: Mapping[str, GalleryDocument]) -> tuple[GalleryDocument, ...]:
    """Return kept documents first, then by kind and reason."""
    order = {str(kind): place for place, kind in enumerate(Kind)}
    ranked = (entries[doc_id] for doc_id in order_by_rank(entries))
    return tuple(sorted(ranked, key=lambda e: (e.reason is not None, order.get(e.kind, len(order)), e.reason or "")))
