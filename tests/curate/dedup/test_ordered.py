import math

import numpy as np
import pyarrow as pa
import pytest

from curate.dedup import blocks
from curate.dedup.config import DedupConfig, ImageDedupConfig
from curate.dedup.ordered import Duplicate, OrderedDedup

Row = tuple[str, int, str, list[float] | None]
EXACT = DedupConfig()
BOTH = DedupConfig(image=ImageDedupConfig(exact=True, cosine=0.95))
COSINE = DedupConfig(image=ImageDedupConfig(exact=False, cosine=0.95))


def make_candidates(*rows: Row) -> pa.Table:
    doc_ids, positions, image_ids, vectors = zip(*rows, strict=True) if rows else ([], [], [], [])
    halves = [None if vector is None else np.array(vector, np.float16) for vector in vectors]
    return pa.table(
        {
            "doc_id": pa.array(doc_ids, pa.string()),
            "position": pa.array(positions, pa.int32()),
            "image_id": pa.array(image_ids, pa.string()),
            "embedding": pa.array(halves, pa.list_(pa.float16())),
        }
    )


def at(degrees: float) -> list[float]:
    """A direction in the plane: two are similar (0.95) up to 18 degrees apart."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def accept_all(_doc_id: str, _left: list[int]) -> bool:
    return True


def decide(config: DedupConfig, *rows: Row) -> list[tuple[str, str, str]]:
    found = OrderedDedup(config).decide(make_candidates(*rows), accept=accept_all)
    return [(f"{dup.doc_id}:{dup.position}", str(dup.reason), dup.original) for dup in found]


def test_the_first_of_equal_bytes_stays() -> None:
    rows: list[Row] = [("a", 1, "x", None), ("a", 2, "y", None), ("b", 0, "y", None), ("c", 5, "x", None)]
    assert decide(EXACT, *rows) == [("b:0", "dedup.exact", "a:2"), ("c:5", "dedup.exact", "a:1")]


def test_copies_within_a_document_count() -> None:
    assert decide(EXACT, ("a", 1, "x", None), ("a", 3, "x", None)) == [("a:3", "dedup.exact", "a:1")]
    assert decide(BOTH, ("a", 1, "x", at(0)), ("a", 3, "y", at(5))) == [("a:3", "dedup.cosine", "a:1")]


def test_similar_images_of_earlier_documents_and_earlier_calls() -> None:
    dedup = OrderedDedup(BOTH)
    first = make_candidates(("a", 0, "x", at(0)), ("b", 0, "y", at(10)), ("b", 1, "z", at(90)))
    assert [dup.original for dup in dedup.decide(first, accept=accept_all)] == ["a:0"]
    second = make_candidates(("c", 0, "w", at(-10)), ("c", 1, "v", at(100)), ("c", 2, "u", at(180)))
    assert [dup.original for dup in dedup.decide(second, accept=accept_all)] == ["a:0", "b:1"]


def test_a_chain_does_not_pull_in_images_that_are_unlike_what_is_kept() -> None:
    # 0 and 15 are similar, 15 and 30 too, 0 and 30 are not.
    rows: list[Row] = [("a", 0, "x", at(0)), ("b", 0, "y", at(15)), ("c", 0, "z", at(30))]
    assert decide(BOTH, *rows) == [("b:0", "dedup.cosine", "a:0")]


def test_the_most_similar_original_is_named_and_the_first_of_equals() -> None:
    rows: list[Row] = [("a", 0, "x", at(0)), ("b", 0, "y", at(20)), ("c", 0, "z", at(12)), ("d", 0, "w", at(5))]
    assert decide(BOTH, *rows) == [("c:0", "dedup.cosine", "b:0"), ("d:0", "dedup.cosine", "a:0")]
    ties: list[Row] = [("a", 0, "x", [0.96, 0.28]), ("b", 0, "y", [0.96, -0.28]), ("c", 0, "z", [1, 0])]
    assert decide(BOTH, *ties) == [("c:0", "dedup.cosine", "a:0")]


def test_equal_bytes_are_named_before_similarity() -> None:
    rows: list[Row] = [("a", 0, "x", at(0)), ("b", 0, "x", at(0))]
    assert decide(BOTH, *rows) == [("b:0", "dedup.exact", "a:0")]
    assert decide(COSINE, *rows) == [("b:0", "dedup.cosine", "a:0")]


@pytest.mark.parametrize("unusable", [None, [0.0, 0.0], [math.nan, 1.0]])
def test_without_an_embedding_only_bytes_are_compared(unusable: list[float] | None) -> None:
    rows: list[Row] = [("a", 0, "x", unusable), ("b", 0, "y", at(0)), ("c", 0, "z", unusable), ("d", 0, "x", unusable)]
    assert decide(BOTH, *rows) == [("d:0", "dedup.exact", "a:0")]


def test_a_threshold_of_one_finds_equal_embeddings() -> None:
    config = DedupConfig(image=ImageDedupConfig(cosine=1.0))
    vector = list(np.random.default_rng(0).normal(size=300))
    assert decide(config, ("a", 0, "x", vector), ("b", 0, "y", vector)) == [("b:0", "dedup.cosine", "a:0")]


def test_a_refused_document_takes_nothing_from_later_ones() -> None:
    asked: list[tuple[str, list[int]]] = []

    def refuse_b(doc_id: str, left: list[int]) -> bool:
        asked.append((doc_id, left))
        return doc_id != "b"

    rows = make_candidates(
        ("a", 0, "x", at(0)),
        ("b", 0, "x", at(0)),
        ("b", 1, "y", at(90)),
        ("c", 4, "y", at(90)),
        ("c", 6, "z", at(95)),
        ("d", 0, "y", at(90)),
    )
    found = OrderedDedup(BOTH).decide(rows, accept=refuse_b)
    assert asked == [("a", [0]), ("b", [1]), ("c", [4]), ("d", [])]
    assert [(dup.doc_id, dup.position, dup.original) for dup in found] == [
        ("b", 0, "a:0"),
        ("c", 6, "c:4"),
        ("d", 0, "c:4"),
    ]


@pytest.mark.parametrize("config", [EXACT, BOTH])
def test_no_candidates(config: DedupConfig) -> None:
    assert OrderedDedup(config).decide(make_candidates(), accept=accept_all) == []


def planted(num_docs: int) -> list[list[Row]]:
    """Documents of up to four images, many of them copies of earlier ones; directions crowd around the threshold."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(12, 16))
    documents: list[list[Row]] = []
    for doc in range(num_docs):
        rows: list[Row] = []
        for position in range(int(rng.integers(1, 5))):
            vector = centres[rng.integers(12)] + rng.normal(size=16) * rng.choice([0.02, 0.2, 0.3])
            embedding = None if rng.random() < 0.1 else list(vector)
            rows.append((f"d{doc}", position, f"image{rng.integers(num_docs)}", embedding))
        documents.append(rows)
    return documents


