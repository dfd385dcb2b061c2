"""A measured run folder of any size, drawn from numbers alone: a partition does not need to know the others.

Every document has 3 images and 8 texts. Of the images 10 % have the bytes of an earlier one and 5 % are near copies of
one; which, and what an image is like, follows from its number. All those of even numbers are originals, so that
what a copy is like is known without looking further back.
"""

import functools
import hashlib
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from curate.contract.ids import sha256_hex
from curate.contract.reasons import FetchStatus, Kind, Modality, Stage
from curate.contract.schemas import (
    CLIP_MEASURES,
    DOCUMENTS,
    IMAGES,
    ITEMS,
    TEXT_MEASURES,
    VERDICTS,
    WHOLE_DOCUMENT,
    table_from_rows,
)
from pipelines.decide.facts_table import gather_facts
from pipelines.engine.loop import Report
from pipelines.run import tables
from pipelines.run.context import RunContext

Ints = npt.NDArray[np.int64]

NUM_IMAGES, NUM_TEXTS, WIDTH = 3, 8, 512
"""Of a document, of a document, and of an embedding."""
EXACT_SHARE, NEAR_SHARE, FAILED_SHARE = 0.10, 0.05, 0.05
NOISE = 0.2
"""Length of what a near copy differs by: a cosine of 0.98."""
NUM_PICTURES = 64
"""That are drawn; the number of an image behind its end makes its bytes its own."""
WORDS = (
    "harbour",
    "lantern",
    "of",
    "the",
    "quiet",
    "river",
    "carries",
    "morning",
    "light",
    "over",
    "stone",
    "and",
    "reed",
)
WORDS_A_TEXT = 14
SOURCES = ("news", "guides", "pairs")


def make_partition(context: RunContext, name: str, number: int, num_docs: int) -> Report:
    """Write every table of a partition, as the measuring stages leave them, and its facts.

    Args:
        context: The run.
        name: Of the partition.
        number: Of the partition.
        num_docs: Of every partition.
    """
    doc_ids = [hashlib.sha256(f"{number} {row}".encode()).hexdigest()[:16] for row in range(num_docs)]
    rng = np.random.default_rng(number)
    images = np.arange(num_docs * NUM_IMAGES) + number * num_docs * NUM_IMAGES
    origins, is_near = choose_origins(images, rng)
    rows = {
        tables.DOCUMENTS: _documents(doc_ids, name),
        tables.INGEST_VERDICTS: VERDICTS.empty_table(),
        tables.ITEMS: _items(doc_ids, images, rng),
        tables.TEXT_MEASURES: _texts(doc_ids),
        tables.IMAGES: _images(doc_ids, images, np.where(is_near, images, origins), rng),
    }
    if context.recipe.clip is not None:  # embeddings take most of the time and room
        rows[tables.CLIP_MEASURES] = _scores(doc_ids, images, origins, is_near, rng)
    for table, made in rows.items():
        context.folder.write(table, name, rows=made, made_from="drawn")
    report = gather_facts(context, name)
    return Report(stage=Stage.GATHER_FACTS, partition=name, counters=report.counters, made=report.made)


