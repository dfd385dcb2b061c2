"""One cluster of two worker processes for every test here that needs one, and a small web on loopback."""

from collections.abc import Iterator

import pytest
from distributed import Client

from pipelines.engine.cluster import Fetchers, connect
from tests.pipelines.web import Web, serve


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    with connect(scheduler=None, num_workers=2, gpus=0, memory_limit="auto") as connected:
        yield connected


@pytest.fixture(scope="session")
def fetching() -> Iterator[Client]:
    """Yield a client of one worker, and one that fetches four partitions at once."""
    fetchers = Fetchers(num_processes=1, num_partitions=4)
    with connect(scheduler=None, num_workers=1, gpus=0, memory_limit="auto", fetchers=fetchers) as connected:
        yield connected


@pytest.fixture
def web() -> Iterator[Web]:
    with serve() as running:
        yield running
