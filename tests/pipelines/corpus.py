"""A run folder as the measuring stages leave it, written table by table: small, and every truth in it is known."""

import functools
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from curate.contract.ids import sha256_hex
from curate.contract.reasons import FetchStatus, IngestReason, Stage
from curate.contract.schemas import table_from_rows
from curate.contract.verdicts import Verdict, read_verdicts, verdict_table
from pipelines.decide.decided import Decided, load_or_decide
from pipelines.decide.facts_table import gather_facts, manifest_row
from pipelines.recipes.load import parse_recipe
from pipelines.run import tables
from pipelines.run.context import RunContext, store_poison
from pipelines.run.folder import RunFolder
from pipelines.run.manifest import Manifest, write_manifest
from pipelines.run.probe import ProbeFolder
from pipelines.run.tables import Table
from tests.pipelines.in_process import InProcess

Row = dict[str, Any]

NUM_DIRECTIONS = 32
"""Values of an embedding: pictures with numbers below this are orthogonal."""
FETCHED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MADE_FROM = "by hand"

SOURCES = """
sources:
  - {name: mmc4, type: mmc4, path: "mmc4*.jsonl"}
  - {name: coyo, type: pairs, path: coyo.csv}
  - {name: flan, type: instructions, path: flan.jsonl}
fetch: {allow_private: [127.0.0.1], timeout_s: 60, retries: 0, resize: null}
"""
CLIP = "clip: {model: tiny, batch_size: 4}\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """An image item; equal numbers are equal bytes."""

    number: int
    url: str = ""
    status: FetchStatus = FetchStatus.OK
    detail: str | None = None
    sides: tuple[int, int] = (400, 300)
    """Original width and height, px."""
    sims: tuple[float, ...] | None = None
    """Cosine to each text of its document; null means 0.5 to all."""
    direction: int | None = None
    """Of its embedding; null means its number."""
    alt: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Doc:
    """A document: strings are text items."""

    doc_id: str
    items: tuple[str | Picture, ...]
    source: str = "mmc4"
    kind: str = "interleaved"
    lang: str = "en"
    meta: str = "{}"
    roles: tuple[str | None, ...] = field(default=())
    """Of the items; missing ones are null."""


def doc(doc_id: str, *items: str | Picture, lang: str = "en") -> Doc:
    return Doc(doc_id=doc_id, items=items, lang=lang)


def pair(doc_id: str, picture: Picture, caption: str = "a caption") -> Doc:
    return Doc(doc_id=doc_id, items=(picture, caption), source="coyo", kind="pair")


def chat(doc_id: str, question: str = "what is it", answer: str = "a test") -> Doc:
    return Doc(doc_id=doc_id, items=(question, answer), source="flan", kind="text", roles=("user", "assistant"))


@functools.cache
def jpeg(number: int) -> bytes:
    """Return a small JPEG of its own for every number."""
    buffer = io.BytesIO()
    colour = (number * 37 % 256, number * 91 % 256, number * 151 % 256)
    Image.new("RGB", (16 + number, 12), colour).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def make_context(root: Path, recipe: str = "", *, sources: str = SOURCES) -> RunContext:
    """Return a context over ``root``; ``recipe`` is what stands below its sources."""
    return RunContext(folder=RunFolder(str(root)), recipe=parse_recipe(sources + recipe), base=str(root))


def write_partition(
    context: RunContext, partition: str, docs: Sequence[Doc], *, faults: Iterable[tuple[str, IngestReason]] = ()
) -> None:
    """Write the tables of ingest, fetch and measure; each fault is a document of its own, after the others."""
    source = docs[0].source if docs else "mmc4"
    kind = docs[0].kind if docs else "interleaved"
    broken = list(faults)
    documents: list[Row] = [
        {"doc_id": d.doc_id, "source": d.source, "kind": d.kind, "url": f"http://h/{d.doc_id}", "meta": d.meta}
        for d in docs
    ]
    documents += [{"doc_id": doc_id, "source": source, "kind": kind, "meta": "{}"} for doc_id, _ in broken]
    verdicts = [
        Verdict(doc_id=doc_id, stage=Stage.INGEST, reason=reason, detail="a.jsonl: bad") for doc_id, reason in broken
    ]
    write(context, tables.DOCUMENTS, partition, documents)
    write(context, tables.ITEMS, partition, [row for d in docs for row in item_rows(d)])
    context.folder.write(tables.INGEST_VERDICTS, partition, rows=verdict_table(verdicts), made_from=MADE_FROM)
    images = sorted((row for d in docs for row in image_rows(d)), key=lambda row: (row["doc_id"], row["position"]))
    write(context, tables.IMAGES, partition, images)
    write(context, tables.TEXT_MEASURES, partition, [row for d in docs for row in text_rows(d)])
    good = [row for row in images if row["status"] == str(FetchStatus.OK)]
    pdq: list[Row] = [{"doc_id": row["doc_id"], "position": row["position"]} for row in good]
    write(context, tables.IMAGE_MEASURES, partition, pdq)
    scores = sorted((row for d in docs for row in clip_rows(d)), key=lambda row: (row["doc_id"], row["position"]))
    write(context, tables.CLIP_MEASURES, partition, scores)


def write(context: RunContext, table: Table, partition: str, rows: Sequence[Row]) -> None:
    context.folder.write(table, partition, rows=table_from_rows(list(rows), table.schema), made_from=MADE_FROM)


def probe(context: RunContext, *doc_ids: str) -> RunContext:
    """Return the context of a probe that sees some documents only."""
    return replace(context, folder=ProbeFolder(context.folder.root, doc_ids))


def set_aside(context: RunContext, partition: str, *doc_ids: str) -> None:
    """Note documents as killers of their workers."""
    store_poison(context, partition, dict.fromkeys(doc_ids, Stage.MEASURE_CLIP))


def item_rows(document: Doc) -> list[Row]:
    rows: list[Row] = []
    for position, item in enumerate(document.items):
        row: Row = {"doc_id": document.doc_id, "position": position}
        if isinstance(item, Picture):
            row |= {"modality": "image", "image_url": url_of(item), "alt_text": item.alt}
        else:
            role = document.roles[position] if document.roles else None
            row |= {"modality": "text", "text": item, "role": role}
        rows.append(row)
    return rows


def image_rows(document: Doc) -> list[Row]:
    rows = []
    for position, picture in pictures(document):
        row: Row = {
            "doc_id": document.doc_id,
            "position": position,
            "image_url": url_of(picture),
            "status": str(picture.status),
            "detail": picture.detail,
        }
        rows.append(row | (_stored(picture) if picture.status is FetchStatus.OK else {}))
    return rows


def _stored(picture: Picture) -> Row:
    data = jpeg(picture.number)
    return {
        "http_status": 200,
        "fetched_at": FETCHED_AT,
        "data": data,
        "num_bytes": len(data),
        "image_id": sha256_hex(data),
        "format": "jpg",
        "width": 16 + picture.number,
        "height": 12,
        "original_width": picture.sides[0],
        "original_height": picture.sides[1],
        "original_sha256": sha256_hex(data),
        "original_num_bytes": len(data),
    }


def text_rows(document: Doc) -> list[Row]:
    texts = [(position, item) for position, item in enumerate(document.items) if isinstance(item, str)]
    whole = " ".join(text for _, text in texts)
    return [
        {
            "doc_id": document.doc_id,
            "position": position,
            "lang": document.lang,
            "lang_prob": 0.9,
            "num_words": len(text.split()),
            "num_chars": len(text),
            "replacement_ratio": text.count("\ufffd") / max(1, len(text)),
        }
        for position, text in [(-1, whole), *texts]
    ]


def clip_rows(document: Doc) -> list[Row]:
    num_texts = sum(isinstance(item, str) for item in document.items)
    rows: list[Row] = []
    for position, picture in pictures(document):
        if picture.status is not FetchStatus.OK:
            continue
        sims = picture.sims if picture.sims is not None else (0.5,) * num_texts
        direction = picture.number if picture.direction is None else picture.direction
        rows.append(
            {
                "doc_id": document.doc_id,
                "position": position,
                "embedding": [float(place == direction) for place in range(NUM_DIRECTIONS)],
                "similarity": list(sims),
                "best_sim": max(sims, default=None),
            }
        )
    return rows


def pictures(document: Doc) -> list[tuple[int, Picture]]:
    return [(position, item) for position, item in enumerate(document.items) if isinstance(item, Picture)]


def url_of(picture: Picture) -> str:
    return picture.url or f"http://h/{picture.number}.jpg"


def measured(context: RunContext, *partitions: str) -> Manifest:
    """Gather the facts of partitions and write the run's manifest."""
    return write_manifest(context, [manifest_row(gather_facts(context, name)) for name in partitions])


def decide_all(context: RunContext, *partitions: str) -> Decided:
    return load_or_decide(InProcess(), context, measured(context, *partitions))


def pool_of(context: RunContext, decided: Decided, partition: str) -> list[Row]:
    rows: list[Row] = context.folder.read(decided.decision.pool, partition).to_pylist()
    return rows


def verdicts_of(context: RunContext, decided: Decided, partition: str) -> dict[tuple[str, int], str]:
    """Return reason by (doc_id, position), having made sure that nothing has two."""
    verdicts = read_verdicts(context.folder.read(decided.decision.verdicts, partition))
    found = {verdict.key: verdict.reason for verdict in verdicts}
    assert len(found) == len(verdicts), f"two verdicts for one thing: {verdicts}"
    return found


def matches_of(context: RunContext, decided: Decided, partition: str) -> dict[tuple[str, int], int | None]:
    """Return the matched position by (doc_id, position) of every kept image."""
    rows = context.folder.read(decided.decision.matches, partition).to_pylist()
    return {(row["doc_id"], row["position"]): row["matched_position"] for row in rows}
