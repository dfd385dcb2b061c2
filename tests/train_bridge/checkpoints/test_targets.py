from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import RecipeError
from tests.train_bridge.conftest import stage_config
from train_bridge.checkpoints.exported import ExportedModel
from train_bridge.checkpoints.targets import FAULTS, WRITERS, check_targets, resolve_targets
from train_bridge.config import Target
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor
from train_bridge.training.export import prepare_export


def settings(shards: str, folder: Path, **changes: Any) -> ExportedModel:
    config = stage_config(shards, folder, **changes)
    processor = build_processor(config)
    return prepare_export(build_model(config, processor=processor), processor=processor)


@pytest.mark.parametrize(
    ("target", "changes", "fault"),
    [
        ("vllm", {"model": {"projector": "linear"}}, "vllm: it knows the projector mlp alone; this is linear"),
        ("vllm", {"model": {"projector": "mlp_downsample"}}, "this is mlp_downsample"),
        ("transformers", {"image": {"mode": "tiles"}}, r"one crop of an image; image\.mode is tiles"),
        ("vila_v1", {"model": {"projector": "mlp_downsample"}}, "linear and mlp; this is mlp_downsample"),
        ("vila_v1", {"image": {"mode": "tiles"}}, r"image\.mode is tiles"),
        ("nvila", {}, "nvila: it knows mlp_downsample with"),
        ("nvila", {"model": {"projector": "mlp_downsample", "patch_order": "columns"}}, "this model by columns"),
    ],
)
def test_what_a_target_cannot_hold_is_refused_with_its_name(
    shard_folder: str, tmp_path: Path, target: Target, changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(RecipeError, match=fault):
        check_targets([target], settings(shard_folder, tmp_path, **changes))


def test_all_faults_come_at_once(shard_folder: str, tmp_path: Path) -> None:
    model = settings(shard_folder, tmp_path, model={"projector": "mlp_downsample"})
    with pytest.raises(RecipeError) as caught:
        check_targets(["vllm", "nvila", "vila", "transformers"], model)
    named = [fault.split(": ")[1] for fault in caught.value.faults]
    assert named == ["vllm", "nvila", "nvila", "nvila"]


def test_a_model_that_began_here_is_written_for_whom_it_is_asked(shard_folder: str, tmp_path: Path) -> None:
    model = settings(shard_folder, tmp_path)
    assert resolve_targets(None, model) == ()
    assert resolve_targets(("vllm", "vila", "vllm"), model) == ("vllm", "vila")
    check_targets(("transformers", "transformers4", "vllm", "vila", "vila_v1"), model)


def test_every_target_has_a_rule_and_a_writer() -> None:
    assert FAULTS.keys() == WRITERS.keys() == set(Target.__args__)  # type: ignore[attr-defined]
