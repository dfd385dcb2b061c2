import os

import dask
from dask.system import CPU_COUNT
from distributed import Client, system

from pipelines.engine.cluster import (
    ALLOWED_FAILURES,
    DASK_CONFIG,
    Fetchers,
    _worker_specs,
    connect,
    count_fetchers,
    count_gpus,
    count_workers,
    offered_resources,
    worker_environment,
)


def test_every_worker_is_a_process_of_its_own(client: Client) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    assert len(workers) == 2
    assert {worker["nthreads"] for worker in workers.values()} == {1}
    pids = client.run(os.getpid)
    assert len(set(pids.values())) == 2
    assert os.getpid() not in pids.values()


def test_the_cluster_is_seen_from_this_machine_only(client: Client) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    assert all(address.startswith("tcp://127.0.0.1:") for address in [client.scheduler.address, *workers])


def test_a_running_cluster_is_joined_and_left_running(client: Client) -> None:
    with connect(scheduler=client.scheduler.address, num_workers=9, gpus=0, memory_limit="auto") as joined:
        assert joined.submit(sum, [1, 2]).result() == 3
        assert len(joined.scheduler_info(n_workers=-1)["workers"]) == 2
    assert client.submit(sum, [1, 3]).result() == 4


def test_workers_are_counted_by_what_they_offer(client: Client) -> None:
    assert (count_workers(client), count_fetchers(client)) == (2, 2)


def test_nobody_offers_a_gpu_here(client: Client) -> None:
    assert offered_resources(client)["GPU"] == 0


def test_fetchers_offer_so_many_partitions_and_nothing_else(fetching: Client) -> None:
    assert offered_resources(fetching) == {"CPU": 1, "FETCH": 4}
    assert (count_workers(fetching), count_fetchers(fetching)) == (1, 1)
    by_name = {worker["name"]: worker for worker in fetching.scheduler_info(n_workers=-1)["workers"].values()}
    assert {name: worker["nthreads"] for name, worker in by_name.items()} == {"cpu-0": 1, "fetch-0": 4}
    assert {name: worker["resources"] for name, worker in by_name.items()} == {
        "cpu-0": {"CPU": 1},
        "fetch-0": {"FETCH": 4},
    }


def test_processes_share_the_memory_of_the_machine() -> None:
    def limits(num_workers: int, fetchers: Fetchers | None = None) -> set[int]:
        return {spec["options"]["memory_limit"] for _, spec in _worker_specs(num_workers, 0, "auto", fetchers)}

    assert limits(1) == {system.MEMORY_LIMIT // CPU_COUNT}
    many = Fetchers(num_processes=CPU_COUNT, num_partitions=64)
    assert limits(CPU_COUNT, many) == {system.MEMORY_LIMIT // (2 * CPU_COUNT)}


def test_dask_is_told_what_it_does_not_do_by_itself(client: Client) -> None:
    assert client.cluster.scheduler.allowed_failures == ALLOWED_FAILURES
    assert dask.config.get("distributed.scheduler.worker-ttl") == DASK_CONFIG["distributed.scheduler.worker-ttl"]


def test_gpu_workers_see_one_device_each_and_offer_it() -> None:
    specs = dict(_worker_specs(2, 2, "4GB"))
    assert list(specs) == ["cpu-0", "cpu-1", "gpu-0", "gpu-1"]
    assert [specs[name]["options"].get("resources") for name in specs] == [{}, {}, {"GPU": 1}, {"GPU": 1}]
    assert [specs[f"gpu-{n}"]["options"]["env"]["CUDA_VISIBLE_DEVICES"] for n in (0, 1)] == ["0", "1"]
    assert {spec["options"]["nthreads"] for spec in specs.values()} == {1}
    assert {spec["options"]["memory_limit"] for spec in specs.values()} == {"4GB"}


def test_a_client_beside_the_cluster_can_have_the_environment_of_workers() -> None:
    assert worker_environment()["OMP_NUM_THREADS"] == "1"


def test_devices_are_counted_without_touching_them() -> None:
    assert count_gpus() >= 0
