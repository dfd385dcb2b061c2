import pickle
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
from curate.contract.schemas import URL_COUNTS, table_from_rows
from pipelines.engine.loop import Report
from pipelines.run.context import (
    RunContext,
    items_digest,
    load_documents,
    load_items,
    load_poison,
    make_tables,
    only_documents,
    stage_fingerprint,
    without_documents,
)
from pipelines.run.folder import digest_of, read_stamp, read_table, write_json
from shards.config import ShardsConfig
from tests.pipelines.corpus import Picture, doc, make_context, write_partition

P = "mmc4-00000-00000"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_partition(made, P, [doc("b", "first", Picture(number=1)), doc("a", "second"), doc("c", "third")])
    return made


def set_aside(context: RunContext, *doc_ids: str) -> None:
    write_json(context.folder.file("poison", f"{P}.json"), {"doc_ids": list(doc_ids)})


def make_counts(context: RunContext, calls: list[int], *, made_from: str = "v1", count: int = 2) -> Report:
    def compute() -> dict[str, pa.Table]:
        calls.append(count)
        return {"counts": table_from_rows([{"image_url": "u", "url_count": count}], URL_COUNTS)}

    return make_tables(context, "measure", P, made_from=made_from, schemas={"counts": URL_COUNTS}, compute=compute)


def test_the_context_travels_to_workers(context: RunContext) -> None:
    assert pickle.loads(pickle.dumps(context)) == context  # noqa: S301 - our own bytes


def test_tables_are_made_once_and_again_when_their_inputs_change(context: RunContext) -> None:
    calls: list[int] = []
    first = make_counts(context, calls)
    assert first == Report(stage="measure/counts", partition=P, counters={"counts": 1})
    again = make_counts(context, calls)
    assert (again.skipped, calls) == (True, [2])
    assert not make_counts(context, calls, made_from="v2", count=3).skipped
    assert read_table(context.folder.table("measure", "counts", P))["url_count"].to_pylist() == [3]
    assert calls == [2, 3]


def test_a_damaged_table_is_made_anew(context: RunContext) -> None:
    calls: list[int] = []
    make_counts(context, calls)
    Path(context.folder.table("measure", "counts", P)).write_bytes(b"PAR1")
    assert not make_counts(context, calls).skipped
    assert len(calls) == 2


def test_one_of_two_tables_missing_makes_both_anew(context: RunContext) -> None:
    table = table_from_rows([], URL_COUNTS)

    def run() -> Report:
        return make_tables(
            context,
            "measure",
            P,
            made_from="v1",
            schemas={"x": URL_COUNTS, "y": URL_COUNTS},
            compute=lambda: {"x": table, "y": table},
        )

    assert not run().skipped
    assert run().skipped
    Path(context.folder.table("measure", "x", P)).unlink()
    assert not run().skipped


def test_a_probe_computes_and_writes_nothing(context: RunContext) -> None:
    calls: list[int] = []
    make_counts(replace(context, only=("a",)), calls)
    assert calls == [2]
    assert read_stamp(context.folder.table("measure", "counts", P)) is None
    make_counts(context, calls)
    make_counts(replace(context, only=("a",)), calls)
    assert len(calls) == 3


def test_a_table_of_another_schema_is_refused(context: RunContext) -> None:
    with pytest.raises(SchemaError, match="measure/counts"):
        make_tables(
            context,
            "measure",
            P,
            made_from="v1",
            schemas={"counts": URL_COUNTS},
            compute=lambda: {"counts": pa.table({"a": [1]})},
        )


def test_documents_and_items_stand_in_input_order(context: RunContext) -> None:
    assert load_documents(context, P)["doc_id"].to_pylist() == ["b", "a", "c"]
    assert load_items(context, P)["doc_id"].to_pylist() == ["b", "b", "a", "c"]
    assert load_poison(context, P) == []


def test_items_of_documents_set_aside_are_gone_and_their_documents_stay(context: RunContext) -> None:
    set_aside(context, "b", "c")
    assert load_poison(context, P) == ["b", "c"]
    assert load_items(context, P)["doc_id"].to_pylist() == ["a"]
    assert load_documents(context, P).num_rows == 3


def test_a_probe_sees_its_documents_only(context: RunContext) -> None:
    set_aside(context, "c")
    assert load_items(replace(context, only=("b", "c")), P)["doc_id"].to_pylist() == ["b", "b"]


def test_the_digest_of_items_is_of_what_stages_see(context: RunContext) -> None:
    whole = items_digest(context, P)
    stamp = read_stamp(context.folder.table("ingest", "items", P))
    assert stamp is not None
    assert whole == stamp.digest == digest_of(load_items(context, P))
    set_aside(context, "c")
    assert items_digest(context, P) == digest_of(load_items(context, P)) != whole


def test_documents_are_left_out_and_picked() -> None:
    table = pa.table({"doc_id": ["b", "a", "b"], "n": [1, 2, 3]})
    assert without_documents(table, []) is table
    assert without_documents(table, ["b", "x"])["n"].to_pylist() == [2]
    assert only_documents(table, ["b", "x"])["n"].to_pylist() == [1, 3]
    assert only_documents(table, []).num_rows == 0


def test_the_fingerprint_of_a_stage_takes_models_by_value() -> None:
    config = ShardsConfig(samples=3)
    assert stage_fingerprint("s", 1, config, []) == stage_fingerprint("s", 1, config.model_dump(mode="json"), [])
    assert stage_fingerprint("s", 1, config, []) != stage_fingerprint("s", 1, ShardsConfig(samples=4), [])
