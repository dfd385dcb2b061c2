import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.contract.errors import SchemaError
from curate.contract.id_numbers import id_number, id_text
from curate.contract.ids import doc_id


@given(st.lists(st.integers(0, 2**64 - 1), max_size=9), st.integers(0, 3))
def test_ids_become_numbers_and_back(values: list[int], start: int) -> None:
    doc_ids = [f"{value:016x}" for value in values]
    numbers = id_number(pa.array(doc_ids, pa.string()).slice(start))
    assert numbers.equals(pa.array(values[start:], pa.uint64()))
    assert id_text(numbers).equals(pa.array(doc_ids[start:], pa.string()))
    assert id_text(pa.array(values, pa.uint64()).slice(start)).to_pylist() == doc_ids[start:]


def test_numbers_sort_as_their_ids_do() -> None:
    doc_ids = sorted(doc_id("a", str(number), "") for number in range(200))
    numbers = id_number(pa.array(doc_ids)).to_pylist()
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    "wrong",
    ["", "5bc92d0fb35057d", "5bc92d0fb35057db0", "5BC92D0FB35057DB", "5bc92d0fb35057db\n", "ébc92d0fb35057d", None],
)
def test_what_is_no_id_has_no_number(wrong: str | None) -> None:
    with pytest.raises(SchemaError, match="is no document id: 16 hex digits"):
        id_number(pa.array(["5bc92d0fb35057db", wrong]))
