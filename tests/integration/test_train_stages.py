"""The demo's three stages on two ranks with FSDP2, each from the folder of the one before."""

import importlib.resources
from pathlib import Path

import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.integration.rank_processes import finish, start_ranks
from tests.train_bridge.conftest import jpeg, make_sample, write_set
from train_bridge.tasks.answerer import Answerer
from train_bridge.training.metrics import read_metrics

STAGES = ("demo_stage0", "demo_stage1", "demo_stage2")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_stages_on_two_ranks_give_a_folder_that_answers_about_two_images(tmp_path: Path) -> None:
    shards = write_set(tmp_path / "set", [make_sample(number) for number in range(48)])
    settings = [f"data.shards={shards}", "optim.max_steps=3", "pack.seq_length=128", "run.tensorboard=false"]
    before: Path | None = None
    for stage in STAGES:
        config = str(importlib.resources.files("train_bridge") / "stages" / f"{stage}.yaml")
        chained = [f"init_from={before / 'final'}"] if before is not None else []
        overrides = [*settings, *chained, f"output={tmp_path / stage}"]
        arguments = [config, *(part for override in overrides for part in ("--set", override))]
        errors = tmp_path / f"{stage}.errors"
        assert finish(start_ranks(arguments, num_ranks=2, errors=errors)) == [0, 0], errors.read_text()
        assert [record["step"] for record in read_metrics(tmp_path / stage)] == [1, 2, 3]
        before = tmp_path / stage
    assert before is not None
    model = AutoModelForImageTextToText.from_pretrained(before / "final")
    processor = AutoProcessor.from_pretrained(before / "final")
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "Which is red?"}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    answers = [
        Answerer(model, processor).answer(prompt, images, max_new_tokens=8, has_begin=True)
        for images in ([jpeg("red"), jpeg("blue")], [jpeg("red"), jpeg("blue")])
    ]
    assert answers[0] == answers[1]
    assert isinstance(answers[0], str)
