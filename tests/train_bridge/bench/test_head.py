import pytest
import torch

from train_bridge.bench.head import measure_head


def test_both_ways_are_measured_and_have_one_loss() -> None:
    found = measure_head(device=torch.device("cpu"), num_places=32, width=8, vocab_size=100, chunk_bytes=4 * 5 * 100)
    assert found["chunked"]["loss"] == pytest.approx(found["whole"]["loss"], rel=1e-5)
    assert found["whole"]["seconds"] > 0
    assert found["whole"]["memory_bytes"] == 0
