"""What a run needs of the index of a shard set as a whole, found by reading it through once and then kept.

The index is read again when its file has changed: by size, time and, where storage knows one, checksum.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from curate.contract.schemas import SHARD_INDEX
from shards.reader import INDEX_NAME
from shards.storage import open_folder, write_bytes
from shards.stream_index import stream_index
from train_bridge.data.kept import find_kept

BLOCK_ROWS = 65_536
NUM_PROBES = 16
CHANGES_WITH = frozenset({"mtime", "created", "ETag", "etag", "LastModified", "Last-Modified", "last_modified"})
"""What storage says of a file that is another one when the file has been written again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardSpan:
    """Neighbouring rows of an index that lie in one shard."""

    name: str
    first_row: int
    end_bytes: int
    """Where the last of them ends in the shard."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexSummary:
    """Of one shard set."""

    sha256: str
    """Of the rows, however the file is written."""
    num_rows: int
    shards: tuple[ShardSpan, ...]
    probes: tuple[dict[str, Any], ...]
    """The first rows of some spans, 16 to 32 of them spread over the set, or of all."""


_ADAPTER = TypeAdapter(IndexSummary)


def summarise_index(folder: str, *, cache_dir: str) -> IndexSummary:
    """Return the summary of a set; read its index unless that was done before.

    Args:
        folder: Of the set.
        cache_dir: Where the summary is kept.

    Raises:
        ShardError: The folder is no finished shard set.
    """
    name = _kept_as(folder)
    kept = find_kept(folder, name, cache_dir=cache_dir) if name is not None else None
    if kept is not None:
        with suppress(ValidationError):  # of another version of this program
            return _ADAPTER.validate_json(kept.read_bytes())
    summary = _summarise(stream_index(folder, num_rows=BLOCK_ROWS))
    if name is not None:
        write_bytes(f"{cache_dir}/{name}", _ADAPTER.dump_json(summary))
    return summary


def _kept_as(folder: str) -> str | None:
    """Return the name of the file that keeps a summary; None if storage does not say when the index was written."""
    file_system, root = open_folder(folder)
    try:
        info = file_system.info(f"{root}/{INDEX_NAME}")
    except FileNotFoundError:
        return None  # reading it says so in better words
    known = {name: str(info[name]) for name in CHANGES_WITH & info.keys()}
    if not known:
        return None
    # The place too: indexes of two sets may be of one size and second, and a cache holds those of all.
    return f"index-{hashlib.sha256(repr((root, info['size'], sorted(known.items()))).encode()).hexdigest()[:16]}.json"


def _summarise(blocks: Iterable[pa.Table]) -> IndexSummary:
    digest, num_rows, spans = hashlib.sha256(), 0, list[ShardSpan]()
    probes, step, num_spans = list[dict[str, Any]](), 1, 0
    for block in blocks:
        for batch in block.to_batches():
            digest.update(pa.record_batch(batch.columns, schema=SHARD_INDEX).serialize())
        for start, stop in _runs(block["shard"]):
            rows = block.slice(start, stop - start)
            name, end_bytes = rows["shard"][0].as_py(), pc.max(pc.add(rows["offset"], rows["num_bytes"])).as_py()
            if spans and spans[-1].name == name:
                last = spans[-1]
                spans[-1] = ShardSpan(name=name, first_row=last.first_row, end_bytes=max(last.end_bytes, end_bytes))
                continue
            spans.append(ShardSpan(name=name, first_row=num_rows + start, end_bytes=end_bytes))
            if num_spans % step == 0:
                probes += rows.slice(0, 1).to_pylist()
            num_spans += 1
            if len(probes) > 2 * NUM_PROBES:
                probes, step = probes[::2], 2 * step
        num_rows += block.num_rows
    return IndexSummary(sha256=digest.hexdigest(), num_rows=num_rows, shards=tuple(spans), probes=tuple(probes))


def _runs(names: pa.ChunkedArray) -> list[tuple[int, int]]:
    """Return the start and stop of each run of equal names."""
    (column,) = names.combine_chunks().chunks if names.num_chunks != 1 else names.chunks
    ends = pc.run_end_encode(column).run_ends.to_pylist()
    return list(zip([0, *ends[:-1]], ends, strict=True))
