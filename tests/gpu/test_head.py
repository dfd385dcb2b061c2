import math

import torch

from train_bridge.bench.head import measure_head
from train_bridge.training.chunked_loss import CHUNK_BYTES


def test_the_loss_in_chunks_is_that_of_whole_logits_in_a_third_of_the_memory() -> None:
    found = measure_head(device=torch.device("cuda"))
    assert math.isclose(found["chunked"]["loss"], found["whole"]["loss"], rel_tol=1e-5)
    gradients = 2 * 152_064 * 3584 * 2  # of the matrix, and what a chunk adds to it
    assert found["chunked"]["memory_bytes"] - gradients < 6 * CHUNK_BYTES
    assert found["chunked"]["memory_bytes"] < found["whole"]["memory_bytes"]
