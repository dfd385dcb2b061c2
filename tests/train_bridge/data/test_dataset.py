import pickle
from dataclasses import replace
from typing import Any

import pytest

from curate.contract.errors import ShardError
from train_bridge.data.collate import Batch
from train_bridge.data.dataset import BatchDataset, DatasetSpec, load_batches
from train_bridge.packing.cursor import Cursor


def content(batch: Batch) -> tuple[Any, ...]:
    return batch.packs, batch.input_ids.tolist(), batch.pixel_values.sum().item()


def batches(spec: DatasetSpec, **options: Any) -> list[tuple[Any, ...]]:
    return [content(batch) for batch in BatchDataset(spec, **options)]


def turns(spec: DatasetSpec, *, num_ranks: int) -> list[set[int]]:
    """Return the packs of each turn."""
    ranks = [batches(spec, rank=rank, world_size=num_ranks) for rank in range(num_ranks)]
    return [{number for packs, *_ in turn for number in packs} for turn in zip(*ranks, strict=True)]


@pytest.mark.parametrize("round_packs", [1, 4])
def test_ranks_share_one_sequence_of_packs(spec: DatasetSpec, round_packs: int) -> None:
    spec = replace(spec, round_packs=round_packs)
    alone = {packs: rest for packs, *rest in batches(spec)}
    assert sorted(alone) == [(number,) for number in range(len(alone))]
    for rank in (0, 1):
        for packs, *rest in batches(spec, rank=rank, world_size=2):
            assert alone[packs] == rest
    assert [one | other for one, other in zip(*[iter(turns(spec, num_ranks=1))] * 2, strict=False)] == turns(
        spec, num_ranks=2
    )


def test_a_step_has_the_same_packs_for_any_ranks(spec: DatasetSpec) -> None:
    spec = replace(spec, round_packs=4)
    for num_ranks in (1, 2, 4):
        found = [number for turn in turns(spec, num_ranks=num_ranks) for number in turn]
        for step in range(len(found) // 4):
            assert sorted(found[4 * step : 4 * step + 4]) == list(range(4 * step, 4 * step + 4))


def test_batches_of_several_packs(spec: DatasetSpec) -> None:
    found = [batches(replace(spec, packs_per_batch=2), rank=rank, world_size=2) for rank in (0, 1)]
    assert [sorted(one[0] + other[0]) for one, other in zip(*found, strict=True)][:2] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_lengths_of_another_tokenizer(spec: DatasetSpec) -> None:
    other = replace(spec, text_form=replace(spec.text_form, labels="assistant"))
    with pytest.raises(ShardError, match=r"was counted with tokenizer and form [0-9a-f]{16}.*are [0-9a-f]{16}"):
        next(iter(BatchDataset(other)))


def test_it_goes_on_within_a_round_on_another_number_of_ranks(spec: DatasetSpec) -> None:
    spec = replace(spec, round_packs=8)
    dataset = BatchDataset(spec, rank=1, world_size=2)
    iterator = iter(dataset)
    next(iterator)
    cursor = Cursor.from_json(str(dataset.state_dict()["cursor"]))
    iterator.close()  # type: ignore[attr-defined]  # a generator
    assert cursor.next_pack == 2
    whole = [packs for packs, *_ in batches(spec)]
    assert [packs for packs, *_ in batches(spec, cursor=cursor)] == whole[2:]


@pytest.mark.slow
def test_loader_processes_change_nothing(spec: DatasetSpec) -> None:
    assert [content(batch) for batch in load_batches(BatchDataset(spec), num_workers=2)] == batches(spec)


def test_it_goes_on_from_its_state(spec: DatasetSpec) -> None:
    whole = batches(spec)
    dataset = BatchDataset(spec)
    iterator = iter(dataset)
    for _ in range(3):
        next(iterator)
    state = dataset.state_dict()
    iterator.close()  # type: ignore[attr-defined]  # a generator
    resumed = BatchDataset(spec)
    resumed.load_state_dict(state)
    assert [content(batch) for batch in resumed] == whole[3:]


def test_the_state_of_two_ranks_serves_one(spec: DatasetSpec) -> None:
    dataset = BatchDataset(spec, rank=1, world_size=2)
    iterator = iter(dataset)
    next(iterator)
    next(iterator)
    cursor = Cursor.from_json(str(dataset.state_dict()["cursor"]))
    assert cursor.next_pack == 4
    assert batches(spec, cursor=cursor) == batches(spec)[4:]
    iterator.close()  # type: ignore[attr-defined]  # a generator


def test_it_is_pickled_as_its_settings(spec: DatasetSpec) -> None:
    data = pickle.dumps(BatchDataset(spec))
    assert len(data) < 2000
    assert content(next(iter(pickle.loads(data)))) == batches(spec)[0]  # noqa: S301 - our own bytes
