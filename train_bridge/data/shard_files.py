"""Checks before a run that the files of a shard set are those that its index describes."""

from curate.contract.errors import ShardError
from shards.reader import ShardReader
from shards.storage import open_folder
from train_bridge.data.index_summary import IndexSummary


def check_shard_files(folder: str, summary: IndexSummary) -> None:
    """Compare the index of a shard set with its files: the size of all shards, the first sample of some.

    Samples that are corrupt later are skipped one by one; what is checked here is what would lose many at once.

    Args:
        folder: Of the set.
        summary: Of its index.

    Raises:
        ShardError: A shard that is missing or too short, or one that holds other samples; names both.
    """
    wanted: dict[str, int] = {}
    for span in summary.shards:
        wanted[span.name] = max(span.end_bytes, wanted.get(span.name, 0))
    file_system, root = open_folder(folder)
    sizes = {str(entry["name"]).rsplit("/", 1)[-1]: int(entry["size"]) for entry in file_system.ls(root, detail=True)}
    for name in sorted(wanted):
        size = sizes.get(name)
        if size is None:
            raise ShardError(f"{folder}: index.parquet lists {name}, which is not there")
        if size < wanted[name]:
            raise ShardError(f"{folder}: index.parquet wants {wanted[name]:,} bytes of {name}, which has {size:,}")
    with ShardReader(folder) as reader:
        for row in summary.probes:
            try:
                reader.read(row)
            except ShardError as error:
                raise ShardError(f"{folder}: index.parquet and the shards do not belong together: {error}") from error
