import itertools
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader
from transformers import LlavaProcessor

import train_bridge
from curate.contract.errors import CurateError, ShardError, StorageError
from shards.reader import read_index
from tests.train_bridge import faulty_store
from tests.train_bridge.conftest import TINY, make_sample, stage_config, write_set
from train_bridge.config import DataConfig, PackConfig
from train_bridge.data import shard_dataset
from train_bridge.data.shard_dataset import ShardDataset
from train_bridge.model.llava import build_model


@pytest.fixture(scope="module")
def saved(processor: LlavaProcessor, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("processor")
    processor.save_pretrained(folder)
    return str(folder)


def make(shard_folder: str, saved: str, **options: Any) -> ShardDataset:
    return ShardDataset(shard_folder, processor=saved, pack=PackConfig(seq_length=64), cache_dir=saved, **options)


def words(batches: Any) -> list[list[int]]:
    """Return the labels of each batch, which a dummy image does not change."""
    return [batch["labels"][batch["labels"] >= 0].tolist() for batch in batches]


def test_it_is_what_the_package_offers() -> None:
    assert train_bridge.ShardDataset is ShardDataset
    with pytest.raises(AttributeError, match="no attribute 'Shards'"):
        _ = train_bridge.Shards


def test_a_model_takes_its_batches(shard_folder: str, saved: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    model = build_model(stage_config(shard_folder, tmp_path, model={"tiny": TINY.model_dump()}), processor=processor)
    for batch in make(shard_folder, saved, batch_size=2):
        assert batch["attention_mask"].shape == (*batch["input_ids"].shape[:1], 1, *[batch["input_ids"].shape[1]] * 2)
        assert batch["pixel_values"].dtype == torch.float32
        assert model(**batch).loss.isfinite()


def test_it_goes_on_from_its_state(shard_folder: str, saved: str) -> None:
    whole = words(make(shard_folder, saved))
    first = make(shard_folder, saved)
    iterator = iter(first)
    head = words(next(iterator) for _ in range(3))
    resumed = make(shard_folder, saved)
    resumed.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))  # noqa: S301 - our own bytes
    assert head + words(resumed) == whole
    assert len(pickle.dumps(first.state_dict())) < 4096


def test_the_state_of_a_batch_serves_another_number_of_ranks(shard_folder: str, saved: str) -> None:
    whole = words(make(shard_folder, saved))
    ranks = [iter(make(shard_folder, saved, ranks=(rank, 2), with_state=True)) for rank in (0, 1)]
    taken = [next(rank) for _ in range(2) for rank in ranks]
    assert sorted(words(taken)) == sorted(whole[:4])
    assert taken[2]["state"] == taken[3]["state"]
    alone = make(shard_folder, saved)
    alone.resume(taken[3]["state"])
    assert words(alone) == whole[4:]


def test_a_plain_loader_takes_it(shard_folder: str, saved: str) -> None:
    dataset = make(shard_folder, saved)
    loader = DataLoader(dataset, batch_size=None)
    passes = [words(loader), words(loader)]
    again = make(shard_folder, saved)
    assert passes == [words(again), words(again)] != [[], []]


def test_each_pass_has_an_order_of_its_own_and_the_same_samples(shard_folder: str, saved: str) -> None:
    dataset = make(shard_folder, saved)
    first, second = words(dataset), words(dataset)
    assert first != second
    assert sorted(token for batch in first for token in batch) == sorted(token for batch in second for token in batch)
    dataset.set_epoch(0)
    assert words(dataset) == first
    assert words(dataset) == second
    stored = DataConfig(shards=(shard_folder,), order="stored")
    kept = ShardDataset(stored, processor=saved, pack=PackConfig(seq_length=64), cache_dir=saved)
    assert words(kept) == words(kept)


@pytest.mark.parametrize("taken", [2, None])
def test_a_state_is_of_a_pass_and_at_its_end_of_the_next(shard_folder: str, saved: str, taken: int | None) -> None:
    dataset = make(shard_folder, saved, with_state=True)
    whole = [words(dataset), words(dataset), words(dataset)]
    dataset.set_epoch(1)
    seen = list(itertools.islice(dataset, taken))
    resumed = make(shard_folder, saved)
    resumed.resume(seen[-1]["state"])
    if taken is not None:
        resumed.set_epoch(1)  # a trainer says which it is: the one to go on in
        assert words(resumed) == whole[1][taken:]
    assert words(resumed) == whole[2]


def test_who_reads_is_asked_when_a_pass_begins(shard_folder: str, saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = words(make(shard_folder, saved))
    datasets = [make(shard_folder, saved) for _ in range(2)]
    parts = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, dataset in enumerate(datasets):
        monkeypatch.setenv("RANK", str(rank))
        batches = list(pickle.loads(pickle.dumps(dataset)))  # noqa: S301 - as it goes to a loader process
        assert all("pixel_values" in batch for batch in batches)
        parts.append(words(batches))
    assert len(parts[0]) == len(parts[1])
    together = sorted(batch for part in parts for batch in part)
    assert all(batch in alone for batch in together)
    assert len(together) == len(alone) - len(alone) % 2
    monkeypatch.delenv("RANK")
    with pytest.raises(CurateError, match="WORLD_SIZE is 2, but"):
        next(iter(datasets[0]))


def test_data_can_be_described(shard_folder: str, saved: str) -> None:
    pairs = DataConfig(shards=(shard_folder,), kinds=frozenset({"pair"}))
    dataset = ShardDataset(pairs, processor=saved, pack=PackConfig(seq_length=64), cache_dir=saved)
    assert 0 < sum(map(len, words(dataset))) < sum(map(len, words(make(shard_folder, saved))))


def test_storage_that_stays_away_is_an_error_and_no_empty_batch(
    shard_folder: str, saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_dataset, "READ_PATIENCE_S", 0.0)
    with faulty_store.faulty_set(shard_folder) as url:
        dataset = make(url, saved)
        faulty_store.refuse(after=2, times=10**9)
        with pytest.raises(StorageError, match=r"faulty://set.*expired"):
            list(dataset)


def test_a_sample_that_is_left_out_is_told(saved: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_set(tmp_path / "set", [make_sample(number) for number in range(12)])
    dataset = make(folder, saved)
    row = read_index(folder).to_pylist()[0]
    with (Path(folder) / row["shard"]).open("r+b") as file:
        file.seek(row["parts"][1]["offset"])
        file.write(b"\0" * 50)
    with caplog.at_level("WARNING", logger=shard_dataset.logger.name):
        assert words(dataset)
    (record,) = caplog.records
    assert row["key"] in record.getMessage()
    assert "broken_image" in record.getMessage()


def test_what_is_no_state_is_refused(shard_folder: str, saved: str) -> None:
    with pytest.raises(ValueError, match="not a plan cursor"):
        make(shard_folder, saved).resume("{}")


def test_a_missing_shard_is_named_at_once(saved: str, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="nowhere"):
        make(str(tmp_path / "nowhere"), saved)
