from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.ids import image_number
from curate.contract.schemas import EQUAL_IMAGES, SIMILAR_IMAGES
from curate.dedup.config import ImageDedupConfig
from pipelines.decide.pairs import Proposed, load_or_propose
from pipelines.decide.propose import load_members
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.manifest import Manifest
from pipelines.run.splits import read_all
from pipelines.run.tables import CLIP_MEASURES
from tests.pipelines.corpus import CLIP, SOURCES, Picture, doc, make_context, measured, write, write_partition
from tests.pipelines.cut_small import cut_small
from tests.pipelines.in_process import InProcess

EXACT = ImageDedupConfig()
NAMES = [f"mmc4-{number:05d}-00000" for number in range(6)]


def similar_at(cosine: float) -> ImageDedupConfig:
    return ImageDedupConfig(cosine=cosine)


def corpus(tmp_path: Path) -> tuple[RunContext, Manifest]:
    """Six documents of three pictures; pictures 5 and 9 look alike."""
    context = make_context(tmp_path, CLIP)
    for number, name in enumerate(NAMES):
        pictures = [Picture(number=n % 10, direction=5 if n % 10 == 9 else n % 10) for n in (number, number + 4, 9)]
        write_partition(context, name, [doc(f"d{number}", "text", *pictures)])
    return context, measured(context, *NAMES)


def run(context: RunContext, manifest: Manifest, config: ImageDedupConfig) -> tuple[Proposed, int]:
    """Return the pairs and how many tasks it took."""
    workers = InProcess()
    return load_or_propose(workers, context, manifest, config), len(workers.reports)


def replace_embeddings(context: RunContext, name: str) -> Manifest:
    """Turn the first embedding of a partition."""
    rows = context.folder.read(CLIP_MEASURES, name).to_pylist()
    rows[0]["embedding"] = rows[0]["embedding"][::-1]
    write(context, CLIP_MEASURES, name, rows)
    return measured(context, *NAMES)


def read(proposed: Proposed) -> tuple[list[tuple[int, int]], list[tuple[int, int, float]]]:
    equal, similar = read_all(proposed.equal, schema=EQUAL_IMAGES), read_all(proposed.similar, schema=SIMILAR_IMAGES)
    return (
        sorted(zip(*(column.to_pylist() for column in equal.columns), strict=True)),
        sorted(zip(*(column.to_pylist() for column in similar.columns), strict=True)),
    )


def test_without_a_similarity_only_bytes_are_compared(tmp_path: Path) -> None:
    context, manifest = corpus(tmp_path)
    proposed, _ = run(context, manifest, EXACT)
    assert (proposed.similar, proposed.kinds) == ((), ("equal",))
    equal, _ = read(proposed)
    assert (image_number(3, 2), image_number(0, 2)) in equal
    assert not Path(context.folder.file("pairs", "vectors")).exists()


