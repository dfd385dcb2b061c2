"""Facts: one narrow table a partition with all that rules, settling, pool and report read; no blobs, no embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.ids import image_number, split_image_number
from curate.contract.reasons import Modality, Reason
from curate.contract.schemas import TEXT_MEASURES as TEXT_FIELDS
from curate.contract.schemas import WHOLE_DOCUMENT
from pipelines.run.tables import FACTS

Ints = npt.NDArray[np.int64]

FAULT_COLUMNS = ("fault_stage", "fault_reason", "fault_detail")
TEXT_COLUMNS = tuple(TEXT_FIELDS.names[2:])
IMAGE_COLUMNS = (
    "status", "detail", "num_bytes", "image_id",
    "width", "height", "original_width", "original_height", "original_num_bytes",
)  # fmt: skip
CLIP_COLUMNS = ("best_sim", "alt_sim", "similarity")


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The facts of one partition: N documents and their M image items, both in input order."""

    documents: pa.Table
    """[N]; see FACTS."""
    images: pa.Table
    """[M]; see FACTS."""
    document: Ints
    """[M] row of each image's document."""

    def kinds_of_images(self) -> pa.ChunkedArray:
        """Return the kind of each image's document, [M]."""
        return self.documents["kind"].take(pa.array(self.document))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The tables that facts are gathered from; see ``pipelines.run.tables``."""

    documents: pa.Table
    items: pa.Table
    verdicts: Sequence[pa.Table]
    """On what was never read: of records, then of pages."""
    poison: dict[str, str]
    """doc_id -> the stage whose workers it killed."""
    text: pa.Table
    images: pa.Table | None = None
    """None: nothing has been fetched yet."""
    clip: pa.Table | None = None


def gather(sources: Sources) -> pa.Table:
    """Return a partition's FACTS."""
    doc_ids = sources.documents["doc_id"].combine_chunks()
    documents, images = _document_columns(sources, doc_ids), _image_columns(sources, doc_ids)
    num_docs, num_images = len(doc_ids), len(images["position"])
    columns = []
    for field in FACTS.schema:
        own = [
            side.get(field.name, pa.nulls(length, field.type))
            for side, length in ((documents, num_docs), (images, num_images))
        ]
        columns.append(pa.concat_arrays([_as_array(part).cast(field.type) for part in own]))
    return pa.table(columns, schema=FACTS.schema)


def split_facts(table: pa.Table) -> Facts:
    """Return a partition's FACTS as its documents and its images."""
    num_docs = pc.sum(pc.equal(table["position"], WHOLE_DOCUMENT)).as_py() or 0
    images = table.slice(num_docs)
    return Facts(
        documents=table.slice(0, num_docs), images=images, document=images["document"].to_numpy().astype(np.int64)
    )


def _as_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _document_columns(sources: Sources, doc_ids: pa.Array) -> dict[str, pa.Array]:
    texts = sources.items.filter(pc.equal(sources.items["modality"], str(Modality.TEXT)))
    row = _rows_of(texts["doc_id"], doc_ids)
    order = np.argsort(row, kind="stable")
    num_texts = np.bincount(row, minlength=len(doc_ids))
    lengths = pc.fill_null(pc.binary_length(texts["text"]), 0).to_numpy()
    edges = pa.array(np.concatenate([[0], np.cumsum(num_texts)]), pa.int32())
    whole = sources.text.filter(pc.equal(sources.text["position"], WHOLE_DOCUMENT))
    place = pc.index_in(doc_ids, value_set=whole["doc_id"].combine_chunks())
    columns = {
        "document": pa.array(np.arange(len(doc_ids)), pa.int32()),
        "position": pa.array(np.full(len(doc_ids), WHOLE_DOCUMENT), pa.int32()),
        **{name: sources.documents[name] for name in ("doc_id", "source", "kind", "url")},
        **_faults(sources, doc_ids),
        **{name: whole[name].take(place) for name in TEXT_COLUMNS},
        "num_texts": pa.array(num_texts, pa.int32()),
        "text_num_bytes": pa.array(np.bincount(row, weights=lengths, minlength=len(doc_ids)).astype(np.int64)),
        "text_positions": pa.ListArray.from_arrays(edges, texts["position"].take(pa.array(order)).combine_chunks()),
    }
    return {name: _as_array(values) for name, values in columns.items()}


def _faults(sources: Sources, doc_ids: pa.Array) -> dict[str, pa.Array]:
    """Return what kept documents from being read; of several faults the first."""
    faults: dict[str, tuple[str, str, str | None]] = {}
    for table in sources.verdicts:
        for row in table.to_pylist():
            faults.setdefault(row["doc_id"], (row["stage"], row["reason"], row["detail"]))
    for doc_id, stage in sources.poison.items():
        faults.setdefault(doc_id, (stage, str(Reason.POISON), None))
    nothing = (None, None, None)
    rows = [faults.get(doc_id, nothing) for doc_id in doc_ids.to_pylist()] if faults else [nothing] * len(doc_ids)
    return {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(FAULT_COLUMNS)}


def _image_columns(sources: Sources, doc_ids: pa.Array) -> dict[str, pa.Array]:
    items = image_items(sources.items, doc_ids)
    keys = _keys(items, doc_ids)
    columns: dict[str, pa.Array] = {
        "document": pa.array(split_image_number(keys)[0], pa.int32()),
        "position": items["position"],
        "image_url": items["image_url"],
    }
    for table, names in ((sources.images, IMAGE_COLUMNS), (sources.clip, CLIP_COLUMNS)):
        if table is not None:
            place = _find(keys, _keys(table, doc_ids))
            columns |= {name: table[name].combine_chunks().take(place) for name in names}
    if "image_id" in columns:
        columns["image_id"] = _digests(_as_array(columns["image_id"]))
    return {name: _as_array(values) for name, values in columns.items()}


def image_items(items: pa.Table, doc_ids: pa.Array) -> pa.Table:
    """Return the image items in the order of their documents: that of the images in FACTS."""
    images = items.filter(pc.equal(items["modality"], str(Modality.IMAGE)))
    order = np.argsort(_rows_of(images["doc_id"], doc_ids), kind="stable")
    return images.take(pa.array(order))


def _digests(hexes: pa.Array) -> pa.Array:
    """Return sha256 digests in hex as bytes."""
    return pa.array([None if one is None else bytes.fromhex(one) for one in hexes.to_pylist()], pa.binary(32))


def _rows_of(ids: pa.ChunkedArray, doc_ids: pa.Array) -> Ints:
    return np.asarray(pc.index_in(ids, value_set=doc_ids).to_numpy(), dtype=np.int64)


def _keys(table: pa.Table, doc_ids: pa.Array) -> Ints:
    """Return document and position of each row as one number; -1 where the document is none of ``doc_ids``."""
    row = pc.fill_null(pc.index_in(table["doc_id"], value_set=doc_ids), -1).to_numpy().astype(np.int64)
    return np.where(row < 0, -1, image_number(row, table["position"].to_numpy().astype(np.int64)))


def _find(wanted: Ints, keys: Ints) -> pa.Array:
    """Return the row of each wanted key, null where there is none."""
    if not len(keys):
        return pa.nulls(len(wanted), pa.int64())
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return pa.array(order[place], mask=keys[order][place] != wanted)


def find_rows(facts: Facts, table: pa.Table) -> pa.Array:
    """Return for each image [M] its row in a table with doc_id and position, null where it has none."""
    doc_ids = facts.documents["doc_id"].combine_chunks()
    positions = facts.images["position"].to_numpy().astype(np.int64)
    return _find(image_number(facts.document, positions), _keys(table, doc_ids))
