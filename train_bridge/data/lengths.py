"""Counts the tokens of every sample once, and keeps them beside the index in a file that is memory-mapped.

Packing needs exact lengths before anything is read, so each text is tokenised once when a shard set meets a new
tokenizer. The counts do not depend on the sequence length, the tokens per image or the seed: those may change freely.
All ranks and loader processes of a machine share one copy through the page cache, whatever the size of the corpus.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from curate.contract.schemas import SHARD_INDEX
from shards.storage import atomic_path
from shards.stream_index import stream_index
from train_bridge.data.count_summary import CountSummary, counts_path
from train_bridge.data.counting import COUNTED, CountRows, open_counter
from train_bridge.data.index_summary import IndexSummary, summarise_index
from train_bridge.data.kept import find_kept
from train_bridge.tokens.encoder import TextEncoder

LENGTHS = pa.schema(
    [
        *SHARD_INDEX,
        *COUNTED,
    ]
)
ENCODER_KEY = "encoder"
LENGTHS_VERSION = 2
"""Part of every file's name: raise it when the files hold something else."""
FILE_ROWS = 65_536
LARGE_SET = 10_000
"""Samples from which on starting processes pays."""


def count_lengths(
    folder: str,
    *,
    encoder: TextEncoder,
    cache_dir: str,
    num_processes: int | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> str:
    """Return the path of the lengths of a shard set, counting them unless they are there.

    The same set and encoder give the same bytes under the same name, so several machines may write it at once. What was
    counted before a kill is not counted again.

    Args:
        folder: Of the set.
        encoder: Of its text.
        cache_dir: Where lengths are kept, unless they are beside the set already.
        num_processes: That count; by default all processors for a large set, this process alone for a small one.
        tell: Is told after each block how many samples are counted, of how many.

    Raises:
        ShardError: The folder is no finished shard set.
    """
    index = summarise_index(folder, cache_dir=cache_dir)
    key = hashlib.sha256(f"{LENGTHS_VERSION} {index.sha256} {encoder.fingerprint()}".encode()).hexdigest()[:16]
    path = Path(cache_dir) / f"lengths-{key}.arrow"
    kept = [find_kept(folder, name, cache_dir=cache_dir) for name in (path.name, Path(counts_path(str(path))).name)]
    if kept[0] is not None and kept[1] is not None and kept[0].parent == kept[1].parent:
        return str(kept[0])
    schema, counts = LENGTHS.with_metadata({ENCODER_KEY: encoder.fingerprint()}), CountSummary(index.num_rows)
    processes = num_processes or (1 if index.num_rows < LARGE_SET else os.cpu_count() or 1)
    with atomic_path(str(path)) as partial:
        with (
            pa.OSFile(str(partial), "wb") as file,
            pa.ipc.new_file(file, schema) as writer,
            open_counter(folder, encoder=encoder, num_processes=processes) as count,
        ):
            for table in _count_blocks(folder, index, count=count, part_of=path):
                writer.write_table(table.replace_schema_metadata(schema.metadata))
                counts.add(table)
                if tell is not None:
                    tell(counts.num_rows, index.num_rows)
        counts.write(counts_path(str(path)), shard_starts=[span.first_row for span in index.shards])
    for part in path.parent.glob(f"{path.name}.part-*"):
        part.unlink(missing_ok=True)
    return str(path)


def counted_encoder(path: str) -> str:
    """Return the fingerprint of the encoder that counted a file of lengths."""
    with pa.memory_map(path) as file:
        metadata = pa.ipc.open_file(file).schema.metadata or {}
    return str(metadata.get(ENCODER_KEY.encode(), b"").decode())


def _count_blocks(folder: str, index: IndexSummary, *, count: CountRows, part_of: Path) -> Iterator[pa.Table]:
    """Count block by block; a block of several is kept in a file of its own until the last is counted."""
    for number, block in enumerate(stream_index(folder, num_rows=FILE_ROWS)):
        part = part_of.with_name(f"{part_of.name}.part-{number * FILE_ROWS}")
        table = _read_part(part)
        if table is None:
            table = pa.table([*block.columns, *count(block).columns], schema=LENGTHS).combine_chunks()
            if index.num_rows > FILE_ROWS:
                with atomic_path(str(part)) as partial, pa.ipc.new_file(str(partial), LENGTHS) as writer:
                    writer.write_table(table)
        yield table


def _read_part(path: Path) -> pa.Table | None:
    """Return a block that was counted before; None if it was not, or another process has just finished the set."""
    try:
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_file(file).read_all()
    except FileNotFoundError:
        return None
