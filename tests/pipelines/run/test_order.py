from pathlib import Path

import numpy as np
import pytest

from curate.contract.errors import CurateError
from curate.contract.schemas import BLEND_ORDER
from pipelines.run import order as order_module
from pipelines.run.context import RunContext
from pipelines.run.order import Order, read_order, write_order
from tests.pipelines.corpus import make_context


def order_of(rows: list[int], starts: list[int], *, shards: list[int] | None = None) -> Order:
    """Return an order with its repeats counted."""
    repeats = [rows[:place].count(row) for place, row in enumerate(rows)]
    return Order(
        rows=np.array(rows, dtype=np.uint32),
        repeats=np.array(repeats, dtype=np.uint8),
        shards=np.array(shards or [place // 2 for place in range(len(rows))], dtype=np.int64),
        starts=np.array(starts, dtype=np.int64),
    )


def read_back(context: RunContext, order: Order, name: str = "main") -> list[tuple[int, int, int, int]]:
    """Return (pool row, place, shard, repeat) of all samples, partition by partition."""
    found = []
    for partition, (start, stop) in enumerate(zip(order.starts[:-1], order.starts[1:], strict=True)):
        table = read_order(context, name, partition)
        assert table.schema.equals(BLEND_ORDER)
        rows = [int(start) + row for row in table["row"].to_pylist()]
        assert all(start <= row < stop for row in rows)
        found += list(zip(rows, *(table[n].to_pylist() for n in ("place", "shard", "repeat")), strict=True))
    return found


def test_each_partition_reads_its_samples_in_the_order_of_the_set(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_order(context, "main", order_of([4, 0, 3, 0, 4], [0, 2, 2, 5]), made_from="v1")
    assert read_order(context, "main", 0).to_pylist() == [
        {"place": 1, "shard": 0, "row": 0, "repeat": 0},
        {"place": 3, "shard": 1, "row": 0, "repeat": 1},
    ]
    assert read_order(context, "main", 1).num_rows == 0
    assert read_order(context, "main", 2).to_pylist() == [
        {"place": 0, "shard": 0, "row": 2, "repeat": 0},
        {"place": 2, "shard": 1, "row": 1, "repeat": 0},
        {"place": 4, "shard": 2, "row": 2, "repeat": 1},
    ]


@pytest.mark.parametrize("fold_partitions", [1, 2, 3, 64])
def test_folds_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fold_partitions: int) -> None:
    monkeypatch.setattr(order_module, "FOLD_PARTITIONS", fold_partitions)
    rng = np.random.default_rng(7)
    sizes = [3, 0, 5, 1, 0, 4, 2]
    starts = np.cumsum([0, *sizes])
    rows = rng.permutation(np.concatenate([np.arange(15), rng.choice(15, 9, replace=False)])).tolist()
    order = order_of(rows, starts.tolist())
    context = make_context(tmp_path)
    write_order(context, "main", order, made_from="v1")
    found = read_back(context, order)
    by_place = sorted((place, row, shard, repeat) for row, place, shard, repeat in found)
    assert by_place == [(place, row, place // 2, rows[:place].count(row)) for place, row in enumerate(rows)]
    num_files = len(list(Path(context.folder.file("blend", "order", "main")).iterdir()))
    assert num_files == -(-len(sizes) // fold_partitions)


def test_documents_that_are_not_drawn_are_in_no_partition_s_order(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_order(context, "main", order_of([1], [0, 2, 4]), made_from="v1")
    assert [read_order(context, "main", n)["row"].to_pylist() for n in (0, 1)] == [[1], []]


def test_sets_have_orders_of_their_own(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    orders = {"main": order_of([0, 1], [0, 1, 2]), "less": order_of([1], [0, 1, 2])}
    for name, order in orders.items():
        write_order(context, name, order, made_from=name)
    assert {name: len(read_back(context, order, name)) for name, order in orders.items()} == {"main": 2, "less": 1}


def test_a_lost_order_is_named(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match=r"blend/order/main/00000\.arrow: cannot be read"):
        read_order(make_context(tmp_path), "main", 3)


def test_the_digest_is_of_documents_repeats_and_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.array([7, 8, 9, 10], dtype=np.uint64)
    order = order_of([2, 0, 2, 1], [0, 4])
    same = order.digest(hashes)
    relisted = order_of([1, 3, 1, 0], [0, 2, 4])  # the same documents, in another listing
    assert relisted.digest(np.array([8, 9, 10, 7], dtype=np.uint64)) == same
    others = [
        order_of([2, 0, 1, 2], [0, 4]).digest(hashes),
        order_of([2, 0, 2], [0, 4]).digest(hashes),
        order_of([2, 0, 2, 1], [0, 4], shards=[0, 0, 0, 1]).digest(hashes),
        order.digest(hashes + np.uint64(1)),
    ]
    assert len({same, *others}) == 5
    monkeypatch.setattr(order_module, "CHUNK", 3)
    wide = order_of([2, 0, 2], [0, 4])
    assert wide.digest(hashes) == others[1]
