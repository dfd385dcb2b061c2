"""Images of one partition, committed in segments."""

import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from curate.contract.ids import sha256_hex
from curate.contract.schemas import table_from_rows
from pipelines.run import tables
from pipelines.run.context import RunContext, load_documents
from pipelines.run.segments import SegmentWriter, in_document_order, key_columns, load_segments, write_index
from tests.pipelines.corpus import Row, doc, make_context, write_partition

P = "mmc4-00000-00000"
DOC_IDS = [f"d{number}" for number in (3, 1, 2, 0)]


def image(doc_id: str, position: int, *, data: bytes | None = None, status: str = "ok", url: str = "") -> Row:
    data = f"{doc_id} {position}".encode() if data is None else data
    row: Row = {"doc_id": doc_id, "position": position, "image_url": url or f"{doc_id}/{position}", "status": status}
    return row | ({"data": data, "num_bytes": len(data), "image_id": sha256_hex(data)} if status == "ok" else {})


def open_run(root: Path) -> RunContext:
    """Return a run with documents, and nothing fetched."""
    context = make_context(root)
    write_partition(context, P, [doc(doc_id, "text") for doc_id in DOC_IDS])
    Path(context.folder.path(tables.IMAGES, P)).unlink()
    return context


def commit(context: RunContext, batches: Sequence[Sequence[Row]]) -> None:
    """Write each batch as a segment, and the index."""
    writer = SegmentWriter(context.folder, tables.IMAGES, P, note="policy")
    for batch in batches:
        writer(table_from_rows(list(batch), tables.IMAGES.schema))
    rows, _ = load_segments(context.folder, tables.IMAGES, P)
    rows = in_document_order(rows, load_documents(context, P), key_columns(tables.IMAGES))
    write_index(context.folder, tables.IMAGES, P, rows=rows, made_from="wanted")


def shuffled(rows: Sequence[Row], seed: int, batch_size: int) -> list[list[Row]]:
    rows = random.Random(seed).sample(list(rows), len(rows))
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def in_order(rows: Sequence[Row]) -> list[tuple[str, int]]:
    return sorted(((row["doc_id"], row["position"]) for row in rows), key=lambda key: (DOC_IDS.index(key[0]), key[1]))


def segment_files(context: RunContext) -> list[Path]:
    return sorted(Path(context.folder.path(tables.IMAGES, P)).with_suffix("").iterdir())


def all_rows(batches: Sequence[pa.Table]) -> list[Row]:
    return [row for batch in batches for row in batch.to_pylist()]
