"""Makes a blend's pool of the documents that a decision lists."""

import pyarrow as pa
import pyarrow.compute as pc

from curate.blend.pool import Pool, read_pool
from curate.blend.queues import hash_doc_ids
from curate.contract.schemas import POOL


def as_pool(standing: pa.Table) -> Pool:
    """Return the pool of a run.

    Ids are numbered in their order, whatever they are made of: that is all a blend reads of them beside their hashes.

    Args:
        standing: Table POOL of ``pipelines.run.tables``.
    """
    standing = standing.combine_chunks()
    hashes = hash_doc_ids(standing["doc_id"].to_pylist())
    numbers = pc.rank(standing["doc_id"], tiebreaker="min").cast(pa.uint64())
    rows = standing.drop_columns(["doc_id", "partition"])
    rows = rows.add_column(0, "hash", pa.array(hashes)).add_column(0, "doc_id", numbers).cast(POOL)
    partitions = standing["partition"].to_pylist()
    starts = [row for row in range(len(partitions)) if row == 0 or partitions[row] != partitions[row - 1]]
    ends = [*starts, len(partitions)][1:]
    return read_pool(
        (partitions[start], rows.slice(start, end - start)) for start, end in zip(starts, ends, strict=True)
    )
