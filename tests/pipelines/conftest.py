"""One cluster of two worker processes for every test here that needs one, and a small web on loopback."""

from collections.abc import Iterator

import pytest
from distributed import Client

from pipelines.engine.cluster import connect
from tests.pipelines.web import Web, serve


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    with connect(scheduler=None, num_workers=2, gpus=0, memory_limit="auto") as connected:
        yield connected


@pytest.fixture
def web() -> Iterator[Web]:
    with serve() as running:
        yield running
