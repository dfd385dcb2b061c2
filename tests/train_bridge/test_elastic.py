import subprocess
import sys

import pytest

# torchrun substitutes in arguments: $$$$ is $$, the shell itself.
ELASTIC = (
    sys.executable,
    "-m",
    "train_bridge.elastic",
    "--standalone",
    "--nproc-per-node=1",
    "--no-python",
    "sh",
    "-c",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("exit 0", 0, ""),
        ("exit 2", 2, ""),
        ("kill -9 $$$$", 1, "error: rank 0 was ended by SIGKILL; the machine may have run out of memory\n"),
        ("kill -15 $$$$", 1, "error: rank 0 was ended by SIGTERM\n"),
    ],
)
def test_the_end_of_a_rank_is_the_end_of_all(script: str, code: int, told: str) -> None:
    done = subprocess.run([*ELASTIC, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, told)
