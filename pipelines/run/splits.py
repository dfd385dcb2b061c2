"""Split files: rows divided by who will read them, each part read alone.

They are how tasks hand rows to one another without a table of the whole corpus: a task writes one file with a part for
every reader, and a reader takes its part of every file, as in the shuffle of MapReduce. On disk it is an Arrow IPC file
with one record batch per part, so that a part is found through the footer.
"""

from collections.abc import Sequence
from itertools import pairwise

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.contract.errors import CurateError
from curate.contract.schemas import check_schema
from shards.storage import atomic_path

MADE_FROM = b"curate.fingerprint"
COMPRESSION = "lz4"
"""Parts are small and read once: zstd takes a dozen times as long, and saves nothing where there are many parts."""


def write_split(
    path: str, rows: pa.Table, parts: npt.NDArray[np.integer], *, num_parts: int, schema: pa.Schema, made_from: str
) -> None:
    """Write rows divided into parts, atomically; within a part they keep their order.

    Args:
        path: Local or an fsspec URL.
        rows: Of ``schema``.
        parts: [N] the part of each row, 0 to ``num_parts`` - 1.
        num_parts: Parts of the file; some may be empty.
        schema: Of every part.
        made_from: Fingerprint of what the rows were made from.

    Raises:
        SchemaError: The rows have another schema.
    """
    check_schema(rows, schema, where=path)
    order = np.argsort(parts, kind="stable")
    sorted_rows = rows.take(pa.array(order)).combine_chunks()
    edges = np.searchsorted(parts[order], np.arange(num_parts + 1))
    marked = schema.with_metadata({MADE_FROM: made_from})
    options = pa.ipc.IpcWriteOptions(compression=COMPRESSION, use_threads=False)  # workers have one CPU
    with atomic_path(path) as local_path, pa.ipc.new_file(str(local_path), marked, options=options) as writer:
        for start, stop in pairwise(edges.tolist()):
            part = sorted_rows.slice(start, stop - start)
            batches = part.to_batches() or [pa.RecordBatch.from_pylist([], schema=schema)]
            writer.write_batch(batches[0].replace_schema_metadata(marked.metadata))


def read_part(path: str, part: int) -> pa.Table:
    """Return the rows of one part.

    Raises:
        CurateError: The file is missing or damaged.
    """
    try:
        with fsspec.open(path, "rb") as file:
            reader = pa.ipc.open_file(file)
            return pa.Table.from_batches([reader.get_batch(part)]).replace_schema_metadata(None)
    except (OSError, pa.ArrowException, IndexError, ValueError) as error:
        raise CurateError(f"{path}: cannot be read ({error}); remove it and run again to make it anew") from error


def read_parts(paths: Sequence[str], part: int, *, schema: pa.Schema) -> pa.Table:
    """Return the rows of one part of several files, one file's after the other's."""
    return pa.concat_tables([schema.empty_table(), *(read_part(path, part) for path in paths)])


def read_all(paths: Sequence[str], *, schema: pa.Schema) -> pa.Table:
    """Return the rows of all parts of several files.

    Raises:
        CurateError: A file is missing or damaged.
    """
    found = [schema.empty_table()]
    for path in paths:
        try:
            with fsspec.open(path, "rb") as file:
                found.append(pa.ipc.open_file(file).read_all().replace_schema_metadata(None))
        except (OSError, pa.ArrowException, ValueError) as error:
            raise CurateError(f"{path}: cannot be read ({error}); remove it and run again to make it anew") from error
    return pa.concat_tables(found)


def is_split_written(path: str, made_from: str) -> bool:
    """Say whether a split file is there, whole and made from this."""
    try:
        with fsspec.open(path, "rb") as file:
            metadata = pa.ipc.open_file(file).schema.metadata or {}
    except (OSError, pa.ArrowException, ValueError):
        return False
    return bool(metadata.get(MADE_FROM, b"").decode() == made_from)
