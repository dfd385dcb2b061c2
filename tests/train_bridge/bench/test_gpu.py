from pathlib import Path

import pytest

from train_bridge.bench.gpu import LARGE, measure_steps
from train_bridge.model.tiny_model import tiny_configs
from train_bridge.model_config import TinyConfig
from train_bridge.training.ranks import joined_ranks

pytestmark = pytest.mark.slow


def test_steps_are_measured_on_the_cpu_too(shard_folder: str, tmp_path: Path) -> None:
    small = TinyConfig(hidden_size=32, num_layers=1, vision_hidden_size=16, vision_num_layers=2, image_size=32)
    with joined_ranks() as ranks:
        found = measure_steps(
            shard_folder,
            str(tmp_path),
            ranks=ranks,
            model=small,
            seq_length=128,
            global_batch=2,
            num_steps=4,
            changes={"run": {"num_workers": 0}},
        )
    assert found["tokens_per_s"] > 0
    assert not (tmp_path / "final").exists()
    assert 0.3 < found["fill"] <= 1
    assert 0 <= found["data_wait"] <= 1
    assert (found["peak_memory_bytes"], found["memory_growth_bytes"]) == (0, 0)
    assert found["last_loss"] < found["first_loss"]


def test_the_large_model_is_as_large_as_said() -> None:
    vision, text = tiny_configs(LARGE, vocab_size=1024)
    of_a_layer = 4 * text.hidden_size**2 + 3 * text.hidden_size * text.intermediate_size
    assert 1.2e9 < of_a_layer * text.num_hidden_layers < 1.4e9
    assert (vision.image_size // vision.patch_size) ** 2 == 576
