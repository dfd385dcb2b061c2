"""One fault server per test file."""

from collections.abc import Iterator

import pytest

from tests.curate.fetch.fault_server import FaultServer, serve


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with serve() as running:
        yield running
