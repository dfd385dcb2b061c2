import importlib
import sys
from pathlib import Path

import pytest

from curate.contract.errors import CurateError, RecipeError
from pipelines.train_command import COUNTER, LAUNCHER, count_command, run_module, train_command


def test_torchruns_options_stand_before_the_stage_and_ours_behind() -> None:
    command = train_command("stage.yaml", ["--set", "a.b=1"], nproc=3)
    launched = [sys.executable, "-m", LAUNCHER, "--standalone", "--nproc-per-node=3", "stage.yaml", "--set", "a.b=1"]
    assert command == launched
    assert callable(importlib.import_module(LAUNCHER).main)


def test_several_machines_meet_somewhere() -> None:
    command = train_command("stage.yaml", nnodes="2:4", rdzv_endpoint="node0:29500")
    assert command[3:6] == ["--nnodes=2:4", "--rdzv-backend=c10d", "--rdzv-endpoint=node0:29500"]
    with pytest.raises(RecipeError, match="--rdzv-endpoint HOST:PORT"):
        train_command("stage.yaml", nnodes="2")


def test_a_stage_is_a_yaml_file() -> None:
    with pytest.raises(RecipeError, match=r"ends in \.yaml"):
        train_command("stage.json")


def test_counting_takes_the_stage_and_its_options() -> None:
    assert count_command("stage.yaml", ["--debug"]) == [sys.executable, "-m", COUNTER, "stage.yaml", "--debug"]
    assert callable(importlib.import_module(COUNTER).main)
    with pytest.raises(RecipeError, match=r"ends in \.yaml"):
        count_command("stage.json")


def test_a_command_is_run_where_it_should_be_and_says_why_it_failed(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("print('here')")
    assert run_module(["another python", "told.py"], str(tmp_path)) == "here\n"
    (tmp_path / "told.py").write_text("import sys; sys.exit('one\\n' * 9 + 'the disk is full')")
    with pytest.raises(CurateError, match=r"exit code 1: one\none\none\none\nthe disk is full"):
        run_module(["another python", "told.py"], str(tmp_path))
