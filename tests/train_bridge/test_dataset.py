import pickle
from dataclasses import replace
from typing import Any

import pytest

from train_bridge.collate import Batch
from train_bridge.cursor import Cursor
from train_bridge.dataset import DatasetSpec, ShardDataset, load_batches


def content(batch: Batch) -> tuple[Any, ...]:
    return batch.packs, batch.input_ids.tolist(), batch.pixel_values.sum().item()


def batches(spec: DatasetSpec, **options: Any) -> list[tuple[Any, ...]]:
    return [content(batch) for batch in ShardDataset(spec, **options)]


def test_ranks_share_one_sequence_of_packs(spec: DatasetSpec) -> None:
    alone = batches(spec)
    pairs = zip(batches(spec, rank=0, world_size=2), batches(spec, rank=1, world_size=2), strict=False)
    together = [batch for pair in pairs for batch in pair]
    assert together == alone[: len(together)]
    assert [batch[0] for batch in alone] == [(number,) for number in range(len(alone))]


def test_batches_of_several_packs(spec: DatasetSpec) -> None:
    found = batches(replace(spec, packs_per_batch=2), rank=1, world_size=2)
    assert [packs for packs, *_ in found[:2]] == [(1, 3), (5, 7)]


@pytest.mark.slow
def test_loader_processes_change_nothing(spec: DatasetSpec) -> None:
    assert [content(batch) for batch in load_batches(ShardDataset(spec), num_workers=2)] == batches(spec)


def test_it_goes_on_from_its_state(spec: DatasetSpec) -> None:
    whole = batches(spec)
    dataset = ShardDataset(spec)
    iterator = iter(dataset)
    for _ in range(3):
        next(iterator)
    state = dataset.state_dict()
    iterator.close()  # type: ignore[attr-defined]  # a generator
    resumed = ShardDataset(spec)
    resumed.load_state_dict(state)
    assert [content(batch) for batch in resumed] == whole[3:]


def test_the_state_of_two_ranks_serves_one(spec: DatasetSpec) -> None:
    dataset = ShardDataset(spec, rank=1, world_size=2)
    iterator = iter(dataset)
    next(iterator)
    next(iterator)
    cursor = Cursor.from_json(str(dataset.state_dict()["cursor"]))
    assert cursor.next_pack == 4
    assert batches(spec, cursor=cursor) == batches(spec)[4:]
    iterator.close()  # type: ignore[attr-defined]  # a generator


def test_it_is_pickled_as_its_settings(spec: DatasetSpec) -> None:
    data = pickle.dumps(ShardDataset(spec))
    assert len(data) < 2000
    assert content(next(iter(pickle.loads(data)))) == batches(spec)[0]  # noqa: S301 - our own bytes
