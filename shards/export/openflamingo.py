"""Tars of MMC4 records with the images inside, as OpenFlamingo's loader reads them.

A sample is ``KEY.json``: an MMC4 record whose ``image_info[i].image_base64`` is the JPEG in plain base64. The loader
(open_flamingo/train/data.py) drops images of fewer than 11,000 bytes, solves the assignment between the others and the
sentences again from ``similarity_matrix`` (it does not read ``matched_text_index``), and keeps the images in row order
while their ``<image>`` marks follow the sentences. So rows are sorted by the sentence that it will find: first the
images that it keeps, by sentence; then those that it leaves without a sentence (more images than sentences); then those
it drops for their size, which other readers of the format take.

Rules. Documents without text, without images or without scores are left out: the loader skips or cannot read them.
Nothing else is; what the loader itself will pass over is counted. Its ``--mmc4_textsim_threshold`` is
30 by default although similarities are cosines: give 0.24.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from shards.export.matching import Matrix, NumberedImage, number_items, order_by_sentence, similarity_matrix
from shards.export.mmc4 import count_roles, encode_line, image_entry, record_head
from shards.export.stream import ShardStream
from shards.export.tally import Tally
from shards.export.tars import TarSample, write_tar
from shards.reader import StoredSample

MIN_IMAGE_BYTES = 11_000
"""``len(bytes) // 1000 <= 10`` is dropped by the loader."""

NO_TEXT = "no text to place images at"
NO_IMAGE = "text only"
NO_SCORES = "images without similarities (built without CLIP)"
SMALL = "images under 11,000 bytes: written, but OpenFlamingo's loader drops them"
SURPLUS = "images beyond the number of sentences: written, but OpenFlamingo's loader drops them"
ROLES = "turns whose role is dropped"


def export_openflamingo(shards: Iterable[ShardStream], *, out: str, tally: Tally) -> None:
    """Write ``NNNNN.tar`` for every shard that has a document to write."""
    for shard in shards:
        write_tar(f"{out}/{shard.stem}.tar", _make_samples(shard.samples, tally))


def _make_samples(samples: Iterable[StoredSample], tally: Tally) -> Iterator[TarSample]:
    for sample in samples:
        record = openflamingo_record(sample, tally=tally)
        if record is not None:
            yield sample.key, {"json": encode_line(record).rstrip(b"\n")}


def openflamingo_record(sample: StoredSample, *, tally: Tally) -> dict[str, Any] | None:
    """Return a document with its images, or None where the loader could not read it."""
    texts, images = number_items(sample.record)
    reason = _find_obstacle(texts, images)
    if reason is not None:
        tally.leave_out(sample.record, reason)
        return None
    rows, matrix = _sort_rows(images, sample, tally=tally, num_texts=len(texts))
    entries = []
    for image in rows:
        data = base64.b64encode(sample.images[image.number]).decode("ascii")
        entries.append(image_entry(image, num_texts=len(texts)) | {"image_base64": data})
    tally.change(count_roles(sample.record), ROLES)
    tally.write(num_images=len(images))
    return record_head(sample.record, texts=texts) | {"image_info": entries, "similarity_matrix": matrix.tolist()}


def _find_obstacle(texts: list[str], images: list[NumberedImage]) -> str | None:
    if not images:
        return NO_IMAGE
    if not texts:
        return NO_TEXT
    return NO_SCORES if all(image.similarity is None for image in images) else None


def _sort_rows(
    images: list[NumberedImage], sample: StoredSample, *, tally: Tally, num_texts: int
) -> tuple[list[NumberedImage], Matrix]:
    """Return images and similarities in the order described above."""
    large = [image for image in images if len(sample.images[image.number]) >= MIN_IMAGE_BYTES]
    small = [image for image in images if len(sample.images[image.number]) < MIN_IMAGE_BYTES]
    tally.change(len(small), SMALL)
    tally.change(max(len(large) - num_texts, 0), SURPLUS)
    rows: list[NumberedImage] = []
    blocks: list[Matrix] = []
    for group in (large, small):
        if group:
            order, matrix = order_by_sentence(similarity_matrix(group, num_texts=num_texts))
            rows += [group[number] for number in order]
            blocks.append(matrix)
    return rows, np.concatenate(blocks)
