import json
from pathlib import Path

import pytest
import yaml

from curate.contract.errors import CurateError
from tests.train_bridge.conftest import stage_config
from train_bridge.__main__ import main
from train_bridge.data.survey import GroupSurvey
from train_bridge.training.data_use import DataUse, GroupUse, check_used, survey_use


def use_of(unused: dict[str, int], *, first_out: str | None = None) -> DataUse:
    num_used = 1000 - sum(unused.values())
    group = GroupUse(
        source="web",
        kind="text",
        num_documents=1000,
        num_held_out=0,
        num_used=num_used,
        num_samples=num_used,
        num_tokens=9,
        num_images=0,
        unused=unused,
    )
    return DataUse(groups=(group,), first_out=first_out)


def test_little_that_is_not_used_is_no_error() -> None:
    check_used(use_of({"no_text": 50}), max_unused=0.05)
    check_used(use_of({"last_step": 900}), max_unused=0.05)  # rounding to whole steps is no one's mistake
    check_used(use_of({"no_text": 900}), max_unused=1.0)


def test_much_of_it_is_one_with_the_commonest_reasons_and_what_helps() -> None:
    unused = {"no_text": 1, "text_lost": 20, "no_assistant": 30, "ran_out": 40}
    with pytest.raises(CurateError, match=r"91 of 1,000 documents would not be used \(9.1%\)") as caught:
        check_used(use_of(unused, first_out="small"), max_unused=0.05)
    text = str(caught.value)
    places = [text.index(reason) for reason in ("40 ran_out", "30 no_assistant", "20 text_lost")]
    assert places == sorted(places)
    assert "data.max_repeats of small" in text
    assert "no_text" not in text


def test_steps_say_how_often_they_go_over_the_data() -> None:
    survey = GroupSurvey(source="web", kind="pair", num_documents=9, num_held_out=0, num_tokens=90, num_images=5)
    use = survey_use([survey], tokens_per_image=3, steps_tokens=250)
    lines = use.lines()
    assert "one pass" in lines[0]
    assert "9 of 9 documents may be used: 9 samples, 100 tokens" in lines[1]
    assert "2.50 passes" in lines[2]
    assert use.record()["is_planned"] is False


def test_a_run_says_at_its_start_what_it_uses_and_refuses_to_leave_much(
    shard_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = stage_config(shard_folder, tmp_path / "out", optim={"max_steps": None, "epochs": 1})
    path = tmp_path / "stage.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert main([str(path)]) == 0
    first_lines = capsys.readouterr().out.splitlines()[:10]
    assert any("captions / pair" in line and "documents used" in line for line in first_lines)
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert {group["source"] for group in lines[0]["data"]["groups"]} >= {"captions", "pages"}
    again = [str(path), "--set", f"output={tmp_path / 'again'}"]
    weights = ["--set", "data.weights={captions: 0.9, pages: 0.1}"]
    assert main([*again, *weights]) == 1
    assert "data.max_repeats of captions" in capsys.readouterr().err
    assert not (tmp_path / "again" / "checkpoints").exists()
    assert main([*again, *weights, "--set", "data.max_repeats={chat: 2}"]) == 2
    assert "data.max_repeats.chat" in capsys.readouterr().err
