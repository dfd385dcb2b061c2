import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import LlavaProcessor

from curate.contract.errors import ShardError
from tests.integration.rank_processes import finish, start_ranks
from tests.train_bridge.conftest import stage_config, write_set
from tests.train_bridge.tasks.conftest import caption, choice, question
from train_bridge.config import StageConfig, TaskConfig
from train_bridge.model.attention import set_attention
from train_bridge.model.llava import build_model
from train_bridge.tasks.answerer import Answerer
from train_bridge.tasks.run import Questions, ask_all
from train_bridge.training.few_shot import ask_tasks, read_tasks
from train_bridge.training.loop import train_stage
from train_bridge.training.metrics import read_metrics
from train_bridge.training.ranks import joined_ranks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> str:
    samples = [make(number) for number in range(6) for make in (caption, question, choice)]
    return write_set(tmp_path_factory.mktemp("few_shot") / "set", samples)


def tasks(folder: str, **settings: Any) -> dict[str, Any]:
    shared = {"shards": [folder], "limit": 4, "num_support": 2, "max_new_tokens": 3, "shots": [0, 2]} | settings
    return {name: shared | {"task": name} for name in ("caption", "vqa", "choice")}


def with_tasks(shards: str, output: Path, folder: str, **run: Any) -> StageConfig:
    return stage_config(shards, output, run={"eval_every": 2, "tasks": tasks(folder)} | run)


def test_scores_are_those_of_the_evaluation_command(
    shard_folder: str, processor: LlavaProcessor, questions: str, tmp_path: Path
) -> None:
    config = stage_config(shard_folder, tmp_path)
    model = build_model(config, processor=processor)
    found = read_tasks({name: TaskConfig.model_validate(task) for name, task in tasks(questions).items()})
    assert [len(task.examples) for task in found] == [6, 6, 6]
    set_attention(model, "segments")
    model.train()
    with joined_ranks() as ranks:
        scores = ask_tasks(found, model, processor, ranks=ranks, context=nullcontext, attention="segments")
    assert [(one.task, one.shots, one.examples) for one in scores] == [
        (name, shots, 4) for name in ("caption", "vqa", "choice") for shots in (0, 2)
    ]
    assert model.training
    assert model.config.text_config._attn_implementation == "segments"
    set_attention(model, "mask")
    answerer = Answerer(model, processor)
    for task in found:
        for shots in (0, 2):
            asked = Questions(task=task.config.task, max_new_tokens=3, limit=4)
            result, _ = ask_all(answerer, task.examples, asked, num_shots=shots)
            assert result["score"] in [one.score for one in scores if (one.task, one.shots) == (task.name, shots)]


def test_a_stage_asks_as_often_as_it_is_told_and_learns_what_it_would_have(
    shard_folder: str, questions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, run in (("asked", {"eval_every": 2, "tasks": tasks(questions)}), ("plain", {})):
        with joined_ranks() as ranks:
            train_stage(stage_config(shard_folder, tmp_path / name, run=run), ranks=ranks)
    lines = [json.loads(line) for line in (tmp_path / "asked" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "tasks" in line] == [2, 4]
    assert {one["task"] for line in lines for one in line.get("tasks", [])} == {"caption", "vqa", "choice"}
    assert "step 4: vqa, 2 shots: VQA accuracy" in capsys.readouterr().out
    asked, plain = ([record["loss"] for record in read_metrics(tmp_path / name)] for name in ("asked", "plain"))
    assert asked == plain


def test_a_set_without_questions_is_told_before_the_first_step(
    shard_folder: str, pair_folder: str, tmp_path: Path
) -> None:
    config = with_tasks(shard_folder, tmp_path, pair_folder)
    with joined_ranks() as ranks, pytest.raises(ShardError, match="no document is an example of vqa"):
        train_stage(config, ranks=ranks)
    assert not (tmp_path / "metrics.jsonl").exists()


def test_tasks_need_to_know_when(shard_folder: str, questions: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"run\.eval_every says how often"):
        with_tasks(shard_folder, tmp_path, questions, eval_every=None)


def test_two_ranks_with_a_spread_model_find_what_one_does(shard_folder: str, questions: str, tmp_path: Path) -> None:
    config = with_tasks(shard_folder, tmp_path / "one", questions, num_workers=0)
    with joined_ranks() as ranks:
        train_stage(config, ranks=ranks)
    stage = tmp_path / "stage.yaml"
    stage.write_text(
        yaml.safe_dump(config.model_dump(mode="json") | {"output": str(tmp_path / "two")}, sort_keys=False)
    )
    assert finish(start_ranks([str(stage)], num_ranks=2)) == [0, 0]
    one, two = (
        [
            (score["task"], score["shots"], score["score"])
            for line in map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
            for score in line.get("tasks", [])
        ]
        for name in ("one", "two")
    )
    assert len(one) == 12
    assert [task[:2] for task in one] == [task[:2] for task in two]
    assert [task[2] for task in two] == pytest.approx([task[2] for task in one], abs=1e-6)
    assert read_metrics(tmp_path / "one")[-1]["loss"] == pytest.approx(read_metrics(tmp_path / "two")[-1]["loss"], 1e-4)
