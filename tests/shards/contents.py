import pyarrow as pa

from shards.contents import SetContents


def contents_of(index: pa.Table) -> SetContents:
    """Return what rows of SHARD_INDEX say of their samples."""
    found = SetContents()
    found.add(index)
    return found