def choose_origins(images: Ints, rng: np.random.Generator) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return the image that each is made from, itself or an earlier original, and which are near copies of that."""
    draw = rng.random(len(images)) / 2  # only every other image may be a copy
    is_copied = (draw < EXACT_SHARE + NEAR_SHARE) & (images % 2 == 1)
    earlier = (rng.random(len(images)) * ((images + 1) // 2)).astype(np.int64) * 2
    return np.where(is_copied, earlier, images), is_copied & (draw >= EXACT_SHARE)


def _positions(num_docs: int) -> tuple[Ints, Ints]:
    """Return positions of images and of texts of each document: an image, then texts, and so on."""
    of_images = np.tile(np.arange(NUM_IMAGES) * (NUM_TEXTS // NUM_IMAGES + 1), num_docs)
    every = np.arange(NUM_IMAGES + NUM_TEXTS)
    return of_images, np.tile(np.setdiff1d(every, of_images[:NUM_IMAGES]), num_docs)


def _documents(doc_ids: list[str], name: str) -> pa.Table:
    rows: list[dict[str, object]] = [
        {
            "doc_id": doc_id,
            "source": name.partition("-")[0],
            "kind": str(Kind.INTERLEAVED),
            "meta": "{}",
            "origin": {"file": f"{name}.jsonl", "row": row},
        }
        for row, doc_id in enumerate(doc_ids, start=1)
    ]
    return table_from_rows(rows, DOCUMENTS)


def _items(doc_ids: list[str], images: Ints, rng: np.random.Generator) -> pa.Table:
    num_docs, num_items = len(doc_ids), NUM_IMAGES + NUM_TEXTS
    image_positions, _ = _positions(1)
    is_image = np.tile(np.isin(np.arange(num_items), image_positions), num_docs)
    words = np.array(WORDS)[rng.integers(len(WORDS), size=(num_docs * NUM_TEXTS, WORDS_A_TEXT))]
    texts = iter([" ".join(row) for row in words.tolist()])
    urls = iter([f"https://host{image % 5000}.example/{image:x}.jpg" for image in images.tolist()])
    columns: dict[str, Any] = {
        "doc_id": np.repeat(np.array(doc_ids, dtype=object), num_items),
        "position": np.tile(np.arange(num_items), num_docs),
        "modality": [str(Modality.IMAGE) if one else str(Modality.TEXT) for one in is_image.tolist()],
        "text": [None if one else next(texts) for one in is_image.tolist()],
        "image_url": [next(urls) if one else None for one in is_image.tolist()],
    }
    return _table(ITEMS, num_docs * num_items, columns)


def _texts(doc_ids: list[str]) -> pa.Table:
    num_docs, each = len(doc_ids), NUM_TEXTS + 1
    _, positions = _positions(1)
    scale = np.array([NUM_TEXTS, *[1] * NUM_TEXTS])
    columns: dict[str, Any] = {
        "doc_id": np.repeat(np.array(doc_ids, dtype=object), each),
        "position": np.tile([WHOLE_DOCUMENT, *positions.tolist()], num_docs),
        "lang": ["en"] * (num_docs * each),
        "lang_prob": np.full(num_docs * each, 0.9, np.float32),
        "num_words": np.tile(scale * WORDS_A_TEXT, num_docs),
        "num_chars": np.tile(scale * WORDS_A_TEXT * 6, num_docs),
        "replacement_ratio": np.zeros(num_docs * each, np.float32),
    }
    return _table(TEXT_MEASURES, num_docs * each, columns)


def _images(doc_ids: list[str], images: Ints, bytes_of: Ints, rng: np.random.Generator) -> pa.Table:
    is_ok = rng.random(len(images)) >= FAILED_SHARE
    pictures = [
        _picture(image % NUM_PICTURES) + image.to_bytes(8) if ok else None
        for image, ok in zip(bytes_of.tolist(), is_ok, strict=True)
    ]
    sides = rng.integers(90, 1200, size=(len(images), 2))
    positions, _ = _positions(len(doc_ids))
    columns: dict[str, Any] = {
        "doc_id": np.repeat(np.array(doc_ids, dtype=object), NUM_IMAGES),
        "position": positions,
        "image_url": [f"https://host{image % 5000}.example/{image:x}.jpg" for image in images.tolist()],
        "status": [str(FetchStatus.OK if ok else FetchStatus.HTTP_404) for ok in is_ok],
        "data": pictures,
        "num_bytes": [None if one is None else len(one) for one in pictures],
        "image_id": [None if one is None else sha256_hex(one) for one in pictures],
        "format": ["jpg" if ok else None for ok in is_ok],
        **{name: _where(is_ok, np.full(len(images), 64)) for name in ("width", "height")},
        "original_width": _where(is_ok, sides[:, 0]),
        "original_height": _where(is_ok, sides[:, 1]),
        "original_num_bytes": _where(is_ok, np.full(len(images), 40_000)),
    }
    return _table(IMAGES, len(images), columns)


def _scores(
    doc_ids: list[str], images: Ints, origins: Ints, is_near: npt.NDArray[np.bool_], rng: np.random.Generator
) -> pa.Table:
    vectors = np.stack([_embedding(origin) for origin in origins.tolist()])
    noise = rng.standard_normal(vectors.shape, dtype=np.float32)
    noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors[is_near] += noise[is_near]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = rng.uniform(0.1, 0.4, size=(len(images), NUM_TEXTS)).astype(np.float16)
    positions, _ = _positions(len(doc_ids))
    columns: dict[str, Any] = {
        "doc_id": np.repeat(np.array(doc_ids, dtype=object), NUM_IMAGES),
        "position": positions,
        "embedding": _lists(vectors.astype(np.float16)),
        "similarity": _lists(similarity),
        "best_sim": similarity.max(axis=1),
    }
    return _table(CLIP_MEASURES, len(images), columns)


def _embedding(image: int) -> npt.NDArray[np.float32]:
    vector = np.random.Generator(np.random.Philox(key=image)).standard_normal(WIDTH, dtype=np.float32)
    unit: npt.NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit


@functools.cache
def _picture(number: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, size=(16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((64, 64)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _where(mask: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> pa.Array:
    return pa.array(values, mask=~mask)


def _lists(values: npt.NDArray[np.float16]) -> pa.Array:
    edges = np.arange(0, values.size + 1, values.shape[1])
    return pa.ListArray.from_arrays(pa.array(edges, pa.int32()), pa.array(values.reshape(-1)))


def _table(schema: pa.Schema, num_rows: int, columns: dict[str, Any]) -> pa.Table:
    made = [
        _as_array(columns[field.name], field.type) if field.name in columns else pa.nulls(num_rows, field.type)
        for field in schema
    ]
    return pa.table(made, schema=schema)


def _as_array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
