"""Arrow schemas of every table in a run folder, and the check at stage boundaries.

Tables are keyed by ``doc_id`` and ``position``. Positions are those of the ingested document and are renumbered once,
by the shard writer. Within a partition rows stand in input order.
"""

from array import array
from itertools import accumulate
from typing import Any

import pyarrow as pa

from curate.contract.errors import SchemaError

WHOLE_DOCUMENT = -1
"""``position`` of what is said of a document as a whole, not of one of its items."""

DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),  # 16 hex digits
        pa.field("source", pa.string(), nullable=False),  # name in the recipe
        pa.field("kind", pa.string(), nullable=False),  # interleaved | pair | text
        pa.field("url", pa.string()),  # of the page; null where the format has none
        pa.field("meta", pa.string(), nullable=False),  # JSON object, passthrough columns
    ]
)

ITEMS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # 0.. in document order
        pa.field("modality", pa.string(), nullable=False),  # text | image
        pa.field("text", pa.string()),  # text items
        pa.field("role", pa.string()),  # null, or system | user | assistant
        pa.field("image_url", pa.string()),  # image items: absolute URL
        pa.field("alt_text", pa.string()),  # image items
        pa.field(
            "expected_sha256", pa.string()
        ),  # image items: hex hash of the original bytes, where the source says it
    ]
)

OPT_OUT_CHECKS = (
    pa.field("fetched_at", pa.timestamp("ms", "UTC")),  # when the checks below were made, to the second
    pa.field("robots", pa.string()),  # allowed | disallowed | unreachable; null here and below = not checked
    pa.field("x_robots_tag", pa.string()),  # the header as sent, cut; empty if there was none
    pa.field("tdm_reservation", pa.int8()),  # TDMRep: 1 = reserved, 0 = not
    pa.field("content_usage", pa.string()),  # preferences of robots.txt and header, cut; empty if there were none
)
"""What a site said about such use of its content; part of PAGES and IMAGES."""

PAGES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),  # as asked for
        pa.field("final_url", pa.string()),  # after redirects: the base of relative URLs
        pa.field("status", pa.string(), nullable=False),  # FetchStatus
        pa.field("http_status", pa.int32()),
        pa.field("detail", pa.string()),
        pa.field("charset", pa.string()),  # from the Content-Type header, null if not said
        pa.field("data", pa.large_binary()),  # the body, null unless ok
        pa.field("num_bytes", pa.int64()),  # of data
        pa.field("sha256", pa.string()),  # of data
        *OPT_OUT_CHECKS,
    ]
)

HELD_IMAGES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("data", pa.large_binary(), nullable=False),  # as the source holds it
    ]
)
"""Images whose bytes come with the source, and are not fetched."""

IMAGES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("image_url", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # FetchStatus
        pa.field("http_status", pa.int32()),
        pa.field("detail", pa.string()),
        pa.field("data", pa.large_binary()),  # bytes as stored, null unless ok
        pa.field("num_bytes", pa.int64()),  # of data; readable without reading data
        pa.field("image_id", pa.string()),  # sha256 hex of data
        pa.field("format", pa.string()),  # extension of data: jpg | png | gif | webp
        pa.field("width", pa.int32()),  # px, as stored and upright
        pa.field("height", pa.int32()),
        pa.field("original_width", pa.int32()),  # px, upright, before resizing
        pa.field("original_height", pa.int32()),
        pa.field("original_sha256", pa.string()),
        pa.field("original_num_bytes", pa.int64()),
        *OPT_OUT_CHECKS,
    ]
)

TEXT_MEASURES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # WHOLE_DOCUMENT = all its text
        pa.field("lang", pa.string()),  # ISO 639-1 code of fastText lid.176; null where there is no letter
        pa.field("lang_prob", pa.float32()),  # 0..1
        pa.field("num_words", pa.int32(), nullable=False),
        pa.field("num_chars", pa.int32(), nullable=False),
    ]
)

IMAGE_MEASURES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("pdq_hash", pa.binary(32)),  # 256 bits
        pa.field("pdq_quality", pa.int32()),  # 0..100; at most 49 means too plain to compare
    ]
)

