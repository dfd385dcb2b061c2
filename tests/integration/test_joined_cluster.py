"""A cluster that others started: separate scheduler and worker processes, joined from ingest to verify."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.ports import free_port
from tests.pipelines.corpus import jpeg

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
NUM_PAIRS = 30


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    address = f"tcp://127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    common = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker = ["worker", address, "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"], worker, worker]
    with ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen([str(BIN / "dask"), *command], **common)  # type: ignore[call-overload]
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield address


def curate(*arguments: str) -> None:
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        [str(BIN / "curate"), *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout


def write_input(folder: Path) -> Path:
    table = pa.table(
        {
            "image": [jpeg(number % 20) for number in range(NUM_PAIRS)],
            "caption": [f"picture {number}" for number in range(NUM_PAIRS)],
        }
    )
    pq.write_table(table, folder / "pairs.parquet")
    talks = [{"instruction": f"say {number}", "output": "yes"} for number in range(20)]
    (folder / "flan.jsonl").write_text("".join(json.dumps(talk) + "\n" for talk in talks), encoding="utf-8")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        """
sources:
  - {name: pairs, type: pairs, path: pairs.parquet}
  - {name: flan, type: instructions, path: flan.jsonl}
fetch: {contact: "mailto:somebody@example.org"}
partition_num_docs: 10
dedup: {}
shards: {samples: 15}
"""
    )
    return recipe


def test_a_cluster_of_others_runs_from_ingest_to_verify(scheduler: str, tmp_path: Path) -> None:
    recipe = write_input(tmp_path)
    joined, own = str(tmp_path / "joined"), str(tmp_path / "own")
    curate("run", str(recipe), "--out", joined, "--scheduler", scheduler)
    curate("verify", joined, "--scheduler", scheduler)
    curate("blend", joined, "--name", "text", "--set", "blend.weights={text: 1}", "--scheduler", scheduler)
    curate("report", joined, "--name", "main", "--scheduler", scheduler)
    curate("verify", joined)
    curate("run", str(recipe), "--out", own, "--workers", "1")
    tars = [sorted(Path(out, "shards", "main").glob("*.tar")) for out in (joined, own)]
    assert len(tars[0]) == 3
    assert [path.read_bytes() for path in tars[0]] == [path.read_bytes() for path in tars[1]]
