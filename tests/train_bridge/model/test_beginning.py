from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import RecipeError
from tests.train_bridge.checkpoints.folders import write_vila_v1
from tests.train_bridge.conftest import stage_config
from train_bridge.model.beginning import check_beginning


def check(parts: dict[str, str], folder: Path, **model: Any) -> None:
    towers = {"tiny": None, "vision": parts["clip"], "llm": parts["llm"]}
    check_beginning(stage_config("shards", folder, model=towers | model))


def test_a_random_projector_is_trained_alone_or_on_purpose(parts: dict[str, str], tmp_path: Path) -> None:
    check(parts, tmp_path, trainable=["projector"])
    check(parts, tmp_path, projector_from="random")
    check(parts, tmp_path, projector_from="some/where")
    with pytest.raises(RecipeError, match=r"model\.projector_from: the projector would begin with random weights"):
        check(parts, tmp_path)
    with pytest.raises(RecipeError, match=r"model\.projector_from: the projector would begin with random weights"):
        check(parts, tmp_path, trainable=["projector"], lora={"llm": {}})


def test_a_projector_is_not_thrown_away(parts: dict[str, str], tmp_path: Path) -> None:
    write_vila_v1(tmp_path / "llava")
    with pytest.raises(RecipeError, match=r"model\.llm: .*llava holds a projector too, which would be thrown away"):
        check(parts, tmp_path, llm=str(tmp_path / "llava"), trainable=["projector"])
    check(parts, tmp_path, llm=str(tmp_path / "llava"), trainable=["projector"], projector_from="random")
    whole = stage_config("shards", tmp_path, model={"tiny": None, "projector_from": "x"}, init_from="y")
    with pytest.raises(RecipeError, match="init_from has a projector"):
        check_beginning(whole)


def test_tiny_models_and_folders_begin_as_they_are(tmp_path: Path) -> None:
    check_beginning(stage_config("shards", tmp_path))
    check_beginning(stage_config("shards", tmp_path, model={"tiny": None}, init_from="y"))