CLIP_MEASURES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # of the image item
        pa.field("embedding", pa.list_(pa.float16()), nullable=False),  # unit length, D values
        pa.field("similarity", pa.list_(pa.float16()), nullable=False),  # cosine to each text item, in their order
        pa.field("best_sim", pa.float16()),  # largest of similarity; null without text
        pa.field("alt_sim", pa.float16()),  # cosine to the alt text; null without one
    ]
)

URL_COUNTS = pa.schema(
    [
        pa.field("image_url", pa.string(), nullable=False),
        pa.field("url_count", pa.int64(), nullable=False),  # occurrences in the whole run; URLs seen once are left out
    ]
)

VERDICTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # of an image, or WHOLE_DOCUMENT
        pa.field("stage", pa.string(), nullable=False),  # Stage
        pa.field("reason", pa.string(), nullable=False),  # in ALL_REASONS
        pa.field("detail", pa.string()),  # file and line, doc_id of the duplicate's original, ...
    ]
)

MATCHES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # of a kept image
        pa.field("matched_position", pa.int32()),  # of its text item; null without text or scores
        pa.field("matched_sim", pa.float16()),
    ]
)

POOL = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("num_images", pa.int32(), nullable=False),  # kept ones
        pa.field("num_words", pa.int64(), nullable=False),
        pa.field("num_chars", pa.int64(), nullable=False),
        pa.field("num_bytes", pa.int64(), nullable=False),  # stored image bytes + UTF-8 text
    ]
)

BLEND_ORDER = pa.schema(
    [
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("repeat", pa.int32(), nullable=False),  # 0 for a document's first use
    ]
)
"""One row per sample, in the order of the blend."""

SHARD_INDEX = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),  # unique in the shard set
        pa.field("shard", pa.string(), nullable=False),  # file name
        pa.field("offset", pa.int64(), nullable=False),  # bytes, of the sample's first tar header
        pa.field("num_bytes", pa.int64(), nullable=False),  # from offset to the end of its last padded part
        pa.field(
            "parts",
            pa.list_(
                pa.struct(
                    [
                        pa.field("name", pa.string(), nullable=False),  # "json", "0.jpg", ...
                        pa.field("offset", pa.int64(), nullable=False),  # bytes, of the content in the shard
                        pa.field("num_bytes", pa.int64(), nullable=False),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("num_images", pa.int32(), nullable=False),
        pa.field("num_chars", pa.int64(), nullable=False),
        pa.field("num_words", pa.int64(), nullable=False),
        pa.field("image_widths", pa.list_(pa.int32()), nullable=False),  # px, in the order of parts
        pa.field("image_heights", pa.list_(pa.int32()), nullable=False),
    ]
)


def check_schema(table: pa.Table | pa.RecordBatch, schema: pa.Schema, *, where: str) -> None:
    """Raise SchemaError unless ``table`` has exactly the fields of ``schema``, in order.

    Args:
        table: What a stage is about to write or has read.
        schema: One of this module's constants; metadata is not compared.
        where: Names the boundary in the error, such as ``fetch/images``.
    """
    if not table.schema.equals(schema, check_metadata=False):
        raise SchemaError(f"{where}: expected\n{schema.remove_metadata()}\ngot\n{table.schema.remove_metadata()}")


def table_from_rows(rows: list[dict[str, object]], schema: pa.Schema) -> pa.Table:
    """Build a one-chunk table from row dictionaries; missing keys are null."""
    columns = [
        _large_binary([row.get(field.name) for row in rows])
        if field.type == pa.large_binary()
        else pa.array([row.get(field.name) for row in rows], field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _large_binary(values: list[Any]) -> pa.Array:
    """Return a column made in one piece: Arrow's builder would double its memory again and again."""
    offsets = array("q", accumulate((len(value or b"") for value in values), initial=0))
    is_valid = pa.array([value is not None for value in values], pa.bool_()).buffers()[1]
    data = b"".join(value for value in values if value is not None)
    return pa.Array.from_buffers(pa.large_binary(), len(values), [is_valid, pa.py_buffer(offsets), pa.py_buffer(data)])
