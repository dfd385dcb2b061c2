from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.ids import image_number
from curate.contract.reasons import FetchStatus
from curate.contract.schemas import EQUAL_IMAGES, IMAGE_HASHES, MEMBERS, SIMILAR_IMAGES, VECTORS
from pipelines.decide import propose
from pipelines.decide.propose import (
    choose_axes,
    compare_blocks,
    equal_path,
    hashes_path,
    list_hashes,
    list_members,
    load_members,
    members_path,
    pair_equal,
    similar_path,
    store_vectors,
    vectors_path,
)
from pipelines.run.context import RunContext
from pipelines.run.manifest import Fold, cut_folds
from pipelines.run.splits import read_all, read_part
from pipelines.run.tables import CLIP_MEASURES
from tests.pipelines.corpus import CLIP, Picture, doc, make_context, measured, write_partition

NAMES = [f"mmc4-{number:05d}-00000" for number in range(4)]
PICTURES = [
    [Picture(number=1), Picture(number=2), Picture(number=3, status=FetchStatus.HTTP_404)],
    [Picture(number=2), Picture(number=4, direction=1)],
    [],
    [Picture(number=5), Picture(number=2), Picture(number=4, direction=1), Picture(number=6, direction=2)],
]


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path, CLIP)
    for name, pictures in zip(NAMES, PICTURES, strict=True):
        write_partition(made, name, [doc(f"d-{name}", "text", *pictures)])
    measured(made, *NAMES)
    return made


@pytest.fixture
def folds() -> list[Fold]:
    return cut_folds(NAMES, size=2)


def image(partition: int, row: int) -> int:
    return int(image_number(partition, row))


