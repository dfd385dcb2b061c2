"""Rows of any supported file, its format told by the extension."""

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from curate.contract.records import Fault
from curate.ingest.files.delimited import read_delimited
from curate.ingest.files.faults import READ_ERRORS, describe_error, file_fault, missing_fault
from curate.ingest.files.jsonlines import read_json_lines, read_words
from curate.ingest.files.lines import read_lines
from curate.ingest.files.parquet_rows import read_parquet_rows
from curate.ingest.files.row import Row
from curate.ingest.files.streams import gunzip, list_members, open_binary, strip_compression

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_JSON_EXTENSIONS = frozenset({"jsonl", "ndjson", "json"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FileLayout:
    """What a type of source says about its files beyond their extension."""

    default_format: str
    """``txt`` or ``jsonl``: taken where the extension is none of the known ones."""
    word_columns: Sequence[str] = ()
    """Names of the fields of a txt line; empty where txt makes no sense."""


def read_rows(path: str, *, label: str, layout: FileLayout) -> Iterator[Row | Fault]:
    """Yield the rows of one file in order; what cannot be read is a fault and nothing raises.

    Args:
        path: Local path or fsspec URL; ``.gz`` and ``.zip`` are decompressed, all members of a zip are read.
        label: Names the file in ordinals and faults.
        layout: Of the source's type.
    """
    name, compression = strip_compression(path)
    try:
        with open_binary(path) as stream:
            if compression == "zip":
                yield from _read_archive(stream, name=name, label=label, layout=layout)
            else:
                content = gunzip(stream) if compression == "gz" else stream
                yield from _read_stream(content, name=name, label=label, layout=layout)
    except FileNotFoundError:
        yield missing_fault(label)
    except READ_ERRORS as error:
        yield file_fault(label, describe_error(error))


def _read_archive(stream: IO[bytes], *, name: str, label: str, layout: FileLayout) -> Iterator[Row | Fault]:
    with zipfile.ZipFile(stream) as archive:
        members = list_members(archive)
        if not members:
            yield file_fault(label, "a zip without files")
        num_seen: Counter[str] = Counter()
        for member in members:
            num_seen[member.filename] += 1
            # A zip may hold a name twice; what tells documents apart must not.
            again = f" ({num_seen[member.filename]})" if num_seen[member.filename] > 1 else ""
            member_label = f"{label}/{member.filename}{again}"
            # `a.jsonl.zip` may hold a file called just `a`.
            member_name = member.filename if _format(member.filename, "") else name
            try:
                with archive.open(member) as content:
                    yield from _read_stream(content, name=member_name, label=member_label, layout=layout)
            except READ_ERRORS as error:
                yield file_fault(member_label, describe_error(error))


def _read_stream(stream: IO[bytes], *, name: str, label: str, layout: FileLayout) -> Iterator[Row | Fault]:
    extension = _format(name, layout.default_format)
    if extension == "parquet":
        yield from read_parquet_rows(stream, label=label)
        return
    lines = read_lines(stream, label=label)
    if extension in _DELIMITERS:
        yield from read_delimited(lines, label=label, delimiter=_DELIMITERS[extension])
    elif extension == "txt" and layout.word_columns:
        yield from read_words(lines, columns=layout.word_columns)
    else:
        yield from read_json_lines(lines, label=label)


def _format(name: str, default: str) -> str:
    extension = name.rpartition(".")[2].lower()
    known = extension in {"parquet", "txt"} or extension in _DELIMITERS or extension in _JSON_EXTENSIONS
    return extension if known else default
