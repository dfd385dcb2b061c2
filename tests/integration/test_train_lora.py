"""Stages of adapters: on one rank and on several, stopped, gone on with, merged, and gone on from."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.distributed.checkpoint.filesystem import FileSystemReader
from transformers import LlavaForConditionalGeneration

from tests.integration.rank_processes import finish, start_ranks
from tests.train_bridge.conftest import make_sample, stage_config, write_set
from tests.train_bridge.tasks.conftest import question
from train_bridge.__main__ import main as train
from train_bridge.config import StageConfig
from train_bridge.export import main as export
from train_bridge.training.loop import train_stage
from train_bridge.training.metrics import read_metrics
from train_bridge.training.ranks import joined_ranks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NUM_STEPS = 4
RATE = "optim.module_lr={vision: 2.0e-2}"
MODEL = {
    "trainable": ["projector"],
    "lora": {"llm": {"rank": 4, "alpha": 16}, "vision": {"rank": 2}},
    "unfreeze": ["*.layers.1.input_layernorm.weight"],
}
LAYOUTS: dict[str, dict[str, object]] = {
    "one replica": {"shard": 2, "replicate": 1},
    "two replicas": {"shard": 1, "replicate": 2},
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_set(tmp_path_factory.mktemp("lora") / "set", [make_sample(number) for number in range(48)])


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_set(tmp_path_factory.mktemp("questions") / "set", [question(number) for number in range(6)])


def stage_of(shards: str, output: Path, *, model: dict[str, Any], **run: Any) -> StageConfig:
    return stage_config(
        shards,
        output,
        model=model,
        optim={"max_steps": NUM_STEPS, "global_batch": 8, "lr": 1e-2, "warmup_ratio": 0, "schedule": "constant"},
        data={"order": "shuffled", "validation_share": 0.1},
        run={"gradient_checkpointing": True, "keep_checkpoints": 9} | run,
    )


def stored(config: StageConfig) -> str:
    path = Path(config.output).with_suffix(".yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return str(path)


@pytest.fixture(scope="module")
def alone(shards: str, questions: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of one rank, with all its checkpoints."""
    task = {
        "vqa": {"shards": [questions], "task": "vqa", "limit": 2, "shots": [1], "num_support": 1, "max_new_tokens": 3}
    }
    output = tmp_path_factory.mktemp("alone") / "out"
    assert train([stored(stage_of(shards, output, model=MODEL, tasks=task, eval_every=2)), "--set", RATE]) == 0
    return output


def seen(output: Path) -> list[float]:
    """Return the losses of the steps and of held-out documents, and the scores of tasks."""
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    held_out = [line["validation"]["loss"] for line in lines if "validation" in line]
    scores = [score["score"] for line in lines for score in line.get("tasks", [])]
    return [*(float(record["loss"]) for record in read_metrics(output)), *held_out, *scores]


def final_weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "final" / "model.safetensors")


def test_two_ranks_learn_what_one_does_however_they_share_the_model(alone: Path, tmp_path: Path) -> None:
    stage = str(alone.with_suffix(".yaml"))
    expected = seen(alone)
    assert len(expected) == NUM_STEPS + 2 + 2  # and two looks, each with a task
    for name, layout in LAYOUTS.items():
        changes = [RATE, f"output={tmp_path / name}", *(f"parallel.{key}={value}" for key, value in layout.items())]
        errors = tmp_path / "errors"
        arguments = [stage, *(part for change in changes for part in ("--set", change))]
        assert finish(start_ranks(arguments, num_ranks=2, errors=errors)) == [0, 0], errors.read_text()
        assert seen(tmp_path / name) == pytest.approx(expected, abs=1e-5)
        found, whole = final_weights(tmp_path / name), final_weights(alone)
        assert found.keys() == whole.keys()
        for weight, value in whole.items():
            torch.testing.assert_close(found[weight], value, atol=1e-4, rtol=1e-4, msg=weight)


