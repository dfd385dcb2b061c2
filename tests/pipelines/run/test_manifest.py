from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import CurateError
from pipelines.run.context import RunContext
from pipelines.run.manifest import (
    FOLD_PARTITIONS,
    FOLDS_PER_BUCKET,
    Manifest,
    count_buckets,
    cut_folds,
    load_manifest,
    write_manifest,
)
from tests.pipelines.corpus import Picture, doc, make_context, measured, write_partition


def row(name: str, **columns: object) -> dict[str, Any]:
    return {
        "partition": name,
        "num_docs": 1,
        "num_images": 2,
        "content": f"c-{name}",
        "facts": f"f-{name}",
        "embeddings": f"e-{name}",
    } | columns


def written(tmp_path: Path, *rows: dict[str, Any]) -> Manifest:
    return write_manifest(make_context(tmp_path), rows)


def test_folds_are_neighbours_in_order_and_leave_none_out() -> None:
    names = [f"p{n}" for n in range(7)]
    folds = cut_folds(names, size=3)
    assert [(fold.number, fold.name, fold.start, fold.partitions) for fold in folds] == [
        (0, "00000", 0, ("p0", "p1", "p2")),
        (1, "00001", 3, ("p3", "p4", "p5")),
        (2, "00002", 6, ("p6",)),
    ]
    assert cut_folds([]) == []
    assert [len(fold.partitions) for fold in cut_folds(range(FOLD_PARTITIONS + 1))] == [FOLD_PARTITIONS, 1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("num_folds", "num_buckets"), [(0, 1), (1, 1), (FOLDS_PER_BUCKET, 1), (FOLDS_PER_BUCKET + 1, 2)]
)
def test_there_is_always_a_bucket(num_folds: int, num_buckets: int) -> None:
    assert count_buckets(num_folds) == num_buckets


def test_a_manifest_is_written_and_read_back_in_input_order(tmp_path: Path) -> None:
    manifest = written(tmp_path, row("b"), row("a", num_docs=5), row("c"))
    again = load_manifest(make_context(tmp_path))
    assert again.partitions == manifest.partitions == ("b", "a", "c")
    assert again.num_docs == manifest.num_docs == 7
    assert again.digest("facts", "embeddings") == manifest.digest("facts", "embeddings")
    assert written(tmp_path).num_docs == 0


def test_a_digest_is_of_the_names_the_order_and_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    rows = [row("a"), row("b")]
    digests = {
        change: written(tmp_path, *changed).digest("facts")
        for change, changed in {
            "none": rows,
            "order": rows[::-1],
            "facts": [row("a"), row("b", facts="x")],
            "moved": [row("a", facts="f-b"), row("b", facts="f-a")],
            "less": rows[:1],
            "name": [row("a"), row("c", facts="f-b")],
        }.items()
    }
    assert len(set(digests.values())) == len(digests)
    assert written(tmp_path, row("a"), row("b", embeddings="x", content="y")).digest("facts") == digests["none"]
    manifest = written(tmp_path, *rows)
    assert len({manifest.digest(), manifest.digest("facts"), manifest.digest("facts", "embeddings")}) == 3


def test_neighbouring_columns_are_told_apart(tmp_path: Path) -> None:
    one, other = row("a", facts="xy", embeddings="z"), row("a", facts="x", embeddings="yz")
    assert written(tmp_path, one).digest("facts", "embeddings") != written(tmp_path, other).digest(
        "facts", "embeddings"
    )


def test_a_folder_without_a_finished_run_says_so(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    with pytest.raises(CurateError, match="no finished run here; start one with `curate run`"):
        load_manifest(context)
    write_manifest(context, [row("a")])
    Path(context.folder.file("partitions.parquet")).write_bytes(b"PAR1")
    with pytest.raises(CurateError, match="no finished run here"):
        load_manifest(context)


def of_two(context: RunContext, *second: Any) -> Manifest:
    write_partition(context, "p0", [doc("a", "text", Picture(number=1))])
    write_partition(context, "p1", [doc("b", *second)])
    return measured(context, "p0", "p1")


def test_a_measured_run_says_what_each_partition_holds(tmp_path: Path) -> None:
    context = make_context(tmp_path, "clip: {model: tiny}\n")
    before = of_two(context, "text", Picture(number=2), Picture(number=3))
    assert before.table.select(["partition", "num_docs", "num_images"]).to_pylist() == [
        {"partition": "p0", "num_docs": 1, "num_images": 1},
        {"partition": "p1", "num_docs": 1, "num_images": 2},
    ]
    again = of_two(context, "text", Picture(number=2), Picture(number=3))
    assert again.table.equals(before.table)
    turned = of_two(context, "text", Picture(number=2), Picture(number=3, direction=9))
    changed = [name for name in before.table.column_names if not turned.table[name].equals(before.table[name])]
    assert changed == ["content", "embeddings"]
    assert turned.table["content"][0] == before.table["content"][0]
