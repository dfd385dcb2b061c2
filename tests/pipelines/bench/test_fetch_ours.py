import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.bench.fetch import CASES, Bench, _job, _serve
from pipelines.bench.fetch_ours import peak_bytes


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_a_job_ends_in_files_and_one_line(tmp_path: Path) -> None:
    with _serve(tmp_path) as bench:
        job = small_job(bench, tmp_path)
        command = [sys.executable, "-m", "pipelines.bench.fetch_ours", str(job)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=150).stdout)
    assert said["images"] == 5
    assert said["cpu_seconds"] > 0
    assert said["seconds"] > 0.1  # two partitions, each a delay long
    assert said["peak_bytes"] > 10_000_000
    folders = [tmp_path / "fetch" / "images" / name for name in ("00000", "00003")]
    widths = [pq.read_table(file)["width"].to_pylist() for folder in folders for file in folder.iterdir()]
    assert [width for some in widths for width in some] == [560] * 6  # that of the warm-up lies beside them


def small_job(bench: Bench, folder: Path) -> Path:
    job = _job(CASES[0], bench, str(folder))
    urls, warm_up = job["urls"], job["warm_up"]
    assert isinstance(urls, list)
    assert isinstance(warm_up, list)
    path = folder / "job.json"
    path.write_text(json.dumps(job | {"urls": urls[:5], "warm_up": warm_up[:1], "partition": 3}))
    return path


@pytest.mark.slow
def test_the_peak_is_of_this_process_and_in_bytes() -> None:
    before = peak_bytes()
    assert before > 10_000_000
    assert len(bytearray(before)) == before
    assert peak_bytes() >= before
