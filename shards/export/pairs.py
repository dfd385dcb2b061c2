"""Classical image-text tars: ``KEY.jpg``, ``KEY.txt``, ``KEY.json``, as img2dataset writes and open_clip trains from.

Beside each tar stands a Parquet file of the same name with the columns of img2dataset (``key``, ``url``, ``caption``,
...), from which our own ``pairs`` source builds the same pairs again.

Rules. Every image makes one pair. In a document of one image the caption is all its text, one item a line; in a longer
one it is the text matched to the image, and where nothing was matched its alt text. Images with neither are left out,
and so are documents without images; texts that caption no image are counted.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shards.export.matching import NumberedImage, number_items
from shards.export.origins import license_name, said_of_origin
from shards.export.stream import ShardStream
from shards.export.tally import Tally
from shards.export.tars import TarSample, write_tar
from shards.reader import StoredSample
from shards.storage import write_bytes

TEXT_ONLY = "text only"
NO_CAPTION = "neither a matched text nor an alt text"
UNUSED_TEXTS = "texts that caption no image"
CAPTION_BREAKS = "captions of several texts, joined line by line"

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("url", pa.string()),
        pa.field("caption", pa.string()),
        pa.field("status", pa.string()),  # "success", as img2dataset marks what is in the tar
        pa.field("width", pa.int32()),  # px, as stored
        pa.field("height", pa.int32()),
        pa.field("stored_sha256", pa.string()),  # of KEY.jpg; img2dataset's sha256 is of the bytes it downloaded
        pa.field("doc_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("page_url", pa.string()),
        pa.field("similarity", pa.float32()),  # cosine of image and caption, null where unknown
        pa.field("license", pa.string()),  # of the document: id, else address, else words; null where none is stated
    ]
)
_JSON_ONLY = ("alt", "provenance", "license", "meta")


def export_pairs(shards: Iterable[ShardStream], *, out: str, tally: Tally) -> None:
    """Write ``NNNNN.tar`` and ``NNNNN.parquet`` for every shard that has an image."""
    for shard in shards:
        rows: list[dict[str, Any]] = []
        if write_tar(f"{out}/{shard.stem}.tar", _make_samples(shard.samples, rows, tally)):
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), buffer, compression="zstd")
            write_bytes(f"{out}/{shard.stem}.parquet", buffer.getvalue())


def _make_samples(samples: Iterable[StoredSample], rows: list[dict[str, Any]], tally: Tally) -> Iterator[TarSample]:
    for sample in samples:
        for number, row in pair_rows(sample, tally=tally):
            plain = {name: value for name, value in row.items() if name not in _JSON_ONLY}
            rows.append(plain | {"license": license_name(sample.record)})
            yield (
                row["key"],
                {
                    "jpg": sample.images[number],
                    "txt": row["caption"].encode("utf-8", "replace"),
                    "json": json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace"),
                },
            )


def pair_rows(sample: StoredSample, *, tally: Tally) -> list[tuple[int, dict[str, Any]]]:
    """Return (number of the image, its row) for every image of a document that has a caption."""
    texts, images = number_items(sample.record)
    if not images:
        tally.leave_out(sample.record, TEXT_ONLY)
        return []
    captions = _captions(texts, images, tally)
    pairs = [(image, caption) for image, caption in zip(images, captions, strict=True) if caption]
    if not pairs:
        tally.leave_out(sample.record, NO_CAPTION)
        return []
    tally.leave_out_images(len(images) - len(pairs), NO_CAPTION)
    tally.write(num_images=len(pairs), num_records=len(pairs))
    return [(image.number, _row(sample, image, caption)) for image, caption in pairs]


def _captions(texts: Sequence[str], images: Sequence[NumberedImage], tally: Tally) -> list[str | None]:
    if len(images) == 1 and texts:
        tally.change(len(texts) > 1, CAPTION_BREAKS)
        return ["\n".join(texts)]
    matched = {image.matched_text for image in images}
    tally.change(sum(number not in matched for number in range(len(texts))), UNUSED_TEXTS)
    return [image.item["alt"] if image.matched_text is None else texts[image.matched_text] for image in images]


def _row(sample: StoredSample, image: NumberedImage, caption: str) -> dict[str, Any]:
    record: Mapping[str, Any] = sample.record
    row = {
        "key": f"{sample.key}_{image.number}",
        "url": image.item["url"],
        "caption": caption,
        "status": "success",
        "width": image.item["width"],
        "height": image.item["height"],
        "stored_sha256": image.item["sha256"],
        "doc_id": record["doc_id"],
        "source": record["source"],
        "page_url": record["url"],
        "similarity": image.item["matched_sim"],
        "alt": image.item["alt"],
    }
    return row | said_of_origin(record)
