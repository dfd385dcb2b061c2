from pathlib import Path

import pytest

from shards.reader import read_index
from train_bridge.bench.train import measure, write_documents
from train_bridge.training.ranks import joined_ranks

pytestmark = pytest.mark.slow


def test_documents_are_a_mix_of_kinds(tmp_path: Path) -> None:
    kinds = read_index(write_documents(str(tmp_path / "set"), num_docs=60))["kind"].to_pylist()
    assert set(kinds) == {"pair", "interleaved", "text"}
    assert kinds.count("pair") > kinds.count("interleaved") > 5


def test_both_ways_are_measured(tmp_path: Path) -> None:
    shards = write_documents(str(tmp_path / "set"), num_docs=40)
    with joined_ranks() as ranks:
        result = measure(shards, str(tmp_path), ranks=ranks, num_turns=1, num_steps=3)
    assert [len(values) for values in result.values()] == [1, 1, 1, 1]
    assert result["packed"][0] > 0
    assert result["padded"][0] > 0
    assert 0.5 < result["fill"][0] <= 1
