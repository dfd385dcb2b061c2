"""MMC4's own format: one JSON object a line, images by URL (https://github.com/allenai/mmc4).

Rules. Every document becomes a record: a text without images one with an empty ``image_info``, images without text one
with an empty ``text_list``. ``matched_text_index`` is the assignment made when the corpus was built; without one (no
CLIP scores) it is the text that follows the image. MMC4 has no field for the natural place of an image, for its alt
text, for a document's origin and licence and for what the source passed through; ``natural_text_index`` (texts before
the image), ``alt_text``, ``provenance``, ``license`` and ``meta`` are added, which readers of MMC4 pass over and ours
takes, so that an export read again gives the same documents. Only an image without a URL cannot be said, and the roles
of a conversation.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shards.export.matching import NumberedImage, number_items
from shards.export.origins import said_of_origin
from shards.export.stream import ShardStream
from shards.export.tally import Tally
from shards.storage import open_atomic

NO_URL = "image without a URL"
ROLES = "turns whose role is dropped"
UNMATCHED = "images without a score, matched to the text that follows"


def export_mmc4(shards: Iterable[ShardStream], *, out: str, tally: Tally) -> None:
    """Write ``NNNNN.jsonl`` for every shard."""
    for shard in shards:
        with open_atomic(f"{out}/{shard.stem}.jsonl") as file:
            for sample in shard.samples:
                record = mmc4_record(sample.record, tally=tally)
                if record is not None:
                    file.write(encode_line(record))


def encode_line(record: Mapping[str, Any]) -> bytes:
    """Return one line of JSON."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace") + b"\n"


def mmc4_record(record: Mapping[str, Any], *, tally: Tally) -> dict[str, Any] | None:
    """Return a document as MMC4 has it, or None if nothing of it can be said.

    ``image_info`` and the rows of the matrix are in natural order.
    """
    texts, images = number_items(record)
    listed = [image for image in images if image.item["url"]]
    if not texts and not listed:
        tally.leave_out(record, NO_URL)
        return None
    tally.leave_out_images(len(images) - len(listed), NO_URL)
    tally.change(count_roles(record), ROLES)
    if texts:
        tally.change(sum(image.matched_text is None for image in listed), UNMATCHED)
    tally.write(num_images=len(listed))
    return record_head(record, texts=texts) | {
        "image_info": [image_entry(image, num_texts=len(texts)) for image in listed],
        "similarity_matrix": [None if image.similarity is None else list(image.similarity) for image in listed],
    }


def record_head(record: Mapping[str, Any], *, texts: Sequence[str]) -> dict[str, Any]:
    """Return the fields that are the document's."""
    head = {"url": record["url"], "text_list": list(texts), "could_have_url_duplicate": 0}
    head |= {"doc_id": record["doc_id"], "kind": record["kind"], "source": record["source"]}
    return head | said_of_origin(record)


def image_entry(image: NumberedImage, *, num_texts: int) -> dict[str, Any]:
    """Return an entry of ``image_info``. Faces were not looked for, so ``face_detections`` is null."""
    fallback = min(image.natural_text, num_texts - 1) if num_texts else None
    entry = {
        "image_name": f"{image.item['sha256'][:12]}.jpg",
        "raw_url": image.item["url"],
        "matched_text_index": fallback if image.matched_text is None else image.matched_text,
        "matched_sim": image.item["matched_sim"],
        "face_detections": None,
        "natural_text_index": image.natural_text,
    }
    return entry | ({"alt_text": image.item["alt"]} if image.item["alt"] else {})


def count_roles(record: Mapping[str, Any]) -> int:
    """Return the number of turns of a conversation."""
    return sum(item.get("role") is not None for item in record["items"])
