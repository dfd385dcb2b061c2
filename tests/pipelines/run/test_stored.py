from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from pipelines.run import stored, tables
from pipelines.run.context import RunContext
from pipelines.run.stored import StoredRows, iterate_row_groups, iterate_rows, read_data_of, read_rows, rows_digest
from tests.pipelines.corpus import write
from tests.pipelines.run.stored_images import (
    DOC_IDS,
    P,
    all_rows,
    commit,
    image,
    in_order,
    open_run,
    segment_files,
    shuffled,
)

IMAGES = [image(doc_id, position) for doc_id in DOC_IDS for position in range(3)]
COLUMNS = ["doc_id", "position", "data"]
EXPECTED = [{"doc_id": key[0], "position": key[1], "data": f"{key[0]} {key[1]}".encode()} for key in in_order(IMAGES)]


@pytest.fixture(params=["segments", "whole file"])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> RunContext:
    made = open_run(tmp_path)
    if request.param == "segments":
        commit(made, shuffled(IMAGES, 1, 5))
    else:
        order = in_order(IMAGES)
        rows = sorted(IMAGES, key=lambda row: order.index((row["doc_id"], row["position"])))
        write(made, tables.IMAGES, P, rows)
    return made


def test_rows_stand_in_the_order_of_documents(context: RunContext) -> None:
    rows = read_rows(context, tables.IMAGES, P, columns=["position", "doc_id"])
    assert list(zip(rows["doc_id"].to_pylist(), rows["position"].to_pylist(), strict=True)) == in_order(IMAGES)
    assert read_rows(context, tables.IMAGES, P).column_names == [n for n in tables.IMAGES.schema.names if n != "data"]
    assert rows_digest(context, tables.IMAGES, P) == context.folder.digest(tables.IMAGES, P)


def test_bytes_come_in_bounded_batches(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = list(iterate_rows(context, tables.IMAGES, P, columns=COLUMNS))
    assert len(batches) == 1
    assert all_rows(batches) == EXPECTED
    monkeypatch.setattr(stored, "BATCH_BYTES", 12)  # of 4 each
    monkeypatch.setattr(stored, "CACHE_BYTES", 1)
    batches = list(iterate_rows(context, tables.IMAGES, P, columns=COLUMNS))
    assert [batch.num_rows for batch in batches] == [3, 3, 3, 3]
    assert all_rows(batches) == EXPECTED


def test_only_wanted_rows_are_read(context: RunContext) -> None:
    keys = {("d1", 2), ("d3", 0), ("unknown", 0)}
    batches = list(iterate_rows(context, tables.IMAGES, P, columns=COLUMNS, keys=keys))
    assert all_rows(batches) == [row for row in EXPECTED if (row["doc_id"], row["position"]) in keys]
    assert list(iterate_rows(context, tables.IMAGES, P, columns=COLUMNS, keys=set())) == []
    assert read_data_of(context, tables.IMAGES, P, ["d2", "nobody"]).to_pylist() == [
        row for row in EXPECTED if row["doc_id"] == "d2"
    ]
    assert read_data_of(context, tables.IMAGES, P, []).num_rows == 0


def test_bytes_are_read_slice_by_slice(context: RunContext) -> None:
    keys = {("d1", 2), ("d3", 0)}
    with StoredRows(context.folder, tables.IMAGES, P, columns=["data"], keys=keys) as rows:
        data = rows.data()
        assert len(data) == 2
        assert [bytes(one) for one in data[0:99]] == [b"d3 0", b"d1 2"]
        assert bytes(data[-1]) == b"d1 2"
        assert data[2:] == []


def test_segments_without_a_wanted_row_stay_closed(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    commit(context, [[image("d1", 0)], [image("d2", 0)]])
    segment_files(context)[1].unlink()
    assert len(all_rows(list(iterate_rows(context, tables.IMAGES, P, columns=COLUMNS, keys={("d1", 0)})))) == 1
    with pytest.raises(CurateError, match=r"fetch/images/.*00001-.*cannot be read.*run the same recipe again"):
        list(iterate_rows(context, tables.IMAGES, P, columns=COLUMNS))


def test_failures_have_no_bytes_and_the_last_row_counts(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    again = [image("d1", 0, data=b"new"), image("d2", 0, status="timeout")]
    commit(context, [[image("d1", 0, data=b"old"), image("d3", 0, status="http_404")], again])
    rows = all_rows(list(iterate_rows(context, tables.IMAGES, P, columns=COLUMNS)))
    assert [(row["doc_id"], row["data"]) for row in rows] == [("d3", None), ("d1", b"new"), ("d2", None)]


def test_pages_have_no_position(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    write(
        context,
        tables.PAGES,
        P,
        [{"doc_id": doc_id, "url": "u", "status": "ok", "data": doc_id.encode()} for doc_id in ("d1", "d2")],
    )
    found = all_rows(list(iterate_rows(context, tables.PAGES, P, columns=["doc_id", "data"], keys={("d2",)})))
    assert found == [{"doc_id": "d2", "data": b"d2"}]
    assert sum(group.num_rows for group in iterate_row_groups(context.folder, tables.PAGES, P)) == 2
