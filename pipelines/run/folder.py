"""Paths of a run folder and its atomic, fingerprinted files.

A Parquet file carries two stamps in its metadata. The *fingerprint* says what it was made from: stage, version,
options, digests of its inputs. The *digest* says what it holds. A later stage builds on the digest, so work stops
spreading where a recomputed file turns out the same.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from curate.contract.errors import CurateError
from curate.contract.parquet import read_parquet
from curate.contract.schemas import check_schema
from pipelines.run.tables import Table
from shards.storage import atomic_path, write_bytes

FINGERPRINT_KEY = b"curate.fingerprint"
DIGEST_KEY = b"curate.digest"
NOTE_KEY = b"curate.note"
BYTES_COLUMNS = frozenset({"data"})
BYTES_ROW_GROUP = 64
ROW_GROUP_BYTES = 1_000_000
"""Most rows, and about as many bytes, of a row group where a table holds images or pages: reading one document then
costs a MB, not the file."""
ENDING = ".parquet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """What a written table says of itself."""

    fingerprint: str
    digest: str
    note: str
    """Free text of the stage, such as the policy under which URLs were fetched."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where everything of one run lies; ``root`` is a local path or an fsspec URL."""

    root: str

    def file(self, *parts: str) -> str:
        """Return the path of a file that is no table."""
        return "/".join((self.root, *parts))

    def path(self, table: Table, of: str | None = None) -> str:
        """Return the path of a table of one partition (or shard set), or of the run's one."""
        return f"{self.root}/{table.path(of)}"

    def read(self, table: Table, of: str | None = None, *, columns: list[str] | None = None) -> pa.Table:
        """Read a table; see ``read_table``."""
        return read_table(self.path(table, of), columns=columns)

    def write(
        self,
        table: Table,
        of: str | None = None,
        *,
        rows: pa.Table,
        made_from: str,
        note: str = "",
        digest: str | None = None,
    ) -> None:
        """Write a table; see ``write_table``."""
        write_table(self.path(table, of), rows, schema=table.schema, made_from=made_from, note=note, digest=digest)

    def columns(self, table: Table, of: str | None = None) -> list[str]:
        """Return the names of a table's columns; none where there is no complete file of ours."""
        return read_columns(self.path(table, of))

    def parts(self, table: Table, of: str) -> dict[str, int]:
        """Return the files in the folder that bears the name of a table's file: each name's bytes, sorted by name."""
        file_system, place = fsspec.url_to_fs(self.path(table, of).removesuffix(ENDING))
        file_system.invalidate_cache(place)
        try:
            found = file_system.ls(place, detail=True)
        except FileNotFoundError:
            return {}
        names = {str(entry["name"]).rpartition("/")[2]: int(entry["size"] or 0) for entry in found}
        return {name.removesuffix(ENDING): names[name] for name in sorted(names) if is_part(name)}

    def move(self, table: Table, of: str, to: str) -> None:
        """Give a table's file another place, if it is there."""
        file_system, source = fsspec.url_to_fs(self.path(table, of))
        target = fsspec.url_to_fs(self.path(table, to))[1]
        file_system.makedirs(target.rpartition("/")[0], exist_ok=True)
        with suppress(FileNotFoundError):
            file_system.mv(source, target)

    def stamp(self, table: Table, of: str | None = None) -> Stamp | None:
        """Return a table's stamp, or None where there is no complete file of ours."""
        return read_stamp(self.path(table, of))

    def digest(self, table: Table, of: str | None = None) -> str:
        """Return the digest of an input that an earlier stage must have written.

        Raises:
            CurateError: It is not there.
        """
        stamp = self.stamp(table, of)
        if stamp is None:
            raise CurateError(f"{self.path(table, of)}: missing or damaged; run the same recipe again to make it anew")
        return stamp.digest


def is_part(name: str) -> bool:
    """Return whether a file has been written to its end; what is being written has a hidden name."""
    return name.endswith(ENDING) and not name.startswith(".")


def fingerprint(stage: str, version: int, options: Any, inputs: Sequence[str]) -> str:
    """Return the sha256 of what a stage's output depends on.

    Args:
        stage: Name of the stage.
        version: Raised by its author whenever the same inputs give another output.
        options: JSON-able options.
        inputs: Digests of its inputs, in order.
    """
    text = json.dumps([stage, version, options, list(inputs)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(table: pa.Table) -> str:
    """Return the sha256 of a table's content as one Arrow IPC stream."""
    sink = _HashSink()
    plain = table.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), plain.schema) as writer:
        writer.write_table(plain)
    return sink.sha256.hexdigest()


