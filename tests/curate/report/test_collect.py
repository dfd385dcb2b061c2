import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from curate.contract.errors import CurateError
from curate.report.collect import _NUM_PER_SOURCE as NUM_PER_SOURCE
from curate.report.collect import ReportCollector, draw_entries
from curate.report.data import ReportData, ShownImage
from curate.report.gallery import PartitionTables
from curate.report.ledger import LedgerCounter
from tests.curate.report import tables as make


def collect(parts: Mapping[str, PartitionTables], **options: Any) -> ReportCollector:
    collector = ReportCollector(**options)
    for name, part in parts.items():
        collector.add_partition(part, partition=name)
    return collector


def finish(collector: ReportCollector, parts: Mapping[str, PartitionTables]) -> ReportData:
    """Draw what is sampled, and finish."""
    counter = LedgerCounter()
    for part in parts.values():
        counter.add_partition(part.documents, part.items, part.verdicts)
    for name, doc_ids in collector.sampled().items():
        collector.add_entries(draw_entries(parts[name], doc_ids))
    return collector.finish(ledger=counter.to_dict(), title="t")


def thumbnails(data: ReportData, doc_id: str) -> list[str | None]:
    document = next(document for document in data.gallery if document.doc_id == doc_id)
    return [item.thumbnail for item in document.items if isinstance(item, ShownImage)]


def test_a_partition_is_measured_and_shown() -> None:
    parts = {"p": make.mixed_partition()}
    data = finish(collect(parts, clip_min=0.25), parts)
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


def test_an_entry_has_thumbnails_of_the_bytes_that_are_there() -> None:
    part = make.mixed_partition()
    gone = make.images({"doc_id": "a", "position": 1, "data": make.jpeg()}, {"doc_id": "a", "position": 3})
    entries = draw_entries(replace(part, images=gone), ["a", "d"])
    assert sorted(entries) == ["a", "d"]
    first, second = (item.thumbnail for item in entries["a"].items if isinstance(item, ShownImage))
    assert first is not None
    assert second is None
    bare = draw_entries(make.mixed_partition(with_data=False), ["a"])
    assert [item.thumbnail for item in bare["a"].items if isinstance(item, ShownImage)] == [None, None]


def test_what_is_sampled_is_asked_for_by_partition() -> None:
    parts = {"q": many("y", 2), "p": many("x", 2)}
    collector = collect(parts)
    assert collector.sampled() == {"p": ["x0", "x1"], "q": ["y0", "y1"]}
    few = collect({name: many(name, 40) for name in ("p", "q")}, num_kept=1, num_rejected=1)
    asked = [doc_id for doc_ids in few.sampled().values() for doc_id in doc_ids]
    assert 2 <= len(asked) <= 2 + 2 * NUM_PER_SOURCE
    assert all(doc_id.startswith(name) for name, doc_ids in few.sampled().items() for doc_id in doc_ids)


def many(prefix: str, num: int) -> PartitionTables:
    ids = [f"{prefix}{i}" for i in range(num)]
    return PartitionTables(
        documents=make.documents(*[(doc_id, "s", "pair") for doc_id in ids]),
        items=make.items(**dict.fromkeys(ids, "it")),
        images=make.images(*[{"doc_id": doc_id, "position": 0, "data": make.jpeg()} for doc_id in ids]),
        verdicts=make.verdicts(*[(doc_id, -1, "admit", "text.words") for doc_id in ids[::2]]),
    )


def test_the_sample_is_bounded_and_the_order_of_partitions_does_not_show() -> None:
    parts = {name: many(name, 40) for name in ("x", "y", "z")}
    shown = [
        finish(collect({name: parts[name] for name in order}, num_kept=5, num_rejected=4), parts)
        for order in ("xyz", "zyx")
    ]
    assert shown[0] == shown[1]
    outcomes = [document.reason for document in shown[0].gallery]
    assert (outcomes.count(None), outcomes.count("text.words")) == (5, 4)


@pytest.mark.parametrize("cut", [("x", "yz", "m"), ("mzyx",), ("", "y", "xm", "z")])
def test_collectors_of_parts_of_a_run_merge_into_that_of_the_run(cut: tuple[str, ...]) -> None:
    parts = {**{name: many(name, 40) for name in ("x", "y", "z")}, "m": make.mixed_partition()}
    whole = collect(parts, clip_min=0.25, num_kept=5, num_rejected=4)
    merged = ReportCollector(clip_min=0.25, num_kept=5, num_rejected=4)
    for names in cut:
        own = {name: parts[name] for name in names}
        merged.merge(pickle.loads(pickle.dumps(collect(own, num_kept=5, num_rejected=4))))  # noqa: S301 - our own
    assert merged.sampled() == whole.sampled()
    data = finish(merged, parts)
    assert data == finish(whole, parts)
    assert {histogram.title for histogram in data.histograms} >= {"Image-text similarity", "Image size", "Language"}


def test_a_document_stands_for_the_reasons_of_its_images() -> None:
    ids = [f"k{i}" for i in range(30)]
    tables: dict[str, Any] = {
        "documents": make.documents(*[(doc_id, "s", "interleaved") for doc_id in ids]),
        "items": make.items(**dict.fromkeys(ids, "iti")),
        "verdicts": make.verdicts(("k7", 0, "keep", "image.aspect")),
    }
    parts = {"p": PartitionTables(**tables)}
    assert "k7" in {document.doc_id for document in finish(collect(parts, num_kept=1), parts).gallery}


def test_an_empty_run_has_a_report() -> None:
    parts = {"p": PartitionTables(documents=make.documents(), items=make.items(), verdicts=make.verdicts())}
    data = finish(collect(parts), parts)
    assert (data.gallery, data.histograms, data.funnels) == ((), (), ())


def test_scores_that_are_null_are_not_counted() -> None:
    part = PartitionTables(
        documents=make.documents(("a", "s", "pair")),
        items=make.items(a="i"),
        clip=make.clip(("a", 0, [])),
        verdicts=make.verdicts(),
    )
    assert finish(collect({"p": part}), {"p": part}).histograms == ()


def test_verdicts_that_do_not_fit_are_refused() -> None:
    part = make.mixed_partition()
    with pytest.raises(CurateError, match="unknown document"):
        ReportCollector().add_partition(
            PartitionTables(documents=make.documents(), items=make.items(), verdicts=part.verdicts), partition="p"
        )
