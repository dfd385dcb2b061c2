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

ORIGIN = pa.struct(
    [
        pa.field("file", pa.string(), nullable=False),  # as the recipe names it; a zip's member after a slash
        pa.field("row", pa.int64(), nullable=False),  # from 1: line, row, WARC response or tar sample
        pa.field("record", pa.int64()),  # from 2, where several records begin on one line
        pa.field("caption", pa.int64()),  # from 2, where a row lists captions
    ]
)
"""Where a document stands in its source."""

LICENSE = pa.struct(
    [
        pa.field("id", pa.string()),  # SPDX id, null where the statement names none that is known
        pa.field("url", pa.string()),  # http(s)
        pa.field("text", pa.string()),  # the statement, at most 200 characters; null where it is an address alone
        pa.field("stated_in", pa.string(), nullable=False),  # such as "a rel=license", "column LICENSE"
    ]
)
"""What a page or a row states; null as a whole where it states nothing."""

DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),  # 16 hex digits
        pa.field("source", pa.string(), nullable=False),  # name in the recipe
        pa.field("kind", pa.string(), nullable=False),  # interleaved | pair | text
        pa.field("url", pa.string()),  # of the page; null where the format has none
        pa.field("meta", pa.string(), nullable=False),  # JSON object, passthrough columns
        pa.field("origin", ORIGIN),  # null for faults, whose verdicts say it
        pa.field("license", LICENSE),  # as the row states it; what a page states is in PAGE_FACTS
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
    pa.field("fetched_at", pa.timestamp("ms", "UTC")),  # to the second; of an archive: as it says, or null
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

PAGE_FACTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("final_url", pa.string()),  # after redirects; null where it is the one asked for
        pa.field("fetched_at", pa.timestamp("ms", "UTC")),  # of PAGES
        pa.field("license", LICENSE),  # as the page states it
    ]
)
"""What is known of a fetched page beside its items."""

HELD_IMAGES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("data", pa.large_binary()),  # as the source holds it, null unless it does
        pa.field("status", pa.string()),  # FetchStatus where there is no data, else null
        pa.field("detail", pa.string()),  # of that status, for a person
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
        pa.field("replacement_ratio", pa.float32(), nullable=False),  # share of U+FFFD among the characters, 0..1
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
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # of the image item
        pa.field("url_count", pa.int64(), nullable=False),  # occurrences in the whole run; URLs seen once are left out
    ]
)

FACTS = pa.schema(
    [
        pa.field("document", pa.int32(), nullable=False),  # row of the document it is about, or that its image is in
        pa.field("position", pa.int32(), nullable=False),  # of an image, or WHOLE_DOCUMENT
        # Of documents; null in the rows of images.
        pa.field("doc_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("fault_stage", pa.string()),  # of what kept it from being read, or set it aside; null: nothing did
        pa.field("fault_reason", pa.string()),
        pa.field("fault_detail", pa.string()),
        *(field.with_nullable(nullable=True) for field in list(TEXT_MEASURES)[2:]),  # of all its text
        pa.field("num_texts", pa.int32()),  # text items
        pa.field("text_num_bytes", pa.int64()),  # UTF-8
        pa.field("text_positions", pa.list_(pa.int32())),
        # Of image items; null in the rows of documents.
        pa.field("image_url", pa.string()),
        pa.field("status", pa.string()),  # FetchStatus; null: never fetched
        pa.field("detail", pa.string()),
        pa.field("num_bytes", pa.int64()),  # as stored
        pa.field("image_id", pa.binary(32)),  # sha256 of the stored bytes
        pa.field("width", pa.int32()),  # px, as stored
        pa.field("height", pa.int32()),
        pa.field("original_width", pa.int32()),  # px, before resizing
        pa.field("original_height", pa.int32()),
        pa.field("original_num_bytes", pa.int64()),
        pa.field("best_sim", pa.float16()),
        pa.field("alt_sim", pa.float16()),
        pa.field("similarity", pa.list_(pa.float16())),  # cosine to each text item, in their order
    ]
)
"""What rules, settling, pool and report read of a partition: its documents' rows, then those of their images."""

MANIFEST = pa.schema(
    [
        pa.field("partition", pa.string(), nullable=False),
        pa.field("num_docs", pa.int64(), nullable=False),
        pa.field("num_images", pa.int64(), nullable=False),  # image items
        pa.field("content", pa.string(), nullable=False),  # fingerprint of all that its samples are made of
        pa.field("facts", pa.string(), nullable=False),  # digest of its FACTS
        pa.field("embeddings", pa.string(), nullable=False),  # digest of its CLIP_MEASURES, empty without
    ]
)
"""The partitions of a run, in input order. The number of a partition is its row here."""

IMAGE_HASHES = pa.schema(
    [
        pa.field("image", pa.int64(), nullable=False),  # number in the run: curate.contract.ids.image_numbers
        pa.field("image_id", pa.binary(32), nullable=False),
    ]
)

EQUAL_IMAGES = pa.schema(
    [
        pa.field("image", pa.int64(), nullable=False),  # number in the run
        pa.field("first", pa.int64(), nullable=False),  # the first image with the same bytes, which may be itself
    ]
)
"""Images whose bytes occur more than once."""

VECTORS = pa.schema(
    [
        pa.field("image", pa.int64(), nullable=False),  # number in the run
        pa.field("is_repeated", pa.bool_(), nullable=False),  # other images have the same bytes
        pa.field("embedding", pa.list_(pa.float16()), nullable=False),
    ]
)
"""Embeddings of images, one for each that differs in its bytes."""

SIMILAR_IMAGES = pa.schema(
    [
        pa.field("first", pa.int64(), nullable=False),  # number in the run
        pa.field("second", pa.int64(), nullable=False),  # larger than first
        pa.field("cosine", pa.float64(), nullable=False),  # of their embeddings
    ]
)

MEMBERS = pa.schema(
    [
        pa.field("image", pa.int64(), nullable=False),  # number in the run
    ]
)
"""Images that are in a pair of images that may be copies."""

STANDING = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("images", pa.list_(pa.int64()), nullable=False),  # numbers of those that stand and are in a pair
        pa.field("positions", pa.list_(pa.int32()), nullable=False),  # of these
        # [k] whether the document stands with k images left, 0 to all that stand now.
        pa.field("stands_with", pa.list_(pa.bool_()), nullable=False),
    ]
)
"""Documents that stand before copies are looked for and have an image in a pair, in input order."""

COPIES = pa.schema(
    [
        pa.field("image", pa.int64(), nullable=False),  # number in the run
        pa.field("reason", pa.string(), nullable=False),  # dedup.*
        pa.field("original", pa.string(), nullable=False),  # the image that stays, DOC_ID:POSITION
    ]
)
"""Images that fall because they are copies of one that stays."""

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
        pa.field("hash", pa.uint64(), nullable=False),  # of the doc_id: all that the order of a blend depends on
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("num_images", pa.int32(), nullable=False),  # kept ones
        pa.field("num_words", pa.int64(), nullable=False),
        pa.field("num_chars", pa.int64(), nullable=False),
        pa.field("num_bytes", pa.int64(), nullable=False),  # stored image bytes + UTF-8 text
    ]
)
"""The documents of a partition that stand."""

BLEND_ORDER = pa.schema(
    [
        pa.field("place", pa.int64(), nullable=False),  # in the shard set, from 0
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),  # of the document in its partition's POOL
        pa.field("repeat", pa.int32(), nullable=False),  # 0 for a document's first use
    ]
)
"""What a shard set takes of one partition: a row per sample, in the order of the set."""

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
