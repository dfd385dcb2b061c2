import numpy as np
import pyarrow as pa

from curate.contract.reasons import Stage
from curate.contract.schemas import FACTS, VERDICTS, table_from_rows
from pipelines.decide.facts import Facts, split_facts
from pipelines.decide.fates import Fates, fate_table, is_missing


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def facts_of(*num_images: int) -> Facts:
    """Return the facts of documents d0, d1, ... with so many images, at positions 1, 3, ..."""
    documents: list[dict[str, object]] = [
        {"document": n, "position": -1, "doc_id": f"d{n}"} for n in range(len(num_images))
    ]
    images: list[dict[str, object]] = [
        {"document": n, "position": 2 * k + 1} for n, count in enumerate(num_images) for k in range(count)
    ]
    return split_facts(table_from_rows([*documents, *images], FACTS))


def test_all_stand_until_they_are_rejected() -> None:
    fates = Fates.open(4)
    assert fates.standing().tolist() == [True] * 4
    fates.reject(rows(2), stage=Stage.INGEST, reasons="ingest.missing_file", details="a.jsonl")
    fates.reject(rows(0, 3), stage=np.array(["s0", "s3"], dtype=object), reasons=np.array(["r0", "r3"], dtype=object))
    assert fates.standing().tolist() == [False, True, False, False]
    assert fates.reasons.tolist() == ["r0", None, "ingest.missing_file", "r3"]
    assert fates.stages.tolist() == ["s0", None, "ingest", "s3"]
    assert fates.details.tolist() == [None, None, "a.jsonl", None]
    fates.reject(rows(), stage=Stage.KEEP, reasons=np.array([], dtype=object))
    assert int(fates.standing().sum()) == 1


def test_rules_reject_rows_that_have_a_reason() -> None:
    fates = Fates.open(5)
    fates.reject_by(rows(4, 1, 3), pa.array(["image.size", None, "image.clip"], pa.string()), stage=Stage.KEEP)
    assert fates.reasons.tolist() == [None, None, None, "image.clip", "image.size"]
    assert fates.stages.tolist() == [None, None, None, "keep", "keep"]
    fates.reject_by(rows(0), pa.nulls(1, pa.string()), stage=Stage.KEEP)
    assert fates.standing().tolist() == [True, True, True, False, False]


def test_what_is_missing_is_none_and_nothing_else() -> None:
    assert is_missing(np.array([None, "", 0, "x", float("nan")], dtype=object)).tolist() == [True, *[False] * 4]
    assert is_missing(np.array([], dtype=object)).tolist() == []


def test_verdicts_stand_in_the_order_of_documents_each_after_those_on_its_images() -> None:
    facts = facts_of(2, 0, 3)
    documents, images = Fates.open(3), Fates.open(5)
    documents.reject(rows(0), stage=Stage.KEEP, reasons="doc.images")
    documents.reject(rows(1), stage=Stage.ADMIT, reasons="text.words", details="why")
    images.reject(rows(4), stage=Stage.DEDUP, reasons="dedup.exact", details="of d0:1")
    images.reject(rows(0, 2), stage=Stage.KEEP, reasons="image.size")
    table = fate_table(facts, documents, images)
    assert table.schema.equals(VERDICTS)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("d0", 1, "keep", "image.size", None),
        ("d0", -1, "keep", "doc.images", None),
        ("d1", -1, "admit", "text.words", "why"),
        ("d2", 1, "keep", "image.size", None),
        ("d2", 5, "dedup", "dedup.exact", "of d0:1"),
    ]


def test_where_all_stand_there_are_no_verdicts() -> None:
    for counts in ((), (2, 1)):
        facts = facts_of(*counts)
        table = fate_table(facts, Fates.open(len(counts)), Fates.open(sum(counts)))
        assert table.equals(VERDICTS.empty_table())
