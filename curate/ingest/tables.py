"""From records to the tables of a partition."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import pyarrow as pa

from curate.contract.ids import doc_id
from curate.contract.reasons import Kind, Stage
from curate.contract.records import Document, Fault, Item, License
from curate.contract.schemas import DOCUMENTS, HELD_IMAGES, ITEMS, check_schema, table_from_rows
from curate.contract.verdicts import Verdict, verdict_table
from curate.ingest.origins import read_origin
from curate.ingest.row_license import row_license

R = TypeVar("R")
MAX_CHUNK_BYTES = 256 << 20
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestTables:
    """What ingest stores of a partition."""

    documents: pa.Table
    """DOCUMENTS: a row per record, faults included."""
    items: pa.Table
    """ITEMS, positions from 0 within each document."""
    verdicts: pa.Table
    """VERDICTS: a row per fault."""
    held: pa.Table
    """HELD_IMAGES: a row per image whose bytes came with its record, or should have."""


def chunk_records(records: Iterable[R], *, num_docs: int, max_bytes: int = MAX_CHUNK_BYTES) -> Iterator[list[R]]:
    """Yield lists of up to ``num_docs`` records in order; none is empty.

    Args:
        records: Of one file.
        num_docs: Of a chunk.
        max_bytes: Pictures and pages in a chunk that come with its records; the record that passes it is the last.
    """
    chunk: list[R] = []
    num_bytes = 0
    for record in records:
        chunk.append(record)
        num_bytes += _held_bytes(record)
        if len(chunk) == num_docs or num_bytes > max_bytes:
            yield chunk
            chunk, num_bytes = [], 0
    if chunk:
        yield chunk


def _held_bytes(record: object) -> int:
    if isinstance(record, Document):
        return sum(len(item.image_bytes or b"") for item in record.items)
    return len(getattr(record, "body", b""))


def build_tables(records: Sequence[Document | Fault], *, source: str, kind: Kind = Kind.INTERLEAVED) -> IngestTables:
    """Build the tables of one partition.

    Args:
        records: Documents and faults in input order.
        source: Name of the source in the recipe.
        kind: Of the source's documents: what a fault counts as, since it does not know itself.
    """
    documents: list[dict[str, object]] = []
    items: list[dict[str, object]] = []
    verdicts: list[Verdict] = []
    held: list[dict[str, object]] = []
    for record in records:
        if isinstance(record, Fault):
            row_id = doc_id(source, "", record.ordinal)
            documents.append({"doc_id": row_id, "source": source, "kind": str(kind), "url": None, "meta": "{}"})
            verdicts.append(
                Verdict(doc_id=row_id, stage=Stage.INGEST, reason=record.reason, detail=clean_text(record.detail))
            )
        else:
            row_id = doc_id(source, record.native_id, record.ordinal)
            documents.append(_document_row(row_id, source, record))
            items.extend(item_rows(row_id, record.items))
            held += _held_rows(row_id, record.items)
    return IngestTables(
        documents=_build(documents, DOCUMENTS, "documents"),
        items=_build(items, ITEMS, "items"),
        verdicts=verdict_table(verdicts),
        held=_build(held, HELD_IMAGES, "images"),
    )


def _held_rows(row_id: str, items: Sequence[Item]) -> Iterator[dict[str, object]]:
    for position, item in enumerate(items):
        key = {"doc_id": row_id, "position": position}
        if item.image_bytes is not None:
            yield key | {"data": item.image_bytes}
        elif item.image_fault is not None:
            fault = item.image_fault
            yield key | {"status": str(fault.status), "detail": clean_text(fault.detail)}


def item_rows(row_id: str, items: Sequence[Item]) -> list[dict[str, object]]:
    """Return the ITEMS rows of one document."""
    return [
        {
            "doc_id": row_id,
            "position": position,
            "modality": str(item.modality),
            "text": clean_text(item.text),
            "role": None if item.role is None else str(item.role),
            "image_url": clean_text(item.image_url),
            "alt_text": clean_text(item.alt_text),
            "expected_sha256": item.expected_sha256,
        }
        for position, item in enumerate(items)
    ]


def clean_text(text: str | None) -> str | None:
    """Replace lone surrogates, which JSON can spell but UTF-8 (and so Arrow) cannot, by U+FFFD."""
    if text is None or text.isascii():
        return text
    return _SURROGATES.sub("\ufffd", text)


def _document_row(row_id: str, source: str, record: Document) -> dict[str, object]:
    meta = json.dumps(record.meta, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return {
        "doc_id": row_id,
        "source": source,
        "kind": str(record.kind),
        "url": clean_text(record.url),
        "meta": clean_text(meta),
        "origin": read_origin(clean_text(record.ordinal) or ""),
        "license": license_cell(record.license or row_license(record.meta)),
    }


def license_cell(stated: License | None) -> dict[str, object] | None:
    """Return a licence as a cell of type LICENSE."""
    return None if stated is None else {name: clean_text(value) for name, value in asdict(stated).items()}


def _build(rows: list[dict[str, object]], schema: pa.Schema, name: str) -> pa.Table:
    table = table_from_rows(rows, schema)
    check_schema(table, schema, where=f"ingest/{name}")
    return table