def decide_in_batches(documents: list[list[Row]], *, size: int, threads: int = 1) -> list[Duplicate]:
    dedup = OrderedDedup(BOTH, num_threads=threads)
    found: list[Duplicate] = []
    for start in range(0, len(documents), size):
        rows = [row for document in documents[start : start + size] for row in document]
        found += dedup.decide(make_candidates(*rows), accept=lambda doc_id, left: len(left) != 1 or doc_id[-1] != "3")
    return found


def test_how_documents_are_divided_over_calls_changes_nothing() -> None:
    documents = planted(200)
    whole = decide_in_batches(documents, size=len(documents))
    assert {str(dup.reason) for dup in whole} == {"dedup.exact", "dedup.cosine"}
    assert decide_in_batches(documents, size=1) == whole
    assert decide_in_batches(documents, size=7) == whole
    assert decide_in_batches(documents, size=7, threads=2) == whole


def test_what_is_removed_is_similar_to_what_is_kept_and_what_is_kept_is_not() -> None:
    documents = planted(150)
    rows = {f"{doc}:{position}": (image, vector) for document in documents for doc, position, image, vector in document}
    found = OrderedDedup(BOTH).decide(make_candidates(*(row for doc in documents for row in doc)), accept=accept_all)
    removed = {f"{dup.doc_id}:{dup.position}": dup for dup in found}
    unit = {
        name: np.array(vector, np.float16).astype(float) / np.linalg.norm(np.array(vector, np.float16).astype(float))
        for name, (_, vector) in rows.items()
        if vector is not None
    }
    for name, dup in removed.items():
        assert dup.original not in removed
        if dup.reason == "dedup.cosine":
            assert unit[name] @ unit[dup.original] >= 0.95 - 1e-5
        else:
            assert rows[name][0] == rows[dup.original][0]
    kept = np.stack([vector for name, vector in unit.items() if name not in removed])
    assert (np.triu(kept @ kept.T, k=1) < 0.95 + 1e-5).all()


def test_candidates_of_several_blocks() -> None:
    # The same picture again and again, so that copies lie within a block and across its border.
    num_docs = blocks.BLOCK_NUM_IMAGES + 5
    rows: list[Row] = [(f"d{i}", 0, f"image{i}", at(0)) for i in range(num_docs)]
    found = OrderedDedup(BOTH).decide(make_candidates(*rows), accept=accept_all)
    assert len(found) == num_docs - 1
    assert {dup.original for dup in found} == {"d0:0"}
