"""Tests that need a CUDA device: ``pytest -m gpu -n 0 tests/gpu``; elsewhere they are left out."""

from pathlib import Path

import pytest
import torch

from train_bridge.bench.train import write_documents

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(600))
            item.add_marker(pytest.mark.filterwarnings("ignore"))  # of compilers, about the machine
            if not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a set of 400 drawn documents."""
    return write_documents(str(tmp_path_factory.mktemp("gpu") / "set"), num_docs=400)
