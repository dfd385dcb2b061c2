import json
from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import CurateError
from tests.train_bridge.checkpoints.folders import write_nvila, write_vila, write_vila_v1
from train_bridge.checkpoints.layouts import Layout, find_layout, read_json


def test_layouts_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    write_vila(tmp_path / "a")
    write_vila_v1(tmp_path / "b")
    write_nvila(tmp_path / "c")
    found = [find_layout(str(tmp_path / name)) for name in "abc"]
    assert found == [Layout.VILA, Layout.VILA_V1, Layout.NVILA]


def write(folder: Path, config: dict[str, Any]) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_transformers_own_is_one_of_them(tmp_path: Path) -> None:
    assert find_layout(write(tmp_path, {"model_type": "llava", "text_config": {}})) is Layout.LLAVA


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"model_type": "llava_next", "text_config": {}}, r"type llava_next joins the tiles.*model\.projector_from"),
        ({"model_type": "bert", "architectures": ["Bert"]}, r"type bert \(class Bert\).*known are llava of"),
        ({}, r"type None \(class none\)"),
    ],
)
def test_an_unknown_layout_says_what_was_found_and_what_is_known(
    tmp_path: Path, config: dict[str, Any], fault: str
) -> None:
    with pytest.raises(CurateError, match=fault):
        find_layout(write(tmp_path, config))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("adapter_config.json", "a LoRA adapter; merge it"),
        ("mm_projector.bin", r"a projector alone; name it in model\.projector_from"),
        ("notes.txt", r"no config\.json, so it is no model's; it holds notes\.txt"),
    ],
)
def test_a_folder_without_a_configuration_says_what_it_is(tmp_path: Path, name: str, fault: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(CurateError, match=fault):
        find_layout(str(tmp_path))


def test_half_a_vila_folder_names_what_is_missing(tmp_path: Path) -> None:
    write_vila(tmp_path / "vila")
    (tmp_path / "vila" / "mm_projector" / "config.json").unlink()
    with pytest.raises(CurateError, match=r"a VILA folder without mm_projector/config\.json"):
        find_layout(str(tmp_path / "vila"))


def test_json_that_is_no_object_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(CurateError, match="holds no JSON object"):
        read_json(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CurateError, match="cannot be read"):
        read_json(tmp_path / "config.json")
