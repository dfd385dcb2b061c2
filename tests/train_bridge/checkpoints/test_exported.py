from pathlib import Path

import torch

from tests.train_bridge.conftest import stage_config
from train_bridge.checkpoints.exported import ExportedModel
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor
from train_bridge.training.export import prepare_export


def exported(shards: str, folder: Path, projector: str, *, dtype: str = "base") -> ExportedModel:
    config = stage_config(shards, folder, model={"projector": projector})
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    return prepare_export(model, processor=processor, weights=model.state_dict(), dtype=dtype)


def test_parts_have_the_names_of_their_own_classes(shard_folder: str, tmp_path: Path) -> None:
    model = exported(shard_folder, tmp_path, "mlp")
    assert {name.split(".")[0] for name in model.text_tensors()} == {"model", "lm_head"}
    assert {name.split(".")[0] for name in model.vision_tensors()} == {"vision_model"}
    assert sorted(model.projector_tensors()) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    assert (model.projector, model.dtype) == ("mlp2x_gelu", "float32")


def test_a_linear_projector_is_its_first_matrix(shard_folder: str, tmp_path: Path) -> None:
    model = exported(shard_folder, tmp_path, "linear")
    assert sorted(model.projector_tensors()) == ["bias", "weight"]


def test_the_family_of_vila_keeps_its_names(shard_folder: str, tmp_path: Path) -> None:
    model = exported(shard_folder, tmp_path, "mlp_downsample_3x3_fix")
    assert {name.split(".")[0] for name in model.projector_tensors()} == {"1", "2", "4", "5", "7"}
    assert model.code is not None


def test_rows_that_images_added_are_left_out(shard_folder: str, tmp_path: Path) -> None:
    model = exported(shard_folder, tmp_path, "mlp")
    model.settings["vila_origin"] = {"vocab_size": 100}  # type: ignore[index]
    assert len(model.text_tensors()["lm_head.weight"]) == len(model.text_tensors()["model.embed_tokens.weight"]) == 100


def test_the_dtype_is_as_asked(shard_folder: str, tmp_path: Path) -> None:
    model = exported(shard_folder, tmp_path, "mlp", dtype="bf16")
    assert model.dtype == "bfloat16"
    assert all(value.dtype == torch.bfloat16 for value in model.weights.values())
