import numpy as np
import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
from curate.dedup.blocks import BLOCK_NUM_IMAGES, split_blocks


def make_candidates(doc_ids: list[str], embeddings: list[list[float] | None] | None = None) -> pa.Table:
    vectors = embeddings or [None] * len(doc_ids)
    return pa.table(
        {
            "doc_id": pa.array(doc_ids, pa.string()),
            "position": pa.array(range(len(doc_ids)), pa.int32()),
            "image_id": pa.array([f"i{i}" for i in range(len(doc_ids))], pa.string()),
            "embedding": pa.array(
                [None if v is None else np.array(v, np.float16) for v in vectors], pa.list_(pa.float16())
            ),
        }
    )


def test_blocks_hold_whole_documents() -> None:
    doc_ids = [f"d{i // 1000}" for i in range(3500)]
    blocks = list(split_blocks(make_candidates(doc_ids), with_vectors=False))
    assert [len(block.candidates) for block in blocks] == [2000, 1500]
    assert [[doc_id for doc_id, _ in block.documents()] for block in blocks] == [["d0", "d1"], ["d2", "d3"]]
    assert [rows[0] for _, rows in blocks[1].documents()] == [0, 1000]


@pytest.mark.parametrize("num_rows", [1, BLOCK_NUM_IMAGES - 1, BLOCK_NUM_IMAGES, BLOCK_NUM_IMAGES + 1])
def test_every_row_is_in_one_block(num_rows: int) -> None:
    blocks = list(split_blocks(make_candidates([f"d{i}" for i in range(num_rows)]), with_vectors=False))
    assert [c.position for block in blocks for c in block.candidates] == list(range(num_rows))
    assert len(blocks) == -(-num_rows // BLOCK_NUM_IMAGES)


def test_no_candidates_give_no_blocks() -> None:
    assert list(split_blocks(make_candidates([]), with_vectors=True)) == []


def test_embeddings_are_read_where_there_are_any() -> None:
    candidates = make_candidates(["a", "a", "b"], [[3, 4], None, [0, 1]])
    (block,) = split_blocks(pa.concat_tables([candidates.slice(0, 1), candidates.slice(1)]), with_vectors=True)
    assert block.usable.tolist() == [True, False, True]
    assert block.vectors == pytest.approx(np.array([[0.6, 0.8], [0, 0], [0, 1]]))
    (without,) = split_blocks(candidates, with_vectors=False)
    assert without.usable.tolist() == [False] * 3


def test_a_block_without_any_embedding() -> None:
    (block,) = split_blocks(make_candidates(["a", "b"]), with_vectors=True)
    assert block.usable.tolist() == [False, False]


def test_embeddings_of_two_models_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"widths \[2, 3\]"):
        list(split_blocks(make_candidates(["a", "b"], [[1, 0], [1, 0, 0]]), with_vectors=True))
