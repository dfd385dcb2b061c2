"""The real loop on ranks that share the model in several ways: all learn what one rank learns."""

from pathlib import Path

import pytest
import yaml

from tests.integration.rank_processes import finish, start_ranks
from tests.train_bridge.conftest import make_sample, stage_config, write_set
from train_bridge.training.metrics import read_metrics

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NUM_STEPS = 4
LAYOUTS: dict[str, dict[str, object]] = {
    "one replica": {"shard": 2, "replicate": 1},
    "two replicas": {"shard": 1, "replicate": 2},
    "deferred": {"defer_reduce": True},
}


def losses_of(stage: Path, output: Path, *, num_ranks: int, settings: dict[str, object]) -> list[float]:
    overrides = [f"output={output}", *(f"parallel.{name}={value}" for name, value in settings.items())]
    errors = output.with_suffix(".errors")
    arguments = [str(stage), *(part for override in overrides for part in ("--set", override))]
    assert finish(start_ranks(arguments, num_ranks=num_ranks, errors=errors)) == [0] * num_ranks, errors.read_text()
    return [float(record["loss"]) for record in read_metrics(output)]


def test_two_ranks_learn_what_one_does_however_they_share_the_model(tmp_path: Path) -> None:
    shards = write_set(tmp_path / "set", [make_sample(number) for number in range(48)])
    config = stage_config(
        shards,
        tmp_path,
        model={"trainable": ["vision", "projector", "llm"]},
        optim={"max_steps": NUM_STEPS, "global_batch": 8, "micro_batch": 1},
        data={"order": "shuffled"},
    )
    stage = tmp_path / "stage.yaml"
    stage.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    alone = losses_of(stage, tmp_path / "alone", num_ranks=1, settings={})
    assert len(alone) == NUM_STEPS
    for name, settings in LAYOUTS.items():
        assert losses_of(stage, tmp_path / name, num_ranks=2, settings=settings) == pytest.approx(alone, abs=1e-5)


def test_a_layout_that_does_not_fit_the_ranks_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    shards = write_set(tmp_path / "set", [make_sample(number) for number in range(6)])
    stage = tmp_path / "stage.yaml"
    stage.write_text(yaml.safe_dump(stage_config(shards, tmp_path / "out").model_dump(mode="json")))
    errors = tmp_path / "errors"
    arguments = [str(stage), "--set", "parallel.shard=4", "--set", "parallel.replicate=2"]
    assert finish(start_ranks(arguments, num_ranks=2, errors=errors)) == [2, 2]
    assert "parallel: replicate 2 x shard 4 is not the number of ranks, 2" in errors.read_text()
