import pyarrow as pa

from pipelines.run.joins import keys_of, look_up, only_documents, with_keys, without_documents, without_keys

ROWS = pa.table({"doc_id": ["b", "a", "b"], "position": pa.array([1, 0, 0], pa.int32())})
OTHER = pa.table(
    {
        "doc_id": ["a", "b"],
        "position": pa.array([0, 1], pa.int32()),
        "value": [[1.0], [2.0, 3.0]],
        "name": ["of a", "of b"],
    }
)


def test_keys_stand_in_the_order_of_rows() -> None:
    assert keys_of(ROWS) == [("b", 1), ("a", 0), ("b", 0)]
    assert keys_of(ROWS.slice(0, 0)) == []


def test_look_up_keeps_the_order_and_carries_lists() -> None:
    found = look_up(ROWS, OTHER, ["value", "name"])
    assert keys_of(found) == keys_of(ROWS)
    assert found["value"].to_pylist() == [[2.0, 3.0], [1.0], None]
    assert found["name"].to_pylist() == ["of b", "of a", None]
    assert found.schema.field("value").type == OTHER.schema.field("value").type


def test_look_up_reads_many_chunks() -> None:
    chunked = pa.concat_tables([OTHER.slice(1), OTHER.slice(0, 1)])
    assert look_up(ROWS, chunked, ["name"])["name"].to_pylist() == ["of b", "of a", None]


def test_look_up_in_nothing_and_of_nothing() -> None:
    assert look_up(ROWS, OTHER.slice(0, 0), ["value"])["value"].null_count == 3
    empty = look_up(ROWS.slice(0, 0), OTHER, ["value"])
    assert empty.num_rows == 0
    assert empty.column_names == ["doc_id", "position", "value"]


def test_rows_are_split_by_key() -> None:
    gone = {("b", 1), ("nobody", 7)}
    assert keys_of(without_keys(ROWS, gone)) == [("a", 0), ("b", 0)]
    assert keys_of(with_keys(ROWS, gone)) == [("b", 1)]
    assert with_keys(ROWS, set()).num_rows == 0
    assert without_keys(ROWS.slice(0, 0), gone).num_rows == 0


def test_documents_are_left_out_and_picked() -> None:
    table = pa.table({"doc_id": ["b", "a", "b"], "n": [1, 2, 3]})
    assert without_documents(table, []) is table
    assert without_documents(table, ["b", "x"])["n"].to_pylist() == [2]
    assert only_documents(table, ["b", "x"])["n"].to_pylist() == [1, 3]
    assert only_documents(table, []).num_rows == 0
