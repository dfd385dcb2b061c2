"""Same inputs, same bytes: whatever the number of workers, and through a crash."""

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest

from tests.integration.conftest import LiveWorld, run_curate, start_curate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DEADLINE_S = 300


def shard_set_hashes(out: Path) -> dict[str, str]:
    folder = out / "shards" / "main"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert sum(path.suffix == ".tar" for path in files) > 1
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_one_worker_gives_the_bytes_of_two(live_world: LiveWorld, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    run_curate("run", live_world.recipe, "--out", out, "--workers", 1)
    assert shard_set_hashes(out) == shard_set_hashes(corpus)
    assert (out / "ledger.json").read_bytes() == (corpus / "ledger.json").read_bytes()


def test_a_killed_run_ends_in_the_same_bytes(live_world: LiveWorld, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    process = start_curate("run", live_world.recipe, "--out", out, "--workers", 2)
    scored = out / "measure" / "clip"
    deadline = time.monotonic() + DEADLINE_S
    while not list(scored.glob("*.parquet")):  # the first of many: most of the run is still to come
        assert time.monotonic() < deadline, "the run got nowhere"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    num_done = len(list(scored.glob("*.parquet")))
    assert num_done < len(list((corpus / "measure" / "clip").glob("*.parquet"))), "it was killed too late to tell"
    run_curate("run", live_world.recipe, "--out", out, "--workers", 1)
    assert shard_set_hashes(out) == shard_set_hashes(corpus)
    assert (out / "ledger.json").read_bytes() == (corpus / "ledger.json").read_bytes()


def test_a_second_run_fetches_and_measures_nothing(live_world: LiveWorld, corpus: Path) -> None:
    before = shard_set_hashes(corpus), live_world.server.count_requests()
    run_curate("run", live_world.recipe, "--out", corpus, "--workers", 1)
    after = shard_set_hashes(corpus), live_world.server.count_requests()
    # Asking for the counts is a request too.
    requests = [{path: n for path, n in counts.items() if "__" not in path} for _, counts in (before, after)]
    assert before[0] == after[0]
    assert requests[0] == requests[1]
