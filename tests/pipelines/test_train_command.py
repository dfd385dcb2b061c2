import importlib
import sys

from pipelines.train_command import LAUNCHER, train_command


def test_torchruns_options_stand_before_the_stage_and_ours_behind() -> None:
    command = train_command("stage.yaml", ["--set", "a.b=1"], nproc=3)
    launched = [sys.executable, "-m", LAUNCHER, "--standalone", "--nproc-per-node=3", "stage.yaml", "--set", "a.b=1"]
    assert command == launched
    assert callable(importlib.import_module(LAUNCHER).main)
