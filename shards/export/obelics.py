"""Parquet in the shape of OBELICS (arXiv 2306.16527): natural order, images by URL.

A row has ``images`` and ``texts`` of equal length with exactly one of the two set at each place, ``metadata`` (a JSON
string: a list aligned to them, an object at images) and ``general_metadata`` (a JSON string about the document).

Rules. Every document becomes a row, texts without images too. The original size of an image is not in the shards, so
``original_width`` and ``original_height`` are null; ``stored_width`` and ``stored_height`` say what the shards hold.
Scores stand in ``metadata`` under their own names, which readers of OBELICS pass over. Only an image without a URL
cannot be said, and the roles of a conversation.
"""

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shards.export.mmc4 import NO_URL, ROLES, count_roles
from shards.export.origins import said_of_origin
from shards.export.stream import ShardStream
from shards.export.tally import Tally
from shards.storage import write_bytes

ROW_GROUP_ROWS = 1000
SCHEMA = pa.schema(
    [
        pa.field("images", pa.list_(pa.string())),  # URL, null where a text stands
        pa.field("metadata", pa.string()),  # JSON list, aligned to images
        pa.field("general_metadata", pa.string()),  # JSON object
        pa.field("texts", pa.list_(pa.string())),  # null where an image stands
    ]
)


def export_obelics(shards: Iterable[ShardStream], *, out: str, tally: Tally) -> None:
    """Write ``NNNNN.parquet`` for every shard; the texts of one shard are held in memory."""
    for shard in shards:
        buffer = io.BytesIO()
        with pq.ParquetWriter(buffer, SCHEMA, compression="zstd") as writer:
            rows: list[dict[str, Any]] = []
            for sample in shard.samples:
                row = obelics_row(sample.record, tally=tally)
                rows += [] if row is None else [row]
                if len(rows) == ROW_GROUP_ROWS:
                    writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
                    rows = []
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
        write_bytes(f"{out}/{shard.stem}.parquet", buffer.getvalue())


def obelics_row(record: Mapping[str, Any], *, tally: Tally) -> dict[str, Any] | None:
    """Return a document as a row, or None if nothing of it can be said."""
    listed = [item for item in record["items"] if item["type"] == "text" or item["url"]]
    if not listed:
        tally.leave_out(record, NO_URL)
        return None
    tally.leave_out_images(len(record["items"]) - len(listed), NO_URL)
    tally.change(count_roles(record), ROLES)
    tally.write(num_images=sum(item["type"] == "image" for item in listed))
    general = {"url": record["url"], "doc_id": record["doc_id"], "kind": record["kind"], "source": record["source"]}
    general |= said_of_origin(record)
    metadata = [None if item["type"] == "text" else _image_metadata(item, page_url=record["url"]) for item in listed]
    return {
        "images": [item["url"] if item["type"] == "image" else None for item in listed],
        "metadata": _dump(metadata),
        "general_metadata": _dump(general),
        "texts": [_clean(item["text"]) if item["type"] == "text" else None for item in listed],
    }


def _image_metadata(item: Mapping[str, Any], *, page_url: str | None) -> dict[str, Any]:
    entry = {
        "document_url": page_url,
        "unformatted_src": item["url"],
        "src": item["url"],
        "original_width": None,
        "original_height": None,
        "format": "jpg",
        "stored_width": item["width"],
        "stored_height": item["height"],
        "stored_sha256": item["sha256"],
        "matched_sim": item["matched_sim"],
    }
    return entry | ({"alt_text": item["alt"]} if item["alt"] else {})


def _dump(value: object) -> str:
    return _clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def _clean(text: str) -> str:
    """Replace lone surrogates, which have no UTF-8 form, as the shards' own writer does."""
    return text.encode("utf-8", "replace").decode("utf-8")