def pairs(table: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


def hash_all(context: RunContext, folds: list[Fold], num_buckets: int = 3) -> None:
    for fold in folds:
        list_hashes(context, fold, num_buckets, "v1")


def pair_all(context: RunContext, folds: list[Fold], num_buckets: int = 3) -> None:
    hash_all(context, folds, num_buckets)
    for bucket in range(num_buckets):
        pair_equal(context, bucket, folds, "v1")


def store_all(context: RunContext, folds: list[Fold]) -> list[str]:
    pair_all(context, folds)
    return [block for fold in folds for block in store_vectors(context, fold, 3, "v1").partitions]


EQUAL = [
    (image(0, 1), image(0, 1)),
    (image(1, 0), image(0, 1)),
    (image(1, 1), image(1, 1)),
    (image(3, 1), image(0, 1)),
    (image(3, 2), image(1, 1)),
]


def test_hashes_of_stored_images_are_divided_by_their_bytes_alone(context: RunContext, folds: list[Fold]) -> None:
    reports = [list_hashes(context, fold, 3, "v1") for fold in folds]
    assert [report.counters for report in reports] == [{"images": 4}, {"images": 4}]
    bucket_of: dict[str, int] = {}
    seen: list[int] = []
    for fold in folds:
        for bucket in range(3):
            table = read_part(hashes_path(context, fold.number), bucket)
            assert table.schema.equals(IMAGE_HASHES)
            for number, image_id in pairs(table):
                assert bucket_of.setdefault(str(image_id), bucket) == bucket
                seen.append(int(str(number)))
    rows = [(0, 0), (0, 1), (1, 0), (1, 1), (3, 0), (3, 1), (3, 2), (3, 3)]  # not the one that was never stored
    assert sorted(seen) == [image(*row) for row in rows]
    assert len(bucket_of) == 5
    assert list_hashes(context, folds[0], 3, "v1").skipped
    assert not list_hashes(context, folds[0], 3, "v2").skipped


@pytest.mark.parametrize("num_buckets", [1, 2, 7])
def test_equal_images_are_found_across_folds_in_whatever_bucket(
    context: RunContext, folds: list[Fold], num_buckets: int
) -> None:
    pair_all(context, folds, num_buckets)
    paths = [equal_path(context, bucket) for bucket in range(num_buckets)]
    assert sorted(pairs(read_all(paths, schema=EQUAL_IMAGES))) == EQUAL
    by_fold = [sorted(row for path in paths for row in pairs(read_part(path, fold.number))) for fold in folds]
    assert by_fold == [EQUAL[:3], EQUAL[3:]]
    assert pair_equal(context, 0, folds, "v1").skipped


def test_members_are_the_images_of_a_partition_that_are_in_a_pair(context: RunContext, folds: list[Fold]) -> None:
    pair_all(context, folds)
    paths = [equal_path(context, bucket) for bucket in range(3)]
    assert list_members(context, "equal", paths, folds, "v1").counters == {"members": 5}
    found = [load_members(context, ["equal"], folds[n // 2], n % 2).tolist() for n in range(4)]
    assert found == [[image(0, 1)], [image(1, 0), image(1, 1)], [], [image(3, 1), image(3, 2)]]
    assert load_members(context, [], folds[0], 0).tolist() == []
    assert read_part(members_path(context, "equal", 0), 0).schema.equals(MEMBERS)


def test_members_of_several_kinds_are_joined_and_rise(context: RunContext, folds: list[Fold]) -> None:
    blocks = store_all(context, folds)
    choose_axes(context, blocks)
    compare_blocks(context, blocks[0], blocks[1], 0.9, "v1")
    list_members(context, "equal", [equal_path(context, bucket) for bucket in range(3)], folds, "v1")
    list_members(context, "similar", [similar_path(context, blocks[0], blocks[1])], folds, "v1")
    assert load_members(context, ["similar"], folds[0], 0).tolist() == [image(0, 1)]
    assert load_members(context, ["equal", "similar"], folds[0], 0).tolist() == [image(0, 1)]
    both = load_members(context, ["equal", "similar"], folds[1], 1).tolist()
    assert both == [image(3, 1), image(3, 2), image(3, 3)]


def test_one_of_equal_images_is_stored_with_its_embedding(context: RunContext, folds: list[Fold]) -> None:
    blocks = store_all(context, folds)
    assert blocks == ["00000.000", "00001.000"]
    rows = []
    for block in blocks:
        table = read_part(vectors_path(context, block), 0)
        assert table.schema.equals(VECTORS)
        rows += [(one["image"], one["is_repeated"], one["embedding"].index(1.0)) for one in table.to_pylist()]
    assert rows == [
        (image(0, 0), False, 1),
        (image(0, 1), True, 2),
        (image(1, 1), True, 1),
        (image(3, 0), False, 5),
        (image(3, 3), False, 2),
    ]


def test_blocks_have_a_bounded_number_of_images(
    context: RunContext, folds: list[Fold], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [row for block in store_all(context, folds) for row in pairs(read_part(vectors_path(context, block), 0))]
    monkeypatch.setattr(propose, "BLOCK_NUM_IMAGES", 2)
    blocks = store_all(context, folds)
    assert blocks == ["00000.000", "00000.001", "00001.000"]
    sizes = [read_part(vectors_path(context, block), 0).num_rows for block in blocks]
    assert sizes == [2, 1, 2]
    cut = [row for block in blocks for row in pairs(read_part(vectors_path(context, block), 0))]
    assert cut == whole


@pytest.mark.parametrize("block_num_images", [1, 2, 100])
def test_similar_images_are_found_within_and_between_blocks(
    context: RunContext, folds: list[Fold], monkeypatch: pytest.MonkeyPatch, block_num_images: int
) -> None:
    monkeypatch.setattr(propose, "BLOCK_NUM_IMAGES", block_num_images)
    blocks = store_all(context, folds)
    choose_axes(context, blocks)
    paths = []
    for place, earlier in enumerate(blocks):
        for later in blocks[place:]:
            compare_blocks(context, earlier, later, 0.9, "v1")
            paths.append(similar_path(context, earlier, later))
            assert compare_blocks(context, earlier, later, 0.9, "v1").skipped
    assert sorted(pairs(read_all(paths, schema=SIMILAR_IMAGES))) == [
        (image(0, 0), image(1, 1), 1.0),
        (image(0, 1), image(0, 1), 1.0),  # it has equals, and they are as similar to it as this
        (image(0, 1), image(3, 3), 1.0),
        (image(1, 1), image(1, 1), 1.0),
    ]


def test_images_without_a_direction_are_in_no_pair(context: RunContext, folds: list[Fold]) -> None:
    nowhere = [Picture(number=n, direction=99) for n in (1, 1, 2)]
    write_partition(context, NAMES[0], [doc("d", "text", *nowhere)])
    write_partition(context, NAMES[1], [doc("e", "text")])
    measured(context, *NAMES)
    blocks = store_all(context, folds[:1])
    choose_axes(context, blocks)
    assert compare_blocks(context, blocks[0], blocks[0], 0.5, "v1").counters == {"similar": 0}


def test_folds_without_images_have_no_blocks(context: RunContext) -> None:
    (fold,) = cut_folds(NAMES[2:3])
    assert store_all(context, [fold]) == []
    list_members(context, "similar", [], [fold], "v1")
    assert load_members(context, ["similar"], fold, 0).tolist() == []


def test_an_image_that_was_never_scored_is_compared_by_its_bytes_alone(context: RunContext, folds: list[Fold]) -> None:
    path = context.folder.path(CLIP_MEASURES, NAMES[0])
    scored = context.folder.read(CLIP_MEASURES, NAMES[0])
    Path(path).unlink()
    context.folder.write(CLIP_MEASURES, NAMES[0], rows=scored.slice(1), made_from="some")
    measured(context, *NAMES)
    blocks = store_all(context, folds)
    table = read_part(vectors_path(context, blocks[0]), 0)
    assert table["image"].to_pylist() == [image(0, 1), image(1, 1)]


def test_pairs_do_not_depend_on_how_the_axes_were_chosen(
    context: RunContext, folds: list[Fold], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = store_all(context, folds)
    found = []
    for num_blocks, num_images, made_from in ((8, 1024, "a"), (1, 1, "b")):
        monkeypatch.setattr(propose, "SAMPLE_NUM_BLOCKS", num_blocks)
        monkeypatch.setattr(propose, "SAMPLE_NUM_IMAGES", num_images)
        choose_axes(context, blocks)
        compare_blocks(context, blocks[0], blocks[1], 0.9, made_from)
        found.append(pairs(read_all([similar_path(context, *blocks)], schema=SIMILAR_IMAGES)))
    assert found[0] == found[1]
    assert float(str(found[0][0][2])) == pytest.approx(1)
