from pathlib import Path

import pytest
from distributed import KilledWorker

from curate.contract.errors import CurateError
from curate.contract.reasons import Stage
from pipelines.engine.deaths import Death
from pipelines.engine.loop import Report
from pipelines.run import tables
from pipelines.run.context import RunContext, load_documents, load_items, load_poison, load_too_large
from pipelines.stages.poison import set_poison_aside
from tests.pipelines.corpus import doc, make_context, set_aside, write_partition
from tests.pipelines.fake_client import FakeClient

P = "mmc4-00000-00000"


def sensitive_stage(context: RunContext, partition: str) -> Report:
    """Some documents kill its worker; it looks at those that it is shown only."""
    if any(doc_id.startswith("deadly") for doc_id in load_items(context, partition)["doc_id"].to_pylist()):
        raise KilledWorker("task", None, 1)
    return Report(stage="sensitive", partition=partition)


def partition_of(tmp_path: Path, *doc_ids: str) -> RunContext:
    context = make_context(tmp_path)
    write_partition(context, P, [doc(doc_id, "text") for doc_id in doc_ids])
    return context


def test_a_document_that_kills_its_worker_is_set_aside(tmp_path: Path) -> None:
    context = partition_of(tmp_path, "a", "deadly", "b", "c", "deadly too")
    set_poison_aside(FakeClient(), context, P, stage=Stage.MEASURE_CLIP, call=sensitive_stage)
    assert load_poison(context, P) == {"deadly": "measure_clip", "deadly too": "measure_clip"}
    assert load_items(context, P)["doc_id"].to_pylist() == ["a", "b", "c"]


def test_what_was_set_aside_before_stays_aside(tmp_path: Path) -> None:
    context = partition_of(tmp_path, "a", "earlier", "deadly")
    set_aside(context, P, "earlier")
    set_poison_aside(FakeClient(), context, P, stage=Stage.MEASURE_CLIP, call=sensitive_stage)
    assert list(load_poison(context, P)) == ["deadly", "earlier"]


def test_without_a_killer_nothing_is_noted(tmp_path: Path) -> None:
    context = partition_of(tmp_path, "a", "b")
    set_poison_aside(FakeClient(), context, P, stage=Stage.MEASURE_CLIP, call=sensitive_stage)
    assert not Path(context.folder.file("poison", f"{P}.json")).exists()


def test_a_partition_without_documents_cannot_be_searched(tmp_path: Path) -> None:
    context = partition_of(tmp_path)
    with pytest.raises(CurateError, match="no documents to set aside"):
        set_poison_aside(FakeClient(), context, P, stage=Stage.MEASURE_CLIP, call=sensitive_stage)


def test_documents_without_items_yet_are_searched_too(tmp_path: Path) -> None:
    """Pages have no items before they are fetched and parsed."""
    context = partition_of(tmp_path, "a", "deadly")
    Path(context.folder.path(tables.ITEMS, P)).unlink()

    def sensitive_fetch(context: RunContext, partition: str) -> Report:
        if "deadly" in load_documents(context, partition)["doc_id"].to_pylist():
            raise KilledWorker("task", None, 1)
        return Report(stage="fetch", partition=partition)

    set_poison_aside(FakeClient(), context, P, stage=Stage.FETCH_PAGES, call=sensitive_fetch)
    assert load_poison(context, P) == {"deadly": "fetch_pages"}


def hungry(monkeypatch: pytest.MonkeyPatch, capacity: int, sizes: dict[str, int]) -> None:
    """Let workers run out of memory when a part is larger than `capacity`; a document is as large as `sizes` says."""

    def call(context: RunContext, partition: str) -> Report:
        doc_ids = load_documents(context, partition)["doc_id"].to_pylist()
        if sum(sizes.get(doc_id, 1) for doc_id in doc_ids) > capacity:
            raise KilledWorker("task", None, 1)
        return Report(stage="hungry", partition=partition)

    monkeypatch.setattr("pipelines.engine.loop.cause_of", lambda *_: Death.MEMORY)
    monkeypatch.setattr(f"{__name__}.hungry_stage", call)


def hungry_stage(context: RunContext, partition: str) -> Report:
    raise NotImplementedError


def search(context: RunContext) -> None:
    set_poison_aside(FakeClient(), context, P, stage=Stage.MEASURE_CLIP, call=hungry_stage, death=Death.MEMORY)


def test_a_partition_that_is_too_large_names_the_remedy_and_blames_no_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = partition_of(tmp_path, *"abcdefgh")
    hungry(monkeypatch, 4, {})
    remedy = (
        r"ran out of memory.*of none alone; raise engine\.memory_limit \(now auto\).*partition_num_docs \(now 1000\)"
    )
    with pytest.raises(CurateError, match=remedy):
        search(context)
    assert load_poison(context, P) == {}


def test_a_document_that_alone_is_too_large_is_set_aside_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = partition_of(tmp_path, *"abcdefgh")
    set_aside(context, P, "a")
    hungry(monkeypatch, 8, {"c": 9})
    search(context)
    assert load_poison(context, P) == {"a": "measure_clip", "c": "measure_clip"}
    assert load_too_large(context, P) == {"c"}


def test_a_worker_that_can_hold_no_document_is_not_the_documents_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = partition_of(tmp_path, *"abcdefgh")
    hungry(monkeypatch, 0, {})
    with pytest.raises(CurateError, match="of many documents each alone; raise"):
        search(context)
    assert load_poison(context, P) == {}
