from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from curate.contract.errors import CurateError, RecipeError
from tests.train_bridge.conftest import stage_config
from tests.train_bridge.training.spread_ranks import on_ranks
from train_bridge.config import StageConfig
from train_bridge.data.dataset import BatchDataset
from train_bridge.training.prepare import prepare, run_identity
from train_bridge.training.ranks import Ranks, gather, joined_ranks


def test_everything_is_built_and_built_alike_again(shard_folder: str, tmp_path: Path) -> None:
    config = stage_config(shard_folder, tmp_path, optim={"max_steps": None, "epochs": 1})
    with joined_ranks() as ranks:
        first, again = prepare(config, ranks=ranks), prepare(config, ranks=ranks)
    assert first.spec == again.spec
    assert first.num_steps == again.num_steps > 0
    assert first.spec.num_epochs == 1
    assert not first.spec.always_image
    assert run_identity(config, first) == run_identity(config, again)
    assert (tmp_path / "processor" / "tokenizer.json").exists()


def longest_pack(config: StageConfig, ranks: Ranks) -> int:
    """Return the length of the longest batch of a step; all documents are text, so that some rank has no image."""
    spec = prepare(config, ranks=ranks).spec
    batches = BatchDataset(spec, rank=ranks.rank, world_size=ranks.world_size)
    return max(gather(max(batch.input_ids.shape[1] for batch in islice(batches, 4))))


@pytest.mark.slow
def test_packs_of_several_ranks_are_no_longer_than_they_may_be(shard_folder: str, tmp_path: Path) -> None:
    config = stage_config(shard_folder, tmp_path, data={"kinds": ["text"]}, optim={"max_steps": 4})
    longest = on_ranks(partial(longest_pack, config), num_ranks=2)
    assert isinstance(longest, int)
    assert 60 < longest <= config.pack.seq_length


def test_max_steps_needs_no_end_of_the_data(shard_folder: str, tmp_path: Path) -> None:
    with joined_ranks() as ranks:
        prepared = prepare(stage_config(shard_folder, tmp_path, optim={"max_steps": 99}), ranks=ranks)
    assert (prepared.num_steps, prepared.spec.num_epochs) == (99, None)


def test_the_identity_is_what_is_learned_not_how_it_runs(shard_folder: str, tmp_path: Path) -> None:
    config = stage_config(shard_folder, tmp_path)
    changes = [
        stage_config(shard_folder, tmp_path, optim={"lr": 1.0}),
        stage_config(shard_folder, tmp_path, optim={"optimiser": "adamw_8bit"}),
        stage_config(shard_folder, tmp_path, data={"placement": "matched"}),
        stage_config(shard_folder, tmp_path, run={"seed": 4}),
        stage_config(shard_folder, tmp_path, model={"trainable": ["projector"], "lora": {"llm": {}}}),
        stage_config(shard_folder, tmp_path, model={"frozen_dtype": "bf16"}),
    ]
    same = [
        stage_config(shard_folder, tmp_path, optim={"micro_batch": 2}),
        stage_config(shard_folder, tmp_path, run={"num_workers": 3, "checkpoint_every": 9}),
        stage_config("moved/elsewhere", tmp_path),
        stage_config(shard_folder, tmp_path, parallel={"replicate": 2}),
    ]
    with joined_ranks() as ranks:
        prepared = prepare(config, ranks=ranks)
    identity = run_identity(config, prepared)
    assert all(run_identity(other, prepared) != identity for other in changes)
    assert all(run_identity(other, prepared) == identity for other in same)
    model = identity["model"]
    assert isinstance(model, dict)
    assert not model.keys() & {"lora", "frozen_dtype"}  # as in checkpoints that are older than these


def test_a_sequence_too_short_for_an_image(shard_folder: str, tmp_path: Path) -> None:
    config = stage_config(
        shard_folder, tmp_path, pack={"seq_length": 16}, model={"tiny": {"image_size": 32, "patch_size": 8}}
    )
    with joined_ranks() as ranks, pytest.raises(RecipeError, match="too short"):
        prepare(config, ranks=ranks)


def test_more_packs_per_step_than_there_are(shard_folder: str, tmp_path: Path) -> None:
    config = stage_config(shard_folder, tmp_path, optim={"max_steps": None, "global_batch": 5000})
    with joined_ranks() as ranks, pytest.raises(CurateError, match="fewer packs"):
        prepare(config, ranks=ranks)
