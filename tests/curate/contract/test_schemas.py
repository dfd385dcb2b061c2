import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
from curate.contract.schemas import ITEMS, VERDICTS, check_schema, table_from_rows


def test_a_wrong_type_is_named_with_its_place() -> None:
    table = VERDICTS.empty_table().set_column(1, "position", pa.array([], pa.int64()))
    with pytest.raises(SchemaError, match="keep/verdicts"):
        check_schema(table, VERDICTS, where="keep/verdicts")


def test_column_order_counts() -> None:
    with pytest.raises(SchemaError):
        check_schema(ITEMS.empty_table().select(ITEMS.names[::-1]), ITEMS, where="x")


def test_metadata_does_not_count() -> None:
    check_schema(ITEMS.empty_table().replace_schema_metadata({"a": "b"}), ITEMS, where="x")


def test_rows_become_one_chunk_with_nulls_for_missing_keys() -> None:
    rows: list[dict[str, object]] = [{"doc_id": "a", "position": 0, "modality": "text"}] * 3
    table = table_from_rows(rows, ITEMS)
    assert table["text"].null_count == 3
    assert table["text"].num_chunks == 1


def test_binary_columns_are_made_in_one_piece() -> None:
    rows: list[dict[str, object]] = [{"data": data} for data in (b"ab", None, b"", b"c" * 100)]
    column = table_from_rows(rows, pa.schema([pa.field("data", pa.large_binary())]))["data"]
    column.validate(full=True)
    assert column.to_pylist() == [b"ab", None, b"", b"c" * 100]
    assert (column.null_count, column.num_chunks) == (1, 1)
