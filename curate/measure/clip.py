"""Measures by CLIP: embeddings of images, and their similarity to every text item and to their alt text."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import FetchStatus, Modality
from curate.contract.schemas import CLIP_MEASURES

logger = logging.getLogger(__name__)

Half = npt.NDArray[np.float16]
Single = npt.NDArray[np.float32]


class Encoder(Protocol):
    """The seam to the model; ``ClipEncoder`` is the real one."""

    def encode_images(self, images: Sequence[bytes]) -> Single:
        """Return [N, D] unit vectors; a row of NaN where an image does not decode."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Single:
        """Return [N, D] unit vectors."""
        ...


@dataclass(slots=True)
class _DocumentTexts:
    """What the images of one document are compared with; null and blank texts are kept as empty ones."""

    texts: list[str] = field(default_factory=list)
    """Its text items, in order."""
    alt_texts: dict[int, str] = field(default_factory=dict)
    """Position of an image -> its alt text."""


def measure_clip(items: pa.Table, images: pa.Table, *, encoder: Encoder, data: Sequence[Any] | None = None) -> pa.Table:
    """Embed every fetched image and compare it with the texts of its document.

    Each distinct text is encoded once. Similarities are cosines of float32 vectors, rounded to float16; ``best_sim`` is
    the largest of the rounded ones. A blank text item cannot be compared: its place in ``similarity`` is null.

    Args:
        items: ITEMS of whole documents.
        images: Keys and status of IMAGES of the same documents.
        encoder: The model.
        data: The bytes of each of them, all of which are ok, read when a batch is decoded; None: ``images`` has them.

    Returns:
        CLIP_MEASURES: a row per image whose status is ok and that decodes, in the order of ``images``. One that does
        not decode after all is named in the log and has no row, hence no score.
    """
    fetched = images.filter(pc.equal(images["status"], FetchStatus.OK))
    # Buffers point into the table: an image is copied when its batch is decoded, not before.
    vectors = encoder.encode_images(data if data is not None else [one.as_buffer() for one in fetched["data"]])
    readable = np.isfinite(vectors).all(axis=1)
    _log_unreadable(fetched.filter(pa.array(~readable)))
    keys, vectors = fetched.select(["doc_id", "position"]).filter(pa.array(readable)), vectors[readable]
    documents = _collect_texts(items, keys["doc_id"])
    cosines = _TextCosines(documents, encoder)
    similarities: list[Half] = []
    alt_sims: list[np.float16 | None] = []
    for doc_id, position, vector in zip(keys["doc_id"].to_pylist(), keys["position"].to_pylist(), vectors, strict=True):
        document = documents[doc_id]
        similarities.append(cosines.of(vector, document.texts))
        alt_text = document.alt_texts.get(position, "")
        alt_sims.append(cosines.of(vector, [alt_text])[0] if alt_text else None)
    return _build_table(keys, vectors, similarities, alt_sims)


class _TextCosines:
    """The encoded texts of a partition, each once."""

    def __init__(self, documents: dict[str, _DocumentTexts], encoder: Encoder) -> None:
        in_order = (text for doc in documents.values() for text in (*doc.texts, *doc.alt_texts.values()) if text)
        self._rows = {text: row for row, text in enumerate(dict.fromkeys(in_order))}
        self._vectors = encoder.encode_texts(list(self._rows))

    def of(self, vector: Single, texts: Sequence[str]) -> Half:
        """Return the cosines [len(texts)] of a unit vector [D]; NaN at an empty text."""
        cosines = np.full(len(texts), np.nan, dtype=np.float16)
        known = [i for i, text in enumerate(texts) if text]
        rows = self._vectors[[self._rows[texts[i]] for i in known]] if known else np.zeros((0, len(vector)))
        # Summed row by row: a matrix product may sum in another order when a document has more rows.
        cosines[known] = (rows * vector).sum(axis=1)
        return cosines


def _log_unreadable(images: pa.Table) -> None:
    for doc_id, position in zip(images["doc_id"].to_pylist(), images["position"].to_pylist(), strict=True):
        logger.warning(
            "image %s:%d has no CLIP score: it does not decode, or its embedding is not finite", doc_id, position
        )


def _collect_texts(items: pa.Table, doc_ids: pa.ChunkedArray) -> dict[str, _DocumentTexts]:
    """Return the texts of the documents that have a row in ``doc_ids``, in the order of that column."""
    documents = {doc_id: _DocumentTexts() for doc_id in doc_ids.to_pylist()}
    wanted = items.filter(pc.is_in(items["doc_id"], value_set=pc.unique(doc_ids)))
    for row in wanted.select(["doc_id", "position", "modality", "text", "alt_text"]).to_pylist():
        document = documents[row["doc_id"]]
        if row["modality"] == Modality.TEXT:
            document.texts.append(_or_empty(row["text"]))
        elif _or_empty(row["alt_text"]):
            document.alt_texts[row["position"]] = row["alt_text"]
    return documents


def _or_empty(text: str | None) -> str:
    return text if text and not text.isspace() else ""


def _build_table(
    keys: pa.Table, vectors: Single, similarities: Sequence[Half], alt_sims: Sequence[np.float16 | None]
) -> pa.Table:
    best_sims = [None if np.isnan(row).all() else np.nanmax(row) for row in similarities]
    columns = [
        keys["doc_id"],
        keys["position"],
        _lists(list(vectors.astype(np.float16))),
        _lists(similarities),
        pa.array(best_sims, pa.float16()),
        pa.array(alt_sims, pa.float16()),
    ]
    return pa.table(columns, schema=CLIP_MEASURES)


def _lists(rows: Sequence[Half]) -> pa.ListArray:
    """Return a list column; NaN becomes null."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    values = np.concatenate([np.zeros(0, dtype=np.float16), *rows])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, mask=np.isnan(values)))
