"""Keeps what a written shard told beside the set, so that an interrupted run need not write the shard again."""

import io
import json
from collections.abc import Sequence
from typing import overload

import pyarrow as pa
import pyarrow.parquet as pq

from curate.contract.errors import SchemaError, ShardError
from curate.contract.parquet import read_parquet
from curate.contract.schemas import SHARD_INDEX, check_schema
from shards.storage import open_folder, write_bytes
from shards.writer import ShardResult, make_result

_COUNTS_KEY = b"vila-curate.shard"


def save_result(path: str, result: ShardResult, *, made_from: str) -> None:
    """Write a ShardResult as one Parquet file: the index as rows, the rest as metadata.

    Args:
        path: Local or an fsspec URL.
        result: Of ``write_shard``.
        made_from: Fingerprint of what the shard's samples were made from.
    """
    counts = {
        "name": result.name,
        "num_bytes": result.num_bytes,
        "sha256": result.sha256,
        "licenses": result.licenses,
        "made_from": made_from,
    }
    table = result.index.replace_schema_metadata({_COUNTS_KEY: json.dumps(counts)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_bytes(path, buffer.getvalue())


class StoredResults(Sequence[ShardResult]):
    """What written shards said of themselves, each read when it is asked for."""

    def __init__(self, paths: Sequence[str], *, made_from: str) -> None:
        """Name the files.

        Args:
            paths: That ``save_result`` wrote.
            made_from: See ``load_result``.
        """
        self._paths, self._made_from = paths, made_from

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, place: int) -> ShardResult: ...
    @overload
    def __getitem__(self, place: slice) -> "StoredResults": ...
    def __getitem__(self, place: int | slice) -> "ShardResult | StoredResults":
        if isinstance(place, slice):
            return StoredResults(self._paths[place], made_from=self._made_from)
        return load_result(self._paths[place], made_from=self._made_from)


def load_result(path: str, *, made_from: str) -> ShardResult:
    """Read what ``save_result`` wrote.

    Raises:
        ShardError: No such file, one of another kind, or of a shard that was made from something else.
    """
    file_system, target = open_folder(path)
    try:
        with file_system.open(target, "rb") as file:
            table = read_parquet(file)
        counts = json.loads((table.schema.metadata or {})[_COUNTS_KEY])
        index = table.replace_schema_metadata(None)
        check_schema(index, SHARD_INDEX, where=path)
        told, licenses = counts["made_from"], counts["licenses"]
    except (OSError, pa.ArrowInvalid, KeyError, SchemaError) as error:
        raise ShardError(f"{path}: not the result of a written shard ({error})") from error
    if told != made_from:
        raise ShardError(f"{path}: its shard was made from something else")
    name, num_bytes, sha256 = counts["name"], counts["num_bytes"], counts["sha256"]
    return make_result(index, name=name, num_bytes=num_bytes, sha256=sha256, licenses=licenses)
