"""The measuring stages: text, images and CLIP add columns and drop nothing."""

import functools

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import FetchStatus
from curate.measure.clip import Encoder, measure_clip
from curate.measure.config import ClipConfig
from curate.measure.image import measure_images
from curate.measure.text import measure_text
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, items_digest, load_items, load_poison, make_tables, stage_fingerprint
from pipelines.run.joins import KEY, keys_of, without_documents
from pipelines.run.stored import Key, StoredRows, iterate_rows, read_rows, rows_digest
from pipelines.run.tables import CLIP_MEASURES, IMAGE_MEASURES, IMAGES, TEXT_MEASURES

SPEED_FIELDS = frozenset({"device"})
"""ClipConfig fields that are not part of what a score means."""


def measure_partition_text(context: RunContext, partition: str) -> Report:
    """Measure language and length of a partition's text."""
    made_from = stage_fingerprint("text", TEXT_MEASURES.version, {}, [items_digest(context, partition)])

    def compute() -> tuple[pa.Table]:
        return (measure_text(load_items(context, partition)),)

    return make_tables(context, partition, TEXT_MEASURES, made_from=made_from, compute=compute)


def measure_partition_images(context: RunContext, partition: str) -> Report:
    """Measure the pixels of a partition's images."""
    made_from = stage_fingerprint("image", IMAGE_MEASURES.version, {}, _image_inputs(context, partition))

    def compute() -> tuple[pa.Table]:
        keys = _ok_images(context, partition)
        columns = ("doc_id", "position", "status", "data")
        batches = iterate_rows(context, IMAGES, partition, columns=columns, keys=keys)
        empty = IMAGE_MEASURES.schema.empty_table()
        return (pa.concat_tables([empty, *map(measure_images, batches)]).combine_chunks(),)

    return make_tables(context, partition, IMAGE_MEASURES, made_from=made_from, compute=compute)


def measure_partition_clip(context: RunContext, partition: str) -> Report:
    """Embed and score a partition's images against their document's text."""
    config = context.recipe.clip
    assert config is not None, "the stage is not planned without a clip section"  # noqa: S101 - an invariant
    options = config.model_dump(mode="json", exclude=set(SPEED_FIELDS))
    inputs = [*_image_inputs(context, partition), items_digest(context, partition)]
    made_from = stage_fingerprint("clip", CLIP_MEASURES.version, options, inputs)

    def compute() -> tuple[pa.Table]:
        keys, items = _ok_images(context, partition), load_items(context, partition)
        if not keys:  # text-only sources need no model
            return (CLIP_MEASURES.schema.empty_table(),)
        with StoredRows(context.folder, IMAGES, partition, columns=["data"], keys=keys) as images:
            return (measure_clip(items, images.rows, data=images.data(), encoder=worker_encoder(config)),)

    return make_tables(context, partition, CLIP_MEASURES, made_from=made_from, compute=compute)


@functools.lru_cache(maxsize=1)
def worker_encoder(config: ClipConfig) -> Encoder:
    """Return this process's CLIP model, loaded once, when first needed."""
    from curate.measure.encoder import load_encoder  # noqa: PLC0415 - imports torch, which only this stage needs

    return load_encoder(config)


def _image_inputs(context: RunContext, partition: str) -> list[str]:
    return [rows_digest(context, IMAGES, partition), *load_poison(context, partition)]


def _ok_images(context: RunContext, partition: str) -> set[Key]:
    """Return the keys of the images that have arrived, without those of documents that were set aside."""
    images = read_rows(context, IMAGES, partition, columns=[*KEY, "status"])
    ok = images.filter(pc.equal(images["status"], str(FetchStatus.OK)))
    return set(keys_of(without_documents(ok, list(load_poison(context, partition)))))
