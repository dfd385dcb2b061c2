import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import train_bridge
from curate.contract.errors import CurateError, RecipeError
from shards.reader import read_index
from tests.train_bridge.conftest import make_sample, stage_config, write_set
from train_bridge.config import StageConfig
from train_bridge.stage_file import load_stage
from train_bridge.training.checkpoint import list_checkpoints
from train_bridge.training.loop import train_stage
from train_bridge.training.metrics import read_metrics
from train_bridge.training.ranks import joined_ranks

pytestmark = pytest.mark.slow

STAGES = Path(train_bridge.__file__).parent / "stages"


def train(config: StageConfig, *, stop_after: int | None = None) -> list[dict[str, Any]]:
    steps = itertools.count(1)
    asked = None if stop_after is None else lambda: next(steps) >= stop_after
    with joined_ranks() as ranks:
        train_stage(config, ranks=ranks, asked=asked)
    return read_metrics(config.output)


def losses(records: list[dict[str, Any]]) -> list[float]:
    return [record["loss"] for record in records]


def test_the_loss_falls(shard_folder: str, tmp_path: Path) -> None:
    records = train(stage_config(shard_folder, tmp_path, optim={"max_steps": 12}))
    assert [record["step"] for record in records] == list(range(1, 13))
    assert records[-1]["loss"] < records[0]["loss"] - 0.3
    assert records[0]["loss_by_source"].keys() == {"captions", "chat", "pages"}
    assert records[0]["fill"] > 0.7
    assert (tmp_path / "final" / "model.safetensors").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"run": {"gradient_checkpointing": True}},
        {"model": {"trainable": ["projector", "llm", "vision"]}, "data": {"order": "shuffled"}},
    ],
    ids=["plain", "checkpointing", "vision"],
)
def test_a_resumed_run_is_the_undisturbed_one(shard_folder: str, tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = {"optim": {"max_steps": 5}} | changes
    whole = train(stage_config(shard_folder, tmp_path / "whole", **settings))
    parts = stage_config(shard_folder, tmp_path / "parts", **settings)
    assert len(train(parts, stop_after=3)) == 3
    assert not (tmp_path / "parts" / "final").exists()
    assert losses(train(parts)) == pytest.approx(losses(whole), abs=1e-5)
    assert (tmp_path / "parts" / "final").exists()


def test_a_crash_goes_back_to_the_last_checkpoint(shard_folder: str, tmp_path: Path) -> None:
    whole = train(stage_config(shard_folder, tmp_path / "whole"))
    config = stage_config(shard_folder, tmp_path / "crashed")

    def crash() -> bool:
        if len(read_metrics(config.output)) == 2:
            raise KeyboardInterrupt
        return False

    with joined_ranks() as ranks, pytest.raises(KeyboardInterrupt):
        train_stage(config, ranks=ranks, asked=crash)
    assert [path.name for path in list_checkpoints(f"{config.output}/checkpoints")] == ["step-00000002"]
    assert losses(train(config)) == pytest.approx(losses(whole), abs=1e-5)


def test_stages_chain(shard_folder: str, tmp_path: Path) -> None:
    first = stage_config(shard_folder, tmp_path / "0", model={"trainable": ["projector"]}, data={"kinds": ["pair"]})
    train(first)
    second = stage_config(
        shard_folder,
        tmp_path / "1",
        model={"tiny": None},
        init_from=f"{first.output}/final",
        data={"labels": "assistant", "kinds": ["text"]},
    )
    assert train(second)[0]["loss_by_kind"].keys() == {"text"}


def test_a_corrupt_sample_is_skipped_counted_and_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", [make_sample(number) for number in range(12)])
    row = read_index(folder).to_pylist()[0]
    config = stage_config(folder, tmp_path / "out", optim={"max_steps": None, "epochs": 1, "global_batch": 1})
    with (Path(folder) / row["shard"]).open("r+b") as file:
        file.seek(row["parts"][1]["offset"])
        file.write(b"\0" * 50)
    records = train(config)
    assert sum(record["skipped"] for record in records) == 1
    text = (tmp_path / "out" / "metrics.jsonl").read_text()
    assert row["key"] in text
    assert "broken_image" in text


def test_other_settings_do_not_resume(shard_folder: str, tmp_path: Path) -> None:
    train(stage_config(shard_folder, tmp_path), stop_after=1)
    with pytest.raises(CurateError, match=r"pack\.window was 16, is 7"):
        train(stage_config(shard_folder, tmp_path, pack={"seq_length": 64, "window": 7}))


def test_a_gradient_that_is_not_finite_stops_the_run(shard_folder: str, tmp_path: Path) -> None:
    config = stage_config(shard_folder, tmp_path, optim={"lr": 1e30, "warmup_ratio": 0.0, "clip_norm": None})
    with pytest.raises(CurateError, match=r"step \d: the loss of pack \d+.* is not finite; .*hold pack \d+: 0000000"):
        train(config)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(len(doc_id) == 16 for entry in records[-1]["not_finite"] for doc_id in entry["doc_ids"])


def test_something_must_learn(shard_folder: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nothing learns"):
        train(stage_config(shard_folder, tmp_path, model={"trainable": []}))


def test_a_frozen_language_model_is_one_setting_apart(shard_folder: str, tmp_path: Path) -> None:
    stage = STAGES / "demo_stage1.yaml"
    first = stage_config(shard_folder, tmp_path / "0", optim={"max_steps": 1})
    train(first)
    sets = [f"data.shards={shard_folder}", f"init_from={first.output}/final", "optim.max_steps=2", "pack.seq_length=64"]
    trained = load_stage(str(stage), overrides=[*sets, f"output={tmp_path / 'trained'}"])
    frozen = load_stage(str(stage), overrides=[*sets, f"output={tmp_path / 'frozen'}", "model.trainable=[projector]"])
    before = load_file(Path(first.output) / "final" / "model.safetensors")
    for config, changes in ((trained, True), (frozen, False)):
        train(config)
        after = load_file(Path(config.output) / "final" / "model.safetensors")
        assert changed(before, after, "lm_head.weight") is changes
        assert changed(before, after, "multi_modal_projector.linear_1.weight")


def changed(before: dict[str, Any], after: dict[str, Any], ending: str) -> bool:
    (name,) = (name for name in before if name.endswith(ending))
    return bool((before[name] != after[name]).any())


@pytest.mark.parametrize(
    "changes", [{"model": {"projector": "mlp_downsample"}}, {"optim": {"module_lr": {"llm": 1e-4}}}]
)
def test_other_settings_train_and_resume_too(shard_folder: str, tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = train(stage_config(shard_folder, tmp_path / "whole", **changes))
    parts = stage_config(shard_folder, tmp_path / "parts", **changes)
    train(parts, stop_after=2)
    assert losses(train(parts)) == pytest.approx(losses(whole), abs=1e-5)
    assert whole[0]["mfu"] is None


def test_flex_attention_is_not_for_training_on_a_cpu(shard_folder: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no backward pass on the CPU"):
        train(stage_config(shard_folder, tmp_path, run={"attention": "flex"}))


def test_packs_are_audited_where_that_is_asked_for(shard_folder: str, tmp_path: Path) -> None:
    train(stage_config(shard_folder, tmp_path, run={"log_packs": True}))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [number for line in lines for number, _ in line.get("packs", [])] == list(range(8))
