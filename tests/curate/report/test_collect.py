from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from curate.contract.errors import CurateError
from curate.report.collect import ReportCollector
from curate.report.data import ReportData, ShownImage
from curate.report.gallery import PartitionTables
from curate.report.ledger import LedgerCounter
from tests.curate.report import tables as make


def finish(collector: ReportCollector, *parts: PartitionTables) -> ReportData:
    counter = LedgerCounter()
    for part in parts:
        counter.add_partition(part.documents, part.items, part.verdicts)
    return collector.finish(ledger=counter.to_dict(), title="t")


def thumbnails(data: ReportData, doc_id: str) -> list[str | None]:
    document = next(document for document in data.gallery if document.doc_id == doc_id)
    return [item.thumbnail for item in document.items if isinstance(item, ShownImage)]


def test_a_partition_is_measured_and_shown() -> None:
    collector = ReportCollector(clip_min=0.25)
    part = make.mixed_partition()
    collector.add_partition(part)
    data = finish(collector, part)
    assert data.statuses == {"ok": 2, "http_404": 1}
    histograms = {h.title: h for h in data.histograms}
    similarity = histograms["Image-text similarity"]
    assert sum(b.kept for b in similarity.bins) == sum(b.rejected for b in similarity.bins) == 1
    assert similarity.threshold_label == "threshold 0.25"
    sizes = {b.label: (b.kept, b.rejected) for b in histograms["Image size"].bins}
    assert (sizes["64"], sizes["300"]) == ((0, 1), (1, 0))
    assert [(b.label, b.kept, b.rejected) for b in histograms["Language"].bins] == [("en", 2, 1), ("de", 0, 1)]
    assert [document.doc_id for document in data.gallery] == ["a", "d", "b", "c"]
    assert all(thumbnails(data, "a"))


def test_bytes_are_loaded_at_the_end_and_for_the_sample_only() -> None:
    asked: list[list[str]] = []

    def load(doc_ids: Sequence[str]) -> pa.Table:
        asked.append(list(doc_ids))
        return make.images({"doc_id": "a", "position": 1, "data": make.jpeg()})

    part = make.mixed_partition(with_data=False)
    collector = ReportCollector()
    collector.add_partition(part, load_images=load)
    assert asked == []
    data = finish(collector, part)
    assert [sorted(ids) for ids in asked] == [["a", "b", "c", "d"]]
    first, second = thumbnails(data, "a")
    assert first is not None
    assert second is None


def many(prefix: str, num: int) -> PartitionTables:
    ids = [f"{prefix}{i}" for i in range(num)]
    return PartitionTables(
        documents=make.documents(*[(doc_id, "s", "pair") for doc_id in ids]),
        items=make.items(**dict.fromkeys(ids, "it")),
        images=make.images(*[{"doc_id": doc_id, "position": 0, "data": make.jpeg()} for doc_id in ids]),
        verdicts=make.verdicts(*[(doc_id, -1, "admit", "text.words") for doc_id in ids[::2]]),
    )


def test_the_sample_is_bounded_and_the_order_of_partitions_does_not_show() -> None:
    parts = [many("x", 40), many("y", 40), many("z", 40)]
    shown = []
    for order in (parts, parts[::-1]):
        collector = ReportCollector(num_kept=5, num_rejected=4)
        for part in order:
            collector.add_partition(part)
        shown.append(finish(collector, *parts))
    assert shown[0] == shown[1]
    outcomes = [document.reason for document in shown[0].gallery]
    assert (outcomes.count(None), outcomes.count("text.words")) == (5, 4)


def test_a_document_stands_for_the_reasons_of_its_images() -> None:
    ids = [f"k{i}" for i in range(30)]
    tables: dict[str, Any] = {
        "documents": make.documents(*[(doc_id, "s", "interleaved") for doc_id in ids]),
        "items": make.items(**dict.fromkeys(ids, "iti")),
        "verdicts": make.verdicts(("k7", 0, "keep", "image.aspect")),
    }
    collector = ReportCollector(num_kept=1)
    collector.add_partition(PartitionTables(**tables))
    assert "k7" in {document.doc_id for document in finish(collector, PartitionTables(**tables)).gallery}


def test_an_empty_run_has_a_report() -> None:
    part = PartitionTables(documents=make.documents(), items=make.items(), verdicts=make.verdicts())
    collector = ReportCollector()
    collector.add_partition(part)
    data = finish(collector, part)
    assert (data.gallery, data.histograms, data.funnels) == ((), (), ())


def test_scores_that_are_null_are_not_counted() -> None:
    part = PartitionTables(
        documents=make.documents(("a", "s", "pair")),
        items=make.items(a="i"),
        clip=make.clip(("a", 0, [])),
        verdicts=make.verdicts(),
    )
    collector = ReportCollector()
    collector.add_partition(part)
    assert finish(collector, part).histograms == ()


def test_verdicts_that_do_not_fit_are_refused() -> None:
    part = make.mixed_partition()
    with pytest.raises(CurateError, match="unknown document"):
        ReportCollector().add_partition(
            PartitionTables(documents=make.documents(), items=make.items(), verdicts=part.verdicts)
        )