def test_two_ranks_go_on_with_what_one_began(alone: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    shutil.copytree(alone, output)
    shutil.rmtree(output / "final")
    shutil.rmtree(output / "checkpoints" / f"step-{NUM_STEPS:08d}")
    arguments = [str(alone.with_suffix(".yaml")), "--resume", "--set", RATE, "--set", f"output={output}"]
    errors = tmp_path / "errors"
    assert finish(start_ranks(arguments, num_ranks=2, errors=errors)) == [0, 0], errors.read_text()
    losses, whole = ([float(record["loss"]) for record in read_metrics(one)] for one in (output, alone))
    assert losses == pytest.approx(whole, abs=1e-5)
    assert len(losses) == NUM_STEPS


def test_a_resumed_run_is_the_undisturbed_one_with_dropout_too(shards: str, tmp_path: Path) -> None:
    model = MODEL | {"lora": {"llm": {"rank": 4, "dropout": 0.3}}}
    configs = {name: stage_of(shards, tmp_path / name, model=model) for name in ("whole", "parts")}
    steps = itertools.count(1)
    with joined_ranks() as ranks:
        train_stage(configs["whole"], ranks=ranks)
        train_stage(configs["parts"], ranks=ranks, asked=lambda: next(steps) >= 2)
    assert len(read_metrics(tmp_path / "parts")) == 2
    with joined_ranks() as ranks:
        train_stage(configs["parts"], ranks=ranks)
    whole, parts = (seen(tmp_path / name) for name in ("whole", "parts"))
    assert parts == whole
    found = final_weights(tmp_path / "parts")
    assert all(torch.equal(value, found[name]) for name, value in final_weights(tmp_path / "whole").items())


def test_a_run_may_not_change_its_adapters(alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(alone, tmp_path / "out")
    changes = [RATE, f"output={tmp_path / 'out'}", "model.lora.llm.rank=8"]
    overrides = [part for change in changes for part in ("--set", change)]
    assert train([str(alone.with_suffix(".yaml")), "--resume", *overrides]) == 1
    assert "model.lora.llm.rank was 4, is 8" in capsys.readouterr().err


def test_a_checkpoint_holds_what_learns(alone: Path) -> None:
    stored_names = FileSystemReader(alone / "checkpoints" / f"step-{NUM_STEPS:08d}").read_metadata().state_dict_metadata
    names = {name.removeprefix("model.") for name in stored_names if name.startswith("model.")}
    assert {name.rpartition(".default.")[0].rpartition(".")[2] for name in names if ".default." in name} == {
        "lora_A",
        "lora_B",
    }
    whole = {name for name in names if ".default." not in name}
    assert all("multi_modal_projector" in name or name.endswith("1.input_layernorm.weight") for name in whole)


def test_a_checkpoint_is_exported_as_the_run_exported_it(alone: Path, tmp_path: Path) -> None:
    assert export([str(alone), "--out", str(tmp_path / "newest")]) == 0
    newest = load_file(tmp_path / "newest" / "model.safetensors")
    assert newest.keys() == final_weights(alone).keys()
    assert all(torch.equal(value, newest[name]) for name, value in final_weights(alone).items())
    assert export([str(alone), "--step", "2", "--for", "vila", "--out", str(tmp_path / "vila")]) == 0
    assert not [path for path in (tmp_path / "vila").rglob("*") if "adapter" in path.name]
    older = load_file(tmp_path / "vila" / "llm" / "model.safetensors")
    name = "layers.0.self_attn.q_proj.weight"
    assert not torch.equal(older[f"model.{name}"], newest[f"language_model.model.{name}"])


def test_what_is_exported_is_plain_and_the_next_stage_goes_on_with_it(alone: Path, shards: str, tmp_path: Path) -> None:
    files = {path.name for path in (alone / "final").iterdir()}
    assert not [name for name in files if "adapter" in name]
    assert not [name for name in final_weights(alone) if "lora" in name or "base_layer" in name]
    loaded = LlavaForConditionalGeneration.from_pretrained(alone / "final")
    assert torch.isfinite(loaded(input_ids=torch.arange(3, 9)[None]).logits).all()
    config = stage_config(
        shards, tmp_path / "next", model={"tiny": None, "trainable": ["llm"]}, init_from=str(alone / "final")
    )
    assert train([stored(config)]) == 0
    first, last = read_metrics(tmp_path / "next")[0], read_metrics(alone)[0]
    assert first["loss"] < last["loss"]


@pytest.mark.parametrize("num_ranks", [1, 2])
def test_frozen_weights_in_bf16_are_learned_beside_as_well(shards: str, tmp_path: Path, num_ranks: int) -> None:
    for name in ("fp32", "bf16"):
        model = MODEL | {"frozen_dtype": name}
        stage = stored(stage_of(shards, tmp_path / name, model=model, precision="bf16"))
        short = [stage, "--set", "optim.max_steps=2"]
        if num_ranks == 1:
            assert train(short) == 0
            continue
        errors = tmp_path / "errors"
        assert finish(start_ranks(short, num_ranks=num_ranks, errors=errors)) == [0] * num_ranks, errors.read_text()
    assert seen(tmp_path / "bf16") == seen(tmp_path / "fp32")
    rounded, whole = (final_weights(tmp_path / name) for name in ("bf16", "fp32"))
    name = "vision_tower.vision_model.encoder.layers.1.mlp.fc1.weight"  # not used, so it has no adapter
    assert torch.equal(rounded[name], whole[name].bfloat16().float())
    assert not torch.equal(rounded[name], whole[name])
