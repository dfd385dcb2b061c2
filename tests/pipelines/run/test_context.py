import pickle
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
from curate.contract.reasons import Stage
from curate.contract.schemas import URL_COUNTS, table_from_rows
from pipelines.engine.loop import Report
from pipelines.run import tables
from pipelines.run.context import (
    RunContext,
    items_digest,
    load_documents,
    load_items,
    load_poison,
    make_tables,
    stage_fingerprint,
)
from pipelines.run.folder import digest_of
from pipelines.run.tables import Table
from shards.config import ShardsConfig
from tests.pipelines.corpus import Picture, doc, make_context, probe, set_aside, write_partition

P = "mmc4-00000-00000"
COUNTS = Table(place="measure/counts", schema=URL_COUNTS, stage=Stage.COUNT_URLS)


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_partition(made, P, [doc("b", "first", Picture(number=1)), doc("a", "second"), doc("c", "third")])
    return made


def make_counts(context: RunContext, calls: list[int], *, made_from: str = "v1", count: int = 2) -> Report:
    def compute() -> tuple[pa.Table]:
        calls.append(count)
        return (table_from_rows([{"doc_id": "d", "position": 0, "url_count": count}], COUNTS.schema),)

    return make_tables(context, P, COUNTS, made_from=made_from, compute=compute)


def test_the_context_travels_to_workers(context: RunContext) -> None:
    assert pickle.loads(pickle.dumps(context)) == context  # noqa: S301 - our own bytes


def test_tables_are_made_once_and_again_when_their_inputs_change(context: RunContext) -> None:
    calls: list[int] = []
    first = make_counts(context, calls)
    assert first == Report(stage=Stage.COUNT_URLS, partition=P, counters={"counts": 1})
    again = make_counts(context, calls)
    assert (again.skipped, calls) == (True, [2])
    assert not make_counts(context, calls, made_from="v2", count=3).skipped
    assert context.folder.read(COUNTS, P)["url_count"].to_pylist() == [3]
    assert calls == [2, 3]


def test_a_damaged_table_is_made_anew(context: RunContext) -> None:
    calls: list[int] = []
    make_counts(context, calls)
    Path(context.folder.path(COUNTS, P)).write_bytes(b"PAR1")
    assert not make_counts(context, calls).skipped
    assert len(calls) == 2


def test_one_of_two_tables_missing_makes_both_anew(context: RunContext) -> None:
    rows, other = table_from_rows([], COUNTS.schema), replace(COUNTS, place="measure/others")

    def run() -> Report:
        return make_tables(context, P, COUNTS, other, made_from="v1", compute=lambda: (rows, rows))

    assert not run().skipped
    assert run().skipped
    Path(context.folder.path(COUNTS, P)).unlink()
    assert not run().skipped


def test_a_probe_computes_and_writes_nothing(context: RunContext) -> None:
    calls: list[int] = []
    make_counts(probe(context, "a"), calls)
    assert calls == [2]
    assert context.folder.stamp(COUNTS, P) is None
    make_counts(context, calls)
    make_counts(probe(context, "a"), calls)
    assert len(calls) == 3


def test_a_table_of_another_schema_is_refused(context: RunContext) -> None:
    with pytest.raises(SchemaError, match="measure/counts"):
        make_tables(context, P, COUNTS, made_from="v1", compute=lambda: (pa.table({"a": [1]}),))


def test_documents_and_items_stand_in_input_order(context: RunContext) -> None:
    assert load_documents(context, P)["doc_id"].to_pylist() == ["b", "a", "c"]
    assert load_items(context, P)["doc_id"].to_pylist() == ["b", "b", "a", "c"]
    assert load_poison(context, P) == {}


def test_items_of_documents_set_aside_are_gone_and_their_documents_stay(context: RunContext) -> None:
    set_aside(context, P, "b", "c")
    assert list(load_poison(context, P)) == ["b", "c"]
    assert load_items(context, P)["doc_id"].to_pylist() == ["a"]
    assert load_documents(context, P).num_rows == 3


def test_a_probe_sees_its_documents_only(context: RunContext) -> None:
    set_aside(context, P, "c")
    assert load_items(probe(context, "b", "c"), P)["doc_id"].to_pylist() == ["b", "b"]


def test_the_digest_of_items_is_of_what_stages_see(context: RunContext) -> None:
    whole = items_digest(context, P)
    stamp = context.folder.stamp(tables.ITEMS, P)
    assert stamp is not None
    assert whole == stamp.digest == digest_of(load_items(context, P))
    set_aside(context, P, "c")
    assert items_digest(context, P) == digest_of(load_items(context, P)) != whole


def test_the_fingerprint_of_a_stage_takes_models_by_value() -> None:
    config = ShardsConfig(samples=3)
    assert stage_fingerprint("s", 1, config, []) == stage_fingerprint("s", 1, config.model_dump(mode="json"), [])
    assert stage_fingerprint("s", 1, config, []) != stage_fingerprint("s", 1, ShardsConfig(samples=4), [])