class _HashSink:
    """A file that keeps the hash of what is written to it."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def write_table(
    path: str, table: pa.Table, *, schema: pa.Schema, made_from: str, note: str = "", digest: str | None = None
) -> Stamp:
    """Write ``table`` atomically and return its stamp.

    Args:
        path: Of the file.
        table: Its rows.
        schema: What they must be like.
        made_from: Fingerprint of all they depend on.
        note: Of the stage.
        digest: Of the content; None takes it of all columns.

    Raises:
        SchemaError: The table does not have ``schema``.
    """
    check_schema(table, schema, where=path)
    stamp = Stamp(fingerprint=made_from, digest=digest_of(table) if digest is None else digest, note=note)
    metadata = {FINGERPRINT_KEY: stamp.fingerprint, DIGEST_KEY: stamp.digest, NOTE_KEY: note}
    with atomic_path(path) as local_path:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            local_path,
            row_group_size=row_group_size(table),
            **parquet_options(table.column_names),
        )
    return stamp


def parquet_options(names: Sequence[str]) -> dict[str, Any]:
    """Return how columns of these names are written: bytes are stored as they are, and not looked into."""
    plain = [name for name in names if name not in BYTES_COLUMNS]
    return {
        "compression": {name: "NONE" if name in BYTES_COLUMNS else "ZSTD" for name in names},
        "use_dictionary": plain if len(plain) < len(names) else True,
        "write_statistics": plain,
    }


def row_group_size(table: pa.Table) -> int | None:
    """Return how many rows make a row group; None leaves it to Arrow, where there are no bytes."""
    if BYTES_COLUMNS.isdisjoint(table.column_names):
        return None
    of_bytes = int(table.num_rows) * ROW_GROUP_BYTES // max(1, int(table.nbytes))
    return max(1, min(BYTES_ROW_GROUP, of_bytes))


def read_table(path: str, *, columns: list[str] | None = None) -> pa.Table:
    """Read a partition's table, without its stamps.

    Raises:
        CurateError: The file is missing or unreadable; it names the file and the remedy.
    """
    try:
        with fsspec.open(path, "rb") as file:
            return read_parquet(file, columns=columns).replace_schema_metadata(None)
    except (OSError, pa.ArrowInvalid) as error:
        raise CurateError(f"{path}: cannot be read ({error}); run the same recipe again to make it anew") from error


def read_stamp(path: str) -> Stamp | None:
    """Return a table's stamp, or None where there is no complete file of ours."""
    try:
        with fsspec.open(path, "rb") as file:
            metadata = pq.read_metadata(file).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    if FINGERPRINT_KEY not in metadata:
        return None
    return Stamp(
        fingerprint=metadata[FINGERPRINT_KEY].decode(),
        digest=metadata[DIGEST_KEY].decode(),
        note=metadata.get(NOTE_KEY, b"").decode(),
    )


def list_names(path: str) -> set[str]:
    """Return the names of what is in a folder; none where there is no folder."""
    file_system, target = fsspec.url_to_fs(path)
    try:
        return {str(one).rstrip("/").rpartition("/")[2] for one in file_system.ls(target, detail=False)}
    except FileNotFoundError:
        return set()


def remove_folder(path: str) -> None:
    """Remove a folder with all that is in it, if it is there."""
    file_system, target = fsspec.url_to_fs(path)
    with suppress(FileNotFoundError):
        file_system.rm(target, recursive=True)


def read_columns(path: str) -> list[str]:
    """Return the names of a table's columns; none where there is no complete file of ours."""
    try:
        with fsspec.open(path, "rb") as file:
            return list(pq.read_schema(file).names)
    except (OSError, pa.ArrowInvalid):
        return []


def write_text(path: str, text: str) -> None:
    """Write a small text file atomically."""
    write_bytes(path, text.encode())


def write_json(path: str, value: Any) -> None:
    """Write JSON atomically, readable by a person."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: str) -> Any:
    """Return the JSON value of a file, or None where there is none."""
    try:
        with fsspec.open(path, "r", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:  # no JSON, or no UTF-8
        raise CurateError(f"{path}: not valid JSON ({error})") from error
