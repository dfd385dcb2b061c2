import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.train_bridge.conftest import stage_config
from train_bridge.launch import DEFAULT_OPTIONS, build_command, main, with_allocator


def test_what_stands_before_the_stage_is_torchruns() -> None:
    command = build_command(["--nproc-per-node=2", "--standalone", "stage.yaml", "--set", "a.b=c.yaml"])
    assert command[:3] == [sys.executable, "-m", "train_bridge.elastic"]
    assert command[4:] == [
        "--nproc-per-node=2", "--standalone", "-m", "train_bridge", "stage.yaml", "--set", "a.b=c.yaml",
    ]  # fmt: skip


def test_one_rank_is_the_default() -> None:
    assert tuple(build_command(["stage.yml", "--resume"])[4:6]) == DEFAULT_OPTIONS
    assert build_command(["--help"])[-1] == "--help"


@pytest.mark.parametrize("name", ["PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"])
def test_memory_of_the_gpu_grows_in_place_unless_the_user_says_how(name: str) -> None:
    assert with_allocator({"A": "b"}) == {"A": "b", "PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    assert with_allocator({name: "max_split_size_mb:64"}) == {name: "max_split_size_mb:64"}


def test_what_is_wrong_with_options_or_stage_is_told_once_before_a_process_starts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--nproc-per-node=8", str(tmp_path / "none.yaml")]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "none.yaml: cannot be read" in line
    with pytest.raises(SystemExit) as caught:
        main(["stage.yaml", "--no-such-option"])
    assert caught.value.code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("optim.global_batch=3", 2, "do not divide by 2 ranks"),
        ("init_from=/nowhere/at/all", 1, "init_from: /nowhere/at/all: no such folder"),
    ],
)
def test_the_exit_code_of_a_rank_is_that_of_the_launcher_and_its_error_the_only_one(
    shard_folder: str, tmp_path: Path, override: str, code: int, message: str
) -> None:
    config = stage_config(shard_folder, tmp_path / "out").model_dump(mode="json")
    path = tmp_path / "stage.yaml"
    path.write_text(yaml.safe_dump(config))
    tiny = ["--set", "model.tiny=null"] if override.startswith("init_from") else []
    command = [sys.executable, "-m", "train_bridge.launch", "--standalone", "--nproc-per-node=2", str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--set", override, *tiny], env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == code
    lines = done.stderr.splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["error", "error on rank 1"]
    assert all(message in line for line in lines)
