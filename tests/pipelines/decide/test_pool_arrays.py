import pyarrow as pa

from curate.blend.queues import hash_doc_ids
from pipelines.decide.pool_arrays import as_pool
from pipelines.run.tables import POOL


def standing(*rows: tuple[str, str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"doc_id": doc_id, "partition": partition, "source": "coyo", "kind": "pair"}
            | {"num_images": 1, "num_words": 2, "num_chars": 9, "num_bytes": number}
            for number, (doc_id, partition) in enumerate(rows)
        ],
        schema=POOL.schema,
    )


def test_documents_keep_their_order_their_hashes_and_their_partitions() -> None:
    pool = as_pool(standing(("q", "p0"), ("a", "p0"), ("z", "p1"), ("b", "p2")))
    assert pool.doc_ids.argsort().tolist() == [1, 3, 0, 2]
    assert pool.hashes.tolist() == hash_doc_ids(["q", "a", "z", "b"]).tolist()
    assert pool.num_bytes.tolist() == [0, 1, 2, 3]
    assert pool.group_names == (("coyo", "pair"),)
    assert pool.partitions == ("p0", "p1", "p2")
    assert pool.starts.tolist() == [0, 2, 3, 4]


def test_a_document_listed_twice_stays_two_of_one_id() -> None:
    assert len(set(as_pool(standing(("a", "p0"), ("b", "p0"), ("a", "p1"))).doc_ids.tolist())) == 2


def test_a_decision_that_leaves_nothing_is_an_empty_pool() -> None:
    assert as_pool(standing()).num_documents == 0
