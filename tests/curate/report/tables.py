"""Small partitions for the report's tests."""

import io
from typing import Any

import pyarrow as pa
from PIL import Image

from curate.contract.schemas import (
    CLIP_MEASURES,
    DOCUMENTS,
    IMAGES,
    ITEMS,
    MATCHES,
    TEXT_MEASURES,
    VERDICTS,
    table_from_rows,
)
from curate.report.gallery import PartitionTables

Row = dict[str, Any]


def documents(*rows: tuple[str, str, str]) -> pa.Table:
    """Rows (doc_id, source, kind)."""
    made: list[Row] = [{"doc_id": d, "source": s, "kind": k, "url": f"http://h/{d}", "meta": "{}"} for d, s, k in rows]
    return table_from_rows(made, DOCUMENTS)


def items(**layout: str) -> pa.Table:
    """One string per document: ``t`` is a text item, ``i`` an image item."""
    rows: list[Row] = []
    for doc_id, letters in layout.items():
        for position, letter in enumerate(letters):
            row: Row = {"doc_id": doc_id, "position": position, "modality": "text" if letter == "t" else "image"}
            extra = {"text": f"sentence {position}"} if letter == "t" else {"image_url": f"http://h/{position}.jpg"}
            rows.append(row | extra)
    return table_from_rows(rows, ITEMS)


def verdicts(*rows: tuple[str, int, str, str]) -> pa.Table:
    """Rows (doc_id, position, stage, reason)."""
    names = ("doc_id", "position", "stage", "reason")
    return table_from_rows([dict(zip(names, row, strict=True)) for row in rows], VERDICTS)


def images(*rows: Row) -> pa.Table:
    made: list[Row] = [{"image_url": "http://h/x.jpg", "status": "ok", **row} for row in rows]
    return table_from_rows(made, IMAGES)


def clip(*rows: tuple[str, int, list[float]]) -> pa.Table:
    """Rows (doc_id, position, similarities)."""
    # Halves, quarters and the like are exact in float16.
    made: list[dict[str, object]] = [
        {"doc_id": d, "position": p, "embedding": [1.0], "similarity": sims, "best_sim": max(sims, default=None)}
        for d, p, sims in rows
    ]
    return table_from_rows(made, CLIP_MEASURES)


def text(*rows: tuple[str, int, str | None]) -> pa.Table:
    """Rows (doc_id, num_words, lang), of whole documents."""
    made: list[Row] = [
        {"doc_id": d, "position": -1, "lang": lang, "num_words": n, "num_chars": n * 5, "replacement_ratio": 0.0}
        for d, n, lang in rows
    ]
    return table_from_rows(made, TEXT_MEASURES)


def matches(*rows: tuple[str, int, int | None, float | None]) -> pa.Table:
    names = ("doc_id", "position", "matched_position", "matched_sim")
    return table_from_rows([dict(zip(names, row, strict=True)) for row in rows], MATCHES)


def jpeg(width: int = 40, height: int = 30, colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


def mixed_partition(*, with_data: bool = True) -> PartitionTables:
    """A kept page, a page without an image left, a rejected pair and a text."""
    rows: list[Row] = [
        {"doc_id": "a", "position": 1, "original_width": 400, "original_height": 300, "data": jpeg()},
        {"doc_id": "a", "position": 3, "original_width": 90, "original_height": 80, "data": jpeg(colour="blue")},
        {"doc_id": "b", "position": 0, "status": "http_404", "detail": "404 <b>Not Found</b>"},
    ]
    table = images(*rows)
    return PartitionTables(
        documents=documents(
            ("a", "pages", "interleaved"), ("b", "pages", "interleaved"), ("c", "caps", "pair"), ("d", "flan", "text")
        ),
        items=items(a="titi", b="it", c="it", d="tt"),
        images=table if with_data else table.drop_columns(["data"]),
        clip=clip(("a", 1, [0.75, 0.25]), ("a", 3, [0.125, 0.0])),
        text=text(("a", 12, "en"), ("b", 3, "en"), ("c", 4, "de"), ("d", 60, "en")),
        verdicts=verdicts(
            ("a", 3, "keep", "image.clip"),
            ("b", 0, "fetch_images", "fetch.http_404"),
            ("b", -1, "keep", "doc.images"),
            ("c", -1, "admit", "text.language"),
        ),
        matches=matches(("a", 1, 2, 0.25)),
    )
