import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

import train_bridge
from train_bridge.config import DataConfig, StageConfig
from train_bridge.model.vila_llava import CHAINS
from train_bridge.model_config import Module
from train_bridge.stage_file import load_stage

STAGES = Path(train_bridge.__file__).parent / "stages"
VALID: dict[str, Any] = {
    "output": "out",
    "model": {"tiny": {}},
    "data": {"shards": "a"},
    "pack": {"seq_length": 64},
    "optim": {"lr": 0.1, "global_batch": 4},
}


def load(name: str) -> StageConfig:
    return StageConfig.model_validate(yaml.safe_load((STAGES / f"{name}.yaml").read_text()))


@pytest.mark.parametrize(
    ("name", "lr", "batch", "length", "trainable"),
    [
        ("stage0_projector", 1e-3, 256, 2048, {Module.PROJECTOR}),
        ("stage1_pretrain", 5e-5, 1024, 4096, {Module.PROJECTOR, Module.LLM}),
        ("stage2_sft", 2e-5, 128, 4096, {Module.PROJECTOR, Module.LLM}),
    ],
)
def test_stages_have_the_papers_values(name: str, lr: float, batch: int, length: int, trainable: set[Module]) -> None:
    stage = load(name)
    assert (stage.optim.lr, stage.optim.global_batch, stage.pack.seq_length) == (lr, batch, length)
    assert stage.model.trainable == trainable
    assert (stage.optim.warmup_ratio, stage.optim.weight_decay, stage.optim.epochs) == (0.03, 0.0, 1)
    assert stage.run.precision == "bf16"
    assert stage.run.gradient_checkpointing


@pytest.mark.parametrize("name", ["demo_stage0", "demo_stage1", "demo_stage2"])
def test_demo_stages_are_valid(name: str) -> None:
    assert load(name).optim.max_steps is not None


def test_stages_chain() -> None:
    assert load("stage1_pretrain").init_from == f"{load('stage0_projector').output}/final"
    assert load("stage2_sft").init_from == f"{load('stage1_pretrain').output}/final"


def test_one_folder_is_a_list_of_one() -> None:
    assert DataConfig.model_validate({"shards": "a"}).shards == ("a",)
    assert DataConfig.model_validate({"shards": ["a", "b"]}).shards == ("a", "b")


@pytest.mark.parametrize(
    "model",
    [{}, {"vision": "v"}, {"llm": "l"}, {"vision": "v", "llm": "l", "tiny": {}}],
)
def test_weights_have_one_origin(model: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of"):
        StageConfig.model_validate(VALID | {"model": model})


def test_two_origins_are_refused() -> None:
    with pytest.raises(ValidationError, match="exactly one of"):
        StageConfig.model_validate(VALID | {"init_from": "folder"})


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("optim", {"lr": 0.1, "global_batch": 4, "micro_batch": 3}),
        ("pack", {"seq_length": 64, "max_carry": 513}),
        ("model", {"tiny": {"image_size": 20, "patch_size": 8}}),
        ("data", {"shards": []}),
        ("data", {"shards": "a", "kinds": ["video"]}),
    ],
)
def test_values_that_cannot_work_are_refused(section: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StageConfig.model_validate(VALID | {section: values})


def test_sets_are_written_in_order() -> None:
    stage = StageConfig.model_validate(VALID | {"data": {"shards": "a", "kinds": ["text", "pair", "interleaved"]}})
    assert stage.model_dump(mode="json")["data"]["kinds"] == ["interleaved", "pair", "text"]


@pytest.mark.parametrize("path", sorted(STAGES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_stage_that_ships_is_valid(path: Path) -> None:
    assert load_stage(str(path)).output


@pytest.mark.parametrize(
    ("name", "side_px", "patch_px", "tokens"),
    [("stage0_projector", 336, 14, 576), ("vila15_stage0", 384, 14, 196), ("nvila_lite_stage0", 448, 14, 121)],
)
def test_stages_say_how_many_tokens_an_image_is(name: str, side_px: int, patch_px: int, tokens: int) -> None:
    config = load_stage(str(STAGES / f"{name}.yaml"))
    projector = config.model.new_projector
    factor = CHAINS[projector][0] if projector in CHAINS else 1
    assert math.ceil(side_px // patch_px / factor) ** 2 == tokens
    tiles = config.image.max_tiles + 1 if config.image.mode == "tiles" else 1
    assert config.pack.seq_length > tiles * tokens
    assert f"{tokens} tokens per" in (STAGES / f"{name}.yaml").read_text()
