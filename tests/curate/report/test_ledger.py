import copy
import json
from typing import Any

import pyarrow as pa
import pytest

from curate.contract.errors import CurateError
from curate.contract.reasons import IngestReason, Stage
from curate.contract.schemas import VERDICTS, table_from_rows
from curate.contract.verdicts import Verdict, verdict_table
from curate.report.gallery import PartitionTables
from curate.report.ledger import LedgerCounter, check_ledger
from tests.curate.report import tables as make


def count(*parts: PartitionTables, sources: tuple[str, ...] = ()) -> dict[str, Any]:
    counter = LedgerCounter(sources=sources)
    for part in parts:
        counter.add_partition(part.documents, part.items, part.verdicts)
    return counter.to_dict()


def test_a_partition_is_counted_per_source() -> None:
    ledger = count(make.mixed_partition(), sources=("pages", "empty"))
    assert list(ledger["sources"]) == ["pages", "empty", "caps", "flan"]
    assert ledger["sources"]["pages"] == {
        "kind": "interleaved",
        "documents": {"in": 2, "kept": 1, "rejected": {"doc.images": 1}},
        "images": {"in": 3, "kept": 1, "rejected": {"fetch.http_404": 1, "image.clip": 1}},
    }
    assert ledger["sources"]["caps"]["images"] == {"in": 1, "kept": 0, "rejected": {"doc.rejected": 1}}
    assert ledger["sources"]["empty"] == {
        "documents": {"in": 0, "kept": 0, "rejected": {}},
        "images": {"in": 0, "kept": 0, "rejected": {}},
    }
    assert ledger["totals"]["documents"] == {"in": 4, "kept": 2, "rejected": {"doc.images": 1, "text.language": 1}}
    assert check_ledger(json.loads(json.dumps(ledger))) == []


def test_a_source_of_several_kinds_names_none() -> None:
    docs = make.documents(("a", "s", "text"), ("b", "s", "pair"))
    part = PartitionTables(documents=docs, items=make.items(), verdicts=make.verdicts())
    assert "kind" not in count(part)["sources"]["s"]


def fault_partition(prefix: str, num: int) -> PartitionTables:
    ids = [f"{prefix}{i:02d}" for i in range(num)]
    rows: list[dict[str, object]] = [
        {
            "doc_id": doc_id,
            "position": -1,
            "stage": "ingest",
            "reason": "ingest.malformed_record",
            "detail": f"f.jsonl line {doc_id}",
        }
        for doc_id in ids
    ]
    return PartitionTables(
        documents=make.documents(*[(doc_id, "s", "pair") for doc_id in ids]),
        items=make.items(),
        verdicts=table_from_rows(rows, VERDICTS),
    )


def test_faults_are_listed_up_to_a_cap_and_all_counted() -> None:
    ledger = count(fault_partition("b", 15), fault_partition("a", 15))
    assert ledger["num_faults"] == 30
    assert len(ledger["faults"]) == 20
    assert ledger["faults"][0] == {
        "source": "s",
        "reason": "ingest.malformed_record",
        "detail": "f.jsonl line a00",
    }


def test_the_order_of_partitions_does_not_show() -> None:
    parts = [fault_partition("b", 15), make.mixed_partition(), fault_partition("a", 15)]
    assert json.dumps(count(*parts)) == json.dumps(count(*reversed(parts)))


def test_counters_of_parts_of_a_run_merge_into_that_of_the_run() -> None:
    parts = [fault_partition("b", 15), make.mixed_partition(), fault_partition("a", 15), fault_partition("c", 3)]
    merged = LedgerCounter(sources=("pages", "empty"))
    for own in (parts[2:], parts[:1], parts[1:2], []):
        counter = LedgerCounter()
        for part in own:
            counter.add_partition(part.documents, part.items, part.verdicts)
        merged.merge(counter)
    whole = count(*parts, sources=("pages", "empty"))
    assert json.dumps(merged.to_dict()) == json.dumps(whole)
    assert (whole["num_faults"], len(whole["faults"])) == (33, 20)
    assert check_ledger(whole) == []


def test_a_fault_without_detail_names_its_document() -> None:
    part = PartitionTables(
        documents=make.documents(("a", "s", "pair")),
        items=make.items(a="i"),
        verdicts=make.verdicts(("a", -1, "measure_clip", "engine.poison")),
    )
    assert count(part)["faults"] == [{"source": "s", "reason": "engine.poison", "detail": "document a"}]


def test_a_refused_partition_is_not_counted_in_part() -> None:
    part = make.mixed_partition()
    counter = LedgerCounter()
    wrong = pa.concat_tables([part.verdicts, make.verdicts(("zz", -1, "admit", "text.words"))])
    with pytest.raises(CurateError, match="zz"):
        counter.add_partition(part.documents, part.items, wrong)
    assert counter.to_dict()["sources"] == {}


def test_every_broken_sum_is_found() -> None:
    ledger = count(make.mixed_partition())
    broken = copy.deepcopy(ledger)
    broken["sources"]["pages"]["images"]["kept"] += 1
    assert check_ledger(broken) == ["source pages, images: 3 in, but 2 kept + 2 rejected"]
    broken = copy.deepcopy(ledger)
    broken["totals"]["documents"] = {"in": 5, "kept": 3, "rejected": {"doc.images": 1, "text.language": 1}}
    assert check_ledger(broken) == ["totals, documents: not the sum of the sources"]
    broken = copy.deepcopy(ledger)
    for counts in (broken["sources"]["caps"]["documents"], broken["totals"]["documents"]):
        counts["rejected"]["text.mood"] = counts["rejected"].pop("text.language")
    assert [fault.split(":")[1] for fault in check_ledger(broken)] == [" unknown reason 'text.mood'"] * 2


def test_equal_sums_with_other_reasons_are_found() -> None:
    ledger = count(make.mixed_partition())
    rejected = ledger["totals"]["documents"]["rejected"]
    rejected["text.words"] = rejected.pop("text.language")
    assert check_ledger(ledger) == ["totals, documents: not the sum of the sources"]


@pytest.mark.parametrize(
    "ledger",
    [
        {},
        {"sources": [], "totals": {}},
        {"sources": {"s": None}, "totals": {}},
        {"sources": {"s": {"documents": {"in": 1}, "images": 3}}, "totals": {"documents": {"rejected": {}}}},
        {"sources": {}, "totals": {"documents": {"in": -1, "kept": -1, "rejected": {}}, "images": None}},
        {"sources": {}, "totals": {"documents": {"in": True, "kept": 1, "rejected": {}}, "images": None}},
    ],
)
def test_a_malformed_ledger_is_a_fault_not_an_exception(ledger: dict[str, Any]) -> None:
    assert check_ledger(ledger)


def test_faults_are_in_the_order_of_their_numbers() -> None:
    numbers = [100, 9, 10, 1, 99]
    docs = make.documents(*((f"d{number}", "a", "pair") for number in numbers))
    verdicts = [
        Verdict(
            doc_id=f"d{number}",
            stage=Stage.INGEST,
            reason=IngestReason.MALFORMED_RECORD,
            detail=f"part-2.csv:{number}: bad",
        )
        for number in numbers
    ]
    counter = LedgerCounter(sources=["a"], max_faults=4)
    counter.add_partition(docs, make.items(), verdict_table(verdicts))
    details = [fault["detail"] for fault in counter.to_dict()["faults"]]
    assert details == [f"part-2.csv:{number}: bad" for number in (1, 9, 10, 99)]