@pytest.mark.parametrize("block_num_images", [1, 2, 5])
@pytest.mark.parametrize(("fold_partitions", "folds_per_bucket"), [(1, 1), (2, 1), (4, 2)])
def test_folds_buckets_and_blocks_do_not_show(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fold_partitions: int,
    folds_per_bucket: int,
    block_num_images: int,
) -> None:
    whole, num_tasks = run(*corpus(tmp_path / "whole"), similar_at(0.9))
    cut_small(
        monkeypatch,
        fold_partitions=fold_partitions,
        folds_per_bucket=folds_per_bucket,
        block_num_images=block_num_images,
    )
    cut, num_small_tasks = run(*corpus(tmp_path / "cut"), similar_at(0.9))
    assert read(cut) == read(whole)
    assert len(read(whole)[1]) > 1
    assert len(cut.folds) == -(-len(NAMES) // fold_partitions)
    assert len(cut.equal) == -(-len(cut.folds) // folds_per_bucket)
    assert num_small_tasks > num_tasks
    context = make_context(tmp_path / "cut")
    found = {
        image
        for fold in cut.folds
        for part in range(len(fold.partitions))
        for image in load_members(context, cut.kinds, fold, part).tolist()
    }
    equal, similar = read(whole)
    assert found == {image for image, _ in equal} | {end for first, second, _ in similar for end in (first, second)}


def test_what_is_only_needed_on_the_way_is_removed(tmp_path: Path) -> None:
    context, manifest = corpus(tmp_path)
    run(context, manifest, similar_at(0.9))
    assert sorted(path.name for path in Path(context.folder.file("pairs")).iterdir()) == [
        "equal", "equal.json", "members", "similar", "similar.json",
    ]  # fmt: skip


def test_nothing_is_proposed_again_for_a_stricter_threshold_and_all_for_a_looser_one(tmp_path: Path) -> None:
    context, manifest = corpus(tmp_path)
    loose, _ = run(context, manifest, similar_at(0.8))
    for config in (similar_at(0.8), similar_at(0.99), EXACT):
        _, num_tasks = run(context, manifest, config)
        assert num_tasks == 0
    stricter, _ = run(context, manifest, similar_at(0.99))
    assert stricter.similar == loose.similar
    looser, num_tasks = run(context, manifest, similar_at(0.5))
    assert num_tasks > 0
    assert run(context, manifest, similar_at(0.7))[1] == 0
    assert read(looser) == read(loose)  # no pictures here are between


def test_a_looser_threshold_finds_more(tmp_path: Path) -> None:
    context = make_context(tmp_path, CLIP)
    write_partition(context, NAMES[0], [doc("a", "text", Picture(number=1), Picture(number=2))])
    tilt = context.folder.read(CLIP_MEASURES, NAMES[0]).to_pylist()
    tilt[1]["embedding"][1] = 1.0  # 45 degrees from the other
    write(context, CLIP_MEASURES, NAMES[0], tilt)
    manifest = measured(context, NAMES[0])
    assert read(run(context, manifest, similar_at(0.9))[0])[1] == []
    ((first, second, cosine),) = read(run(context, manifest, similar_at(0.7))[0])[1]
    assert (first, second) == (0, 1)
    assert cosine == pytest.approx(0.5**0.5, abs=1e-3)


def test_rules_propose_nothing_again_and_changed_images_do(tmp_path: Path) -> None:
    context, manifest = corpus(tmp_path)
    run(context, manifest, similar_at(0.9))
    ruled = replace(context, recipe=parse_recipe(SOURCES + CLIP + "keep: {image.size: {min: 999}}\n"))
    assert run(ruled, measured(ruled, *NAMES), similar_at(0.9))[1] == 0
    write_partition(context, NAMES[5], [doc("d5", "text", Picture(number=0))])
    changed, num_tasks = run(context, measured(context, *NAMES), similar_at(0.9))
    assert num_tasks > 0
    assert (image_number(5, 0), image_number(0, 0)) in read(changed)[0]


def test_changed_embeddings_compare_embeddings_alone_again(tmp_path: Path) -> None:
    context, manifest = corpus(tmp_path)
    run(context, manifest, similar_at(0.9))
    embedded = replace_embeddings(context, NAMES[1])
    workers = InProcess()
    load_or_propose(workers, context, embedded, similar_at(0.9))
    assert {report.partition for report in workers.reports} == {"00000", "00000.000-00000.000", "axes", "similar"}


@pytest.mark.parametrize("lost", ["equal/00000.arrow", "members/equal/00000.arrow", "members/similar/00000.arrow"])
def test_a_lost_file_is_proposed_anew(tmp_path: Path, lost: str) -> None:
    context, manifest = corpus(tmp_path)
    proposed, _ = run(context, manifest, similar_at(0.9))
    wanted = read(proposed)
    path = Path(context.folder.file("pairs", lost))
    whole = path.read_bytes()
    path.unlink()
    again, num_tasks = run(context, manifest, similar_at(0.9))
    assert num_tasks > 0
    assert read(again) == wanted
    assert path.read_bytes() == whole
    assert run(context, manifest, similar_at(0.9))[1] == 0


def test_lost_pairs_of_similar_images_are_proposed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_small(monkeypatch, fold_partitions=2, block_num_images=2)
    context, manifest = corpus(tmp_path)
    proposed, _ = run(context, manifest, similar_at(0.9))
    wanted = read(proposed)
    Path(proposed.similar[1]).unlink()
    again, _ = run(context, manifest, similar_at(0.9))
    assert read(again) == wanted


def test_a_run_without_partitions_or_images_has_no_pairs(tmp_path: Path) -> None:
    context = make_context(tmp_path, CLIP)
    proposed, _ = run(context, measured(context), similar_at(0.9))
    assert read(proposed) == ([], [])
    write_partition(context, NAMES[0], [doc("a", "text")])
    proposed, _ = run(context, measured(context, NAMES[0]), similar_at(0.9))
    assert read(proposed) == ([], [])
