"""Fold a run, partition by partition, into the plain data of a report.

Memory is bounded: histograms and counters have a fixed number of cells, and of the documents only a sample is held, as
short plain values with thumbnails. Which documents are sampled depends on their ids alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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

LoadImages = Callable[[Sequence[str]], pa.Table]
"""Document ids -> their rows with doc_id, position, data. Called at most once per partition, by ``finish``."""

_MAX_THUMBNAILS = 16  # per document
_NUM_PER_SOURCE = 3  # so that no source is missing from the gallery
_NUM_PER_IMAGE_REASON = 2  # documents that show an image rejected for a reason of its own


class ReportCollector:
    """Takes one partition at a time; ``finish`` gives what the page shows."""

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
        self._statuses: dict[str, int] = {}
        self._similarity = SimilarityCounter()
        self._sizes, self._words = EdgeCounter(SIZE_EDGES_PX), EdgeCounter(WORD_EDGES)
        self._languages = NameCounter()
        self._sample = SmallestHashes()
        self._entries: dict[str, GalleryDocument] = {}
        self._loaders: dict[str, LoadImages] = {}

    def add_partition(self, tables: PartitionTables, *, load_images: LoadImages | None = None) -> None:
        """Count one partition and let its documents into the sample.

        Args:
            tables: The partition. Verdicts are those of all stages together.
            load_images: Reads stored bytes later, for the few documents that stay in the sample to the end; then
                ``tables.images`` need not have ``data``. Without it, thumbnails are made from ``data`` at once.

        Raises:
            CurateError: The verdicts do not fit the documents and items.
        """
        outcomes = resolve(tables.documents, tables.items, tables.verdicts)
        self._funnels.add(outcomes, column(tables.documents, "source"))
        self._count_images(tables, outcomes)
        self._count_texts(tables, outcomes)
        self._offer(tables.documents, outcomes)
        members = self._sample.members()
        self._entries = {doc_id: entry for doc_id, entry in self._entries.items() if doc_id in members}
        self._loaders = {doc_id: loader for doc_id, loader in self._loaders.items() if doc_id in members}
        entered = [doc_id for doc_id in outcomes.doc_ids.to_pylist() if doc_id in members]
        self._entries |= build_entries(tables, entered)
        if load_images is not None:
            self._loaders |= dict.fromkeys(entered, load_images)
        elif tables.images is not None and "data" in tables.images.column_names:
            self._draw(rows_of(tables.images, entered))

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
        """Load the sampled images and return the report's data.

        Args:
            ledger: What ``LedgerCounter.to_dict`` gave.
            title: The run's name.
            facts: Header lines, such as ``{"CLIP": "ViT-L-14 / openai"}``.
            blends: One per shard set, see ``build_blend``.
            truth: Figures measured against known truth.
            training: One loss curve per stage, see ``build_curve``.
        """
        for loader in dict.fromkeys(self._loaders.values()):
            self._draw(loader([doc_id for doc_id, its in self._loaders.items() if its is loader]))
        self._loaders = {}
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
            gallery=self._finish_gallery(),
        )

    def _count_images(self, tables: PartitionTables, outcomes: Outcomes) -> None:
        kept = outcomes.image_reasons.is_null().to_numpy(zero_copy_only=False)
        first = len(outcomes.doc_ids)
        if tables.images is not None and tables.images.num_rows:
            for row in column(tables.images, "status").value_counts().to_pylist():
                self._statuses[row["values"]] = self._statuses.get(row["values"], 0) + row["counts"]
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

    def _draw(self, images: pa.Table | None) -> None:
        """Make the thumbnails of sampled documents; the bytes are not kept."""
        thumbnails: dict[str, dict[int, str | None]] = {}
        if images is not None:
            columns = (column(images, name) for name in ("doc_id", "position", "data"))
            for doc_id, position, data in zip(*columns, strict=True):
                drawn = thumbnails.setdefault(doc_id.as_py(), {})
                if data.is_valid and len(drawn) < _MAX_THUMBNAILS:
                    drawn[position.as_py()] = make_thumbnail(data.as_py())
        for doc_id, drawn in thumbnails.items():
            if doc_id in self._entries:
                self._entries[doc_id] = add_thumbnails(self._entries[doc_id], drawn)

    def _finish_histograms(self) -> tuple[Histogram, ...]:
        found = (
            self._similarity.finish(threshold=self._clip_min),
            self._sizes.finish(title="Image size", unit="shorter side as fetched, px"),
            self._words.finish(title="Words per document", unit="words"),
            self._languages.finish(title="Language", unit="documents"),
        )
        return tuple(histogram for histogram in found if histogram.bins)

    def _finish_gallery(self) -> tuple[GalleryDocument, ...]:
        """Return kept documents first, then by kind and reason."""
        entries = [self._entries[doc_id] for doc_id in order_by_rank(self._entries)]
        order = {str(kind): place for place, kind in enumerate(Kind)}
        return tuple(
            sorted(entries, key=lambda e: (e.reason is not None, order.get(e.kind, len(order)), e.reason or ""))
        )
