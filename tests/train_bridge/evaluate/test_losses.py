from pathlib import Path
from typing import Any

import pytest

from tests.train_bridge.conftest import stage_config
from train_bridge.evaluate.losses import validation_loss
from train_bridge.training.loop import train_stage
from train_bridge.training.metrics import read_metrics
from train_bridge.training.ranks import joined_ranks

pytestmark = pytest.mark.slow


def test_losses_are_those_of_the_sources_and_of_a_first_step(shard_folder: str, exported: str, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "model": {"tiny": None},
        "init_from": exported,
        "optim": {"max_steps": None, "global_batch": 1},
    }
    config = stage_config(shard_folder, tmp_path / "loss", **changes)
    with joined_ranks() as ranks:
        found = validation_loss(config, ranks=ranks)
    assert found["skipped"] == 0
    assert found["sources"].keys() == {"captions / pair", "chat / text", "pages / interleaved"}
    total = sum(part["loss"] * part["label_tokens"] for part in found["sources"].values())
    assert total / found["label_tokens"] == pytest.approx(found["loss"])
    # The same packs through the training loop, with a rate too small to change anything.
    still = stage_config(
        shard_folder, tmp_path / "train", **changes | {"optim": changes["optim"] | {"lr": 1e-20, "epochs": 1}}
    )
    with joined_ranks() as ranks:
        train_stage(still, ranks=ranks)
    records = read_metrics(still.output)
    labels = sum(record["label_tokens"] for record in records)
    assert labels == found["label_tokens"]
    mean = sum(record["loss"] * record["label_tokens"] for record in records) / labels
    assert mean == pytest.approx(found["loss"], abs=1e-5)
