import functools
import os
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from curate.contract.errors import CurateError
from curate.contract.tasks import map_here
from pipelines.run import mapped
from pipelines.run.mapped import ClusterOptions, open_map
from tests.pipelines.cluster_tasks import die_at_first, double, process_of


def options_of(client: Client) -> ClusterOptions:
    return ClusterOptions(scheduler=client.scheduler.address)


@pytest.mark.parametrize(("num_shards", "num_bytes"), [(2, 10**12), (1000, 10**6), (0, 0)])
def test_little_work_is_done_here_without_a_cluster(num_shards: int, num_bytes: int) -> None:
    with open_map("verify", ClusterOptions(workers=2), num_shards=num_shards, num_bytes=num_bytes) as map_tasks:
        assert map_tasks is map_here


def test_a_cluster_that_is_named_does_all_and_says_how_far_it_is(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_map("verify", options_of(client), num_shards=1, num_bytes=1) as map_tasks:
        found = list(map_tasks(double, {f"{n}.tar": n for n in range(9)}, phase="verify main"))
        pids = set(map_tasks(process_of, {"a": "a", "b": "b"}, phase="verify other"))
    assert sorted(found) == [2 * n for n in range(9)]
    assert os.getpid() not in pids
    said = capsys.readouterr().err
    assert "verify main: 9 of 9 tasks" in said
    assert "verify other: 2 of 2 tasks" in said


def test_more_than_a_little_is_done_by_workers_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "FEW_BYTES", 5)
    with open_map("verify", ClusterOptions(workers=1), num_shards=3, num_bytes=5) as map_tasks:
        assert os.getpid() not in set(map_tasks(process_of, {"a": "a"}, phase="verify"))


def test_a_lost_worker_costs_its_call_and_changes_no_result(client: Client, tmp_path: Path) -> None:
    with open_map("verify", options_of(client), num_shards=9, num_bytes=1) as map_tasks:
        call = functools.partial(die_at_first, note=str(tmp_path / "note"))
        found = list(map_tasks(call, {f"{n}.tar": n for n in range(6)}, phase="verify main"))
    assert sorted(found) == [2 * n for n in range(6)]
    assert (tmp_path / "note").exists()


def test_a_call_that_fails_names_its_job(client: Client) -> None:
    jobs: dict[str, Any] = {"6.tar": 1, "7.tar": None}
    with open_map("verify", options_of(client), num_shards=9, num_bytes=1) as map_tasks:
        found = map_tasks(double, jobs, phase="verify main")
        with pytest.raises(CurateError, match=r"stage verify failed on 1 partitions \(7\.tar\): TypeError"):
            list(found)
