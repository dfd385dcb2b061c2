import sys

from train_bridge.launch import DEFAULT_OPTIONS, build_command


def test_what_stands_before_the_stage_is_torchruns() -> None:
    command = build_command(["--nproc-per-node=2", "--standalone", "stage.yaml", "--set", "a.b=c.yaml"])
    assert command[:3] == [sys.executable, "-m", "torch.distributed.run"]
    assert command[4:] == [
        "--nproc-per-node=2", "--standalone", "-m", "train_bridge", "stage.yaml", "--set", "a.b=c.yaml",
    ]  # fmt: skip


def test_one_rank_is_the_default() -> None:
    assert tuple(build_command(["stage.yml", "--resume"])[4:6]) == DEFAULT_OPTIONS
    assert build_command(["--help"])[-1] == "--help"
