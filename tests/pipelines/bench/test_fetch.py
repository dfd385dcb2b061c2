from pathlib import Path

import pytest

from curate.fetch.config import FetchConfig
from pipelines.bench.authority import Certificates
from pipelines.bench.fetch import CASES, IMG2DATASET, OURS, Bench, Case, Said, _job, _memory_row, _per_core_row

NOWHERE = Path("none")
FILES = Certificates(cert=NOWHERE, key=NOWHERE, bundle=NOWHERE)


def bench(*said: tuple[str, float, float]) -> Bench:
    return Bench(
        folder=NOWHERE,
        bases={"http": "http://127.0.0.1:1", "https": "https://127.0.0.1:2"},
        certificates=FILES,
        said=[
            Said(client=client, case=CASES[0].name, images_per_core_s=rate, peak_mb=peak) for client, rate, peak in said
        ],
    )


def test_scripts_find_the_cases_they_know() -> None:
    assert [case.name for case in CASES] == ["https-small", "http-resize"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_clients_get_the_same_urls_and_ours_a_valid_config(case: Case) -> None:
    job = _job(case, bench(), "out")
    urls, warm_up = job["urls"], job["warm_up"]
    assert isinstance(urls, list)
    assert isinstance(warm_up, list)
    assert len(set(urls)) == len(urls) == case.num_urls
    assert set(urls).isdisjoint(warm_up)
    config = FetchConfig.model_validate(job["config"])
    assert (config.resize.shorter_side if config.resize else None) == case.shorter_side
    assert config.concurrency == job["concurrency"]


def test_the_first_run_of_each_is_a_warm_up() -> None:
    row = _per_core_row(CASES[0], bench((OURS, 1, 0), (IMG2DATASET, 1, 0), (OURS, 30, 0), (IMG2DATASET, 10, 0)))
    assert (row["case"], row["ours"], row["peer_value"], row["ratio"]) == ("https-small-per-core", 30, 10, 3)


def test_less_memory_is_better() -> None:
    row = _memory_row(bench((OURS, 1, 150), (OURS, 1, 200), (IMG2DATASET, 1, 300)))
    assert (row["ours"], row["peer_value"], row["ratio"]) == (200, 300, 1.5)


def test_without_the_peer_its_values_are_null() -> None:
    row = _memory_row(bench((OURS, 1, 150)))
    assert (row["ours"], row["peer_value"], row["ratio"]) == (150, None, None)
