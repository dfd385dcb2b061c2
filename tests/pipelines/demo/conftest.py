from pathlib import Path

import pytest

from pipelines.demo.world import World, build_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("world")
    return build_world(folder, num_docs=60, seed=3, base_url="http://127.0.0.1:8907")
