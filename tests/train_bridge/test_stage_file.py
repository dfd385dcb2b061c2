from pathlib import Path

import pytest

from curate.contract.errors import RecipeError
from train_bridge.stage_file import load_stage

STAGE = """
output: out
model: {tiny: {}}
data: {shards: a}
pack: {seq_length: 64}
optim: {lr: 1.0e-3, global_batch: 4}
"""


@pytest.fixture
def stage(tmp_path: Path) -> str:
    path = tmp_path / "stage.yaml"
    path.write_text(STAGE)
    return str(path)


def test_overrides_win_and_make_sections(stage: str) -> None:
    config = load_stage(stage, overrides=["optim.lr=0.5", "run.seed=3", "data.shards=[b, c]", "optim.lr=0.25"])
    assert (config.optim.lr, config.run.seed, config.data.shards) == (0.25, 3, ("b", "c"))


def test_all_faults_come_at_once_with_hints(stage: str) -> None:
    overrides = ["optim.lr=-1", "optim.globl_batch=3", "pack.seq_length=x", "run.precision=fp8", "output.x=3"]
    with pytest.raises(RecipeError) as caught:
        load_stage(stage, overrides=overrides)
    text = str(caught.value)
    assert len(caught.value.faults) == 5
    assert "optim.globl_batch: unknown key (did you mean 'global_batch'?)" in text
    assert "--set output.x: output is no section" in text
    assert "(got 'x')" in text


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.yaml: cannot be read"):
        load_stage(str(tmp_path / "none.yaml"))


def test_two_origins_are_one_fault_of_the_stage(stage: str) -> None:
    with pytest.raises(RecipeError, match="model: weights come from exactly one of"):
        load_stage(stage, overrides=["init_from=folder"])
