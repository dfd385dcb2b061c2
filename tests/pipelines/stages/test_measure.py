from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from curate.contract.reasons import FetchStatus
from pipelines.recipes.load import parse_recipe
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.joins import keys_of
from pipelines.stages.measure import (
    _ok_images,
    measure_partition_clip,
    measure_partition_images,
    measure_partition_text,
    worker_encoder,
)
from tests.pipelines.corpus import CLIP, SOURCES, Picture, chat, doc, make_context, probe, set_aside, write_partition

P = "mmc4-00000-00000"
MEASURES = (tables.TEXT_MEASURES, tables.IMAGE_MEASURES, tables.CLIP_MEASURES)
ENGLISH = "The quick brown fox jumps over the lazy dog and looks for something to eat."


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path, CLIP)
    pictures = [Picture(number=1), Picture(number=2, status=FetchStatus.HTTP_404)]
    write_partition(made, P, [doc("b", ENGLISH, *pictures), doc("a", Picture(number=3), "eins", "zwei")])
    for table in MEASURES:
        Path(made.folder.path(table, P)).unlink()
    return made


def under(context: RunContext, *overrides: str) -> RunContext:
    return replace(context, recipe=parse_recipe(SOURCES + CLIP, overrides=overrides))


def test_text_is_measured_once(context: RunContext) -> None:
    assert measure_partition_text(context, P).counters == {"text": 5}
    rows = context.folder.read(tables.TEXT_MEASURES, P).to_pylist()
    whole = {row["doc_id"]: row for row in rows if row["position"] == -1}
    assert (whole["b"]["lang"], whole["b"]["num_words"], whole["a"]["num_words"]) == ("en", 15, 2)
    assert measure_partition_text(context, P).skipped
    assert measure_partition_text(under(context, "admit.text.words.min=3"), P).skipped


def test_measures_change_when_a_document_is_set_aside(context: RunContext) -> None:
    stages = (measure_partition_text, measure_partition_images, measure_partition_clip)
    for stage in stages:
        stage(context, P)
    set_aside(context, P, "b")
    for table, stage in zip(MEASURES, stages, strict=True):
        assert not stage(context, P).skipped
        assert set(context.folder.read(table, P)["doc_id"].to_pylist()) == {"a"}


def test_images_that_arrived_are_measured_once(context: RunContext) -> None:
    assert measure_partition_images(context, P).counters == {"image": 2}
    assert sorted(keys_of(context.folder.read(tables.IMAGE_MEASURES, P))) == [("a", 0), ("b", 1)]
    assert measure_partition_images(context, P).skipped


def test_images_need_their_fetch(context: RunContext) -> None:
    Path(context.folder.path(tables.IMAGES, P)).unlink()
    for stage in (measure_partition_images, measure_partition_clip):
        with pytest.raises(CurateError, match=r"fetch/images.*missing or damaged"):
            stage(context, P)


def test_scores_are_computed_once_per_model(context: RunContext) -> None:
    assert measure_partition_clip(context, P).counters == {"clip": 2}
    rows = {row["doc_id"]: row for row in context.folder.read(tables.CLIP_MEASURES, P).to_pylist()}
    assert (len(rows["b"]["similarity"]), len(rows["a"]["similarity"])) == (1, 2)
    assert all(abs(sum(value * value for value in row["embedding"]) - 1) < 0.01 for row in rows.values())
    assert measure_partition_clip(context, P).skipped
    assert measure_partition_clip(under(context, "clip.device=cpu", "keep.image.clip.min=0.9"), P).skipped
    assert not measure_partition_clip(under(context, "clip.batch_size=3"), P).skipped


def test_text_only_partitions_need_no_model(tmp_path: Path) -> None:
    context = make_context(tmp_path, "clip: {model: 'local-dir:/nowhere'}\n")
    write_partition(context, P, [chat("a")])
    Path(context.folder.path(tables.CLIP_MEASURES, P)).unlink()
    assert measure_partition_clip(context, P).counters == {"clip": 0}


def test_the_model_is_loaded_once_in_a_process(context: RunContext) -> None:
    config = context.recipe.clip
    assert config is not None
    assert worker_encoder(config) is worker_encoder(config.model_copy())


def test_a_probe_looks_at_the_images_of_its_documents_only(context: RunContext) -> None:
    assert _ok_images(probe(context, "a"), P) == {("a", 0)}
    assert _ok_images(probe(context), P) == set()
