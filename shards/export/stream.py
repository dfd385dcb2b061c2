"""Reads a shard set for export: shard by shard, sample by sample, one sample in memory."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.contract.errors import SchemaError, ShardError
from curate.contract.schemas import SHARD_INDEX, check_schema
from shards.export.tally import Tally
from shards.reader import INDEX_NAME, ShardReader, StoredSample
from shards.storage import open_folder

INDEX_BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True)
class ShardStream:
    """The samples of one shard; to be taken before the next shard is."""

    stem: str
    """Name of the tar without its extension; names what is written from it."""
    samples: Iterable[StoredSample]


def stream_shards(folder: str, *, tally: Tally) -> Iterator[ShardStream]:
    """Yield the shards of a set in order. Every sample is counted as read.

    Images are compared with their sha256, so that no altered byte is exported as if it were sound.

    Raises:
        ShardError: No index, an index that does not belong to the tars, or an altered sample.
    """
    with ShardReader(folder) as reader:
        for name, rows in groupby(_index_rows(folder), key=itemgetter("shard")):
            yield ShardStream(name.rpartition(".")[0], _read_samples(reader, rows, tally))


def _read_samples(reader: ShardReader, rows: Iterable[Mapping[str, Any]], tally: Tally) -> Iterator[StoredSample]:
    for row in rows:
        sample = reader.read(row, check_images=True)
        tally.read(sample.record)
        yield sample


def _index_rows(folder: str) -> Iterator[dict[str, Any]]:
    """Yield rows of the index without holding all of it."""
    file_system, root = open_folder(folder)
    path = f"{root}/{INDEX_NAME}"
    try:
        with file_system.open(path, "rb") as file:
            index = pq.ParquetFile(file, pre_buffer=False)
            check_schema(index.schema_arrow.empty_table(), SHARD_INDEX, where=path)
            for batch in index.iter_batches(INDEX_BATCH_ROWS, use_threads=False):
                yield from batch.to_pylist()
    except FileNotFoundError as error:
        raise ShardError(f"{folder}: no {INDEX_NAME} here; is this a finished shard set?") from error
    except (pa.ArrowInvalid, SchemaError) as error:
        raise ShardError(f"{path}: not a readable shard index ({error})") from error
