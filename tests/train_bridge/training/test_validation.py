import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.integration.rank_processes import finish, start_ranks
from tests.train_bridge import faulty_store
from tests.train_bridge.conftest import stage_config
from train_bridge.__main__ import main
from train_bridge.config import StageConfig
from train_bridge.data.dataset import BatchDataset, DatasetSpec
from train_bridge.training.budget import RunStoppedError
from train_bridge.training.checkpoint import list_checkpoints
from train_bridge.training.loop import train_stage
from train_bridge.training.ranks import joined_ranks
from train_bridge.training.validation import ValidationLoss, held_out_spec


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_all_ranks_together_read_each_held_out_document_once(spec: DatasetSpec, world_size: int) -> None:
    held_out = held_out_spec(replace(spec, validation_share=0.4, always_image=world_size > 1), world_size=world_size)
    batches = [list(BatchDataset(held_out, rank=rank, world_size=world_size)) for rank in range(world_size)]
    assert len({len(own) for own in batches}) == 1
    num_tokens = sum(batch.num_tokens for own in batches for batch in own)
    surveys = held_out.open_corpus().survey()
    per_image = held_out.plan.capacity.tokens_per_image
    assert num_tokens == sum(one.num_tokens + one.num_images * (per_image - 1) for one in surveys)


def stage_of(config: StageConfig, path: Path) -> str:
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return str(path)


def held_out_losses(output: Path) -> dict[int, ValidationLoss]:
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["validation"] for line in lines if "validation" in line}


@pytest.mark.slow
def test_a_run_looks_at_what_it_holds_out_and_two_ranks_see_the_same(shard_folder: str, tmp_path: Path) -> None:
    config = stage_config(
        shard_folder,
        tmp_path / "one",
        data={"validation_share": 0.3},
        optim={"max_steps": 5},
        run={"eval_every": 2},
    )
    stage = stage_of(config, tmp_path / "stage.yaml")
    assert main([stage]) == 0
    alone = held_out_losses(tmp_path / "one")
    assert list(alone) == [2, 4, 5]
    assert alone[5]["loss"] < alone[2]["loss"]
    assert {source.partition(" / ")[2] for source in alone[5]["sources"]} == {"interleaved", "pair", "text"}
    assert finish(start_ranks([stage, "--set", f"output={tmp_path / 'two'}"], num_ranks=2)) == [0, 0]
    together = held_out_losses(tmp_path / "two")
    for step, found in alone.items():
        assert together[step]["label_tokens"] == found["label_tokens"]
        assert together[step]["loss"] == pytest.approx(found["loss"], abs=1e-4)


@pytest.mark.slow
def test_held_out_documents_that_cannot_be_read_end_the_run_saved(shard_folder: str, tmp_path: Path) -> None:
    with faulty_store.faulty_set(shard_folder) as url:
        config = stage_config(
            url,
            tmp_path / "out",
            data={"validation_share": 0.3},
            optim={"max_steps": 4},
            run={"eval_every": 2, "read_patience_s": 0},
        )
        asked = iter([False, True])

        def stop_and_break() -> bool:
            must_stop = next(asked)
            if must_stop:
                faulty_store.refuse(after=0, times=10**9)
            return must_stop

        with joined_ranks() as ranks, pytest.raises(RunStoppedError, match=r"held-out documents after step 2.*expired"):
            train_stage(config, ranks=ranks, asked=stop_and_break)
    assert [path.name for path in list_checkpoints(f"{config.output}/checkpoints")] == ["step-00000002"]
    assert not held_out_losses(tmp_path / "out")


def test_what_is_not_held_out_cannot_be_looked_at(
    shard_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = stage_config(shard_folder, tmp_path / "out")
    stage = stage_of(config, tmp_path / "stage.yaml")
    assert main([stage, "--set", "run.eval_every=2"]) == 2
    assert "data.validation_share holds nothing out" in capsys.readouterr().err
