"""Counts the tokens of every sample once, and keeps them beside the index in a file that is memory-mapped.

Packing needs exact lengths before anything is read, so each text is tokenised once when a shard set meets a new
tokenizer. The counts do not depend on the sequence length, the tokens per image or the seed: those may change freely.
All ranks and loader processes of a machine share one copy through the page cache, whatever the size of the corpus.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shards.storage import atomic_path
from train_bridge.data.count_summary import CountSummary, counts_path
from train_bridge.data.counting import CountRows, open_counter
from train_bridge.data.index_summary import IndexSummary, summarise_index
from train_bridge.data.kept import find_kept
from train_bridge.data.length_parts import (
    FILE_ROWS,
    LENGTHS,
    count_blocks,
    find_missing,
    kept_parts,
    remove_parts,
)
from train_bridge.tokens.encoder import TextEncoder

ENCODER_KEY = "encoder"
LENGTHS_VERSION = 2
"""Part of every file's name: raise it when the files hold something else."""
LARGE_SET = 10_000
"""Samples from which on starting processes pays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetLengths:
    """Where the lengths of a shard set are, or will be."""

    index: IndexSummary
    path: Path
    kept: Path | None
    """Where they are, counts beside them; None: they are to be counted."""


def find_lengths(folder: str, *, encoder: TextEncoder, cache_dir: str) -> SetLengths:
    """Return where the lengths of a set are; see ``count_lengths``."""
    index = summarise_index(folder, cache_dir=cache_dir)
    key = hashlib.sha256(f"{LENGTHS_VERSION} {index.sha256} {encoder.fingerprint()}".encode()).hexdigest()[:16]
    path = Path(cache_dir) / f"lengths-{key}.arrow"
    kept = [find_kept(folder, name, cache_dir=cache_dir) for name in (path.name, Path(counts_path(str(path))).name)]
    is_kept = kept[0] is not None and kept[1] is not None and kept[0].parent == kept[1].parent
    return SetLengths(index=index, path=path, kept=kept[0] if is_kept else None)


def count_lengths(
    folder: str,
    *,
    encoder: TextEncoder,
    cache_dir: str,
    num_processes: int | None = None,
    block_rows: int = FILE_ROWS,
    tell: Callable[[int, int], None] | None = None,
) -> str:
    """Return the path of the lengths of a shard set, counting them unless they are there.

    The same set and encoder give the same bytes under the same name, so several machines may write it at once. What was
    counted before a kill, or by others, is not counted again.

    Args:
        folder: Of the set.
        encoder: Of its text.
        cache_dir: Where lengths are kept, unless they are beside the set already.
        num_processes: That count; by default all processors for a large set, this process alone for a small one.
        block_rows: Rows that are counted at a time; the bytes of the file depend on it.
        tell: Is told after each block how many samples are counted, of how many.

    Raises:
        ShardError: The folder is no finished shard set.
    """
    found = find_lengths(folder, encoder=encoder, cache_dir=cache_dir)
    if found.kept is not None:
        return str(found.kept)
    index, path = found.index, found.path
    schema = LENGTHS.with_metadata({ENCODER_KEY: encoder.fingerprint()})
    with atomic_path(str(path)) as partial:
        counts = CountSummary(index.num_rows, folder=path.parent)
        with (
            pa.OSFile(str(partial), "wb") as file,
            pa.ipc.new_file(file, schema) as writer,
            _open_counter(folder, encoder, index, num_processes) as count,
        ):
            keep = index.num_rows > block_rows
            rows = (0, index.num_rows)
            for table in count_blocks(folder, count=count, path=path, rows=rows, keep=keep, block_rows=block_rows):
                writer.write_table(table.replace_schema_metadata(schema.metadata))
                counts.add(table)
                if tell is not None:
                    tell(counts.num_rows, index.num_rows)
        counts.write(counts_path(str(path)), shard_starts=[span.first_row for span in index.shards])
    remove_parts(path)
    return str(path)


def missing_rows(folder: str, *, encoder: TextEncoder, cache_dir: str, block_rows: int = FILE_ROWS) -> list[int]:
    """Return the first rows of blocks that are to be counted; none of a set that is one block."""
    found = find_lengths(folder, encoder=encoder, cache_dir=cache_dir)
    if found.kept is not None or found.index.num_rows <= block_rows:
        return []
    return find_missing(folder, path=found.path, num_rows=found.index.num_rows, block_rows=block_rows)


def count_part(
    folder: str, rows: tuple[int, int], *, encoder: TextEncoder, cache_dir: str, block_rows: int = FILE_ROWS
) -> list[Path]:
    """Count some blocks of a set in this process and keep each for ``count_lengths``; return all that are kept here.

    Args:
        folder: Of the set.
        rows: First of the blocks' rows, and the one behind the last.
        encoder: Of its text.
        cache_dir: Where blocks are kept.
        block_rows: Of a block.
    """
    found = find_lengths(folder, encoder=encoder, cache_dir=cache_dir)
    with open_counter(folder, encoder=encoder, num_processes=1) as count:
        for _ in count_blocks(folder, count=count, path=found.path, rows=rows, keep=True, block_rows=block_rows):
            pass
    return kept_parts(found.path)


def _open_counter(
    folder: str, encoder: TextEncoder, index: IndexSummary, num_processes: int | None
) -> AbstractContextManager[CountRows]:
    processes = num_processes or (1 if index.num_rows < LARGE_SET else os.cpu_count() or 1)
    return open_counter(folder, encoder=encoder, num_processes=processes)


def counted_encoder(path: str) -> str:
    """Return the fingerprint of the encoder that counted a file of lengths."""
    with pa.memory_map(path) as file:
        metadata = pa.ipc.open_file(file).schema.metadata or {}
    return str(metadata.get(ENCODER_KEY.encode(), b"").decode())
