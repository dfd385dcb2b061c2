from pathlib import Path

import pytest

from train_bridge.bench.attention import compare_attentions
from train_bridge.bench.device import SMALL
from train_bridge.bench.train import write_documents
from train_bridge.training.ranks import joined_ranks

pytestmark = pytest.mark.slow


def test_attentions_are_as_far_from_fp32_as_bf16_is(tmp_path: Path) -> None:
    shards = write_documents(str(tmp_path / "set"), num_docs=30)
    with joined_ranks() as ranks:
        found = compare_attentions(
            shards,
            str(tmp_path / "run"),
            ranks=ranks,
            model=SMALL.compared,
            seq_length=256,
            attentions=("mask", "segments"),
        )
    assert found.keys() == {"mask", "segments"}
    assert found["mask"]["loss"] == pytest.approx(found["segments"]["loss"], rel=1e-3)
    for own in found.values():
        assert 0 < own["gradient_error"] < 0.05
        assert own["loss_error"] < 0.01
