import numpy as np
import pyarrow as pa
import pytest

from curate.blend.pool import MAX_GROUPS, Pool, read_pool
from curate.contract.errors import BlendError, SchemaError
from curate.contract.schemas import POOL
from tests.curate.blend.conftest import id_of, pool_of, pool_rows


def bytes_per_document(pool: Pool) -> float:
    arrays = [value for name in pool.__slots__ if isinstance(value := getattr(pool, name), np.ndarray)]
    return sum(array.nbytes for array in arrays) / pool.num_documents


def test_partitions_follow_each_other() -> None:
    first, second = pool_rows(("coyo", "pair", 3)), pool_rows(("flan", "text", 2), ("web", "interleaved", 1))
    pool = pool_of(first, POOL.empty_table(), second)
    assert pool.num_documents == 6
    assert pool.partitions == ("part-00000", "part-00001", "part-00002")
    assert pool.starts.tolist() == [0, 3, 3, 6]
    assert [pool.group_names[group] for group in pool.groups] == [
        *[("coyo", "pair")] * 3,
        *[("flan", "text")] * 2,
        ("web", "interleaved"),
    ]
    assert pool.hashes.tolist() == first["hash"].to_pylist() + second["hash"].to_pylist()
    assert pool.num_images.tolist() == [1, 1, 1, 0, 0, 1]
    assert pool.num_words.tolist() == [8] * 6
    assert pool.num_chars.tolist() == [40] * 6
    assert pool.num_bytes.tolist() == [1000, 1001, 1002, 1000, 1001, 1000]


def test_tables_of_several_chunks_and_slices_are_read_too() -> None:
    table = pool_rows(("coyo", "pair", 5), ("flan", "text", 5))
    pieces = pa.concat_tables([table.slice(7), table.slice(0, 7)])
    pool, whole = pool_of(pieces.slice(1)), pool_of(table)
    assert pool.hashes.tolist() == [*whole.hashes.tolist()[8:], *whole.hashes.tolist()[:7]]


def test_a_document_takes_thirty_bytes() -> None:
    assert bytes_per_document(pool_of(*[pool_rows(("coyo", "pair", 500), ("flan", "text", 500))] * 9)) < 31


def test_no_tables_are_an_empty_pool() -> None:
    pool = read_pool([])
    assert (pool.num_documents, pool.group_names, pool.starts.tolist()) == (0, (), [0])


def test_tables_are_not_held() -> None:
    """Each may be made anew in the place of the one before."""
    rows = pool_rows(("coyo", "pair", 2))
    data = bytearray(rows["num_bytes"].combine_chunks().buffers()[1].to_pybytes())
    reused = pa.Array.from_buffers(pa.int64(), 2, [None, pa.py_buffer(data)])
    table = rows.set_column(7, POOL.field("num_bytes"), reused)

    def tables() -> list[tuple[str, pa.Table]]:
        return [("first", table)]

    pool = read_pool(tables())
    data[:] = bytes(len(data))
    assert pool.num_bytes.tolist() == [1000, 1001]


def test_a_table_that_is_no_pool_is_refused() -> None:
    with pytest.raises(SchemaError, match="pool of part-00000"):
        pool_of(pa.table({"doc_id": ["a"]}))


@pytest.mark.parametrize(
    ("column", "value"),
    [("num_images", -1), ("num_words", 2**32), ("num_chars", -(2**40)), ("num_chars", 2**40), ("num_bytes", -1)],
)
def test_a_count_that_cannot_be_is_told_with_its_document(column: str, value: int) -> None:
    rows = pool_rows(("coyo", "pair", 3))
    field = POOL.field(column)
    table = rows.set_column(POOL.get_field_index(column), field, pa.array([1, value, 1], field.type))
    with pytest.raises(BlendError, match=f"document {id_of('coyo', 1)} has {column} {value};"):
        pool_of(table)


@pytest.mark.parametrize("column", ["num_words", "num_chars"])
def test_the_largest_count_is_held(column: str) -> None:
    rows = pool_rows(("coyo", "pair", 1))
    table = rows.set_column(POOL.get_field_index(column), POOL.field(column), pa.array([2**32 - 1], pa.int64()))
    assert getattr(pool_of(table), column).tolist() == [2**32 - 1]


def test_more_sources_than_can_be_told_apart_are_an_error() -> None:
    rows = pool_rows(("coyo", "pair", 1)).take([0] * (MAX_GROUPS + 1))
    sources = pa.array([f"s{number}" for number in range(MAX_GROUPS + 1)])
    with pytest.raises(BlendError, match="65,536 sources and kinds"):
        pool_of(rows.set_column(2, POOL.field("source"), sources))
