"""What was imported is written again as it was: tensors, configurations, tokenizer."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train_bridge.checkpoints.folders import IMAGE_PX, PROJECTORS, write_nvila, write_vila, write_vila_v1
from tests.train_bridge.conftest import stage_config
from train_bridge.checkpoints.layouts import find_layout
from train_bridge.checkpoints.targets import check_targets, resolve_targets, write_target
from train_bridge.checkpoints.tensors import read_tensors
from train_bridge.config import Target
from train_bridge.model.image_modes import has_newline, image_form
from train_bridge.model.llava import build_model, set_trainable
from train_bridge.model.processor import build_processor
from train_bridge.model_config import Module
from train_bridge.training.export import prepare_export

NVILA: dict[str, Any] = {
    "transformers_version": "4.46.0",
    "text": "qwen2",
    "dynamic_s2": True,
    "image_aspect_ratio": "dynamic_s2",
    "s2_scales": f"{IMAGE_PX},{2 * IMAGE_PX},{3 * IMAGE_PX}",
    "scales": 3,
}
LITE: dict[str, Any] = {
    "transformers_version": "4.46.0",
    "text": "qwen2",
    "image_aspect_ratio": "dynamic",
    "min_tiles": 1,
    "max_tiles": 6,
    "projector": "mlp_downsample_3x3_fix",
}
CASES: dict[str, tuple[Target, Callable[[Path], Any]]] = {
    **{f"vila-1.5 {kind}": ("vila", partial(write_vila, projector=kind)) for kind in PROJECTORS},
    "nvila": ("vila", lambda folder: write_vila(folder, **NVILA)),
    "nvila-lite": ("vila", lambda folder: write_vila(folder, **LITE)),
    "v1 linear": ("vila_v1", lambda folder: write_vila_v1(folder, projector="linear")),
    "v1 mlp": ("vila_v1", lambda folder: write_vila_v1(folder, projector="mlp2x_gelu", trained_tower=True)),
    "flat nvila": ("nvila", write_nvila),
    "flat nvila lite": ("nvila", lambda folder: write_nvila(folder, lite=True)),
}


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    parts = [folder / part for part in ("llm", "vision_tower", "mm_projector") if (folder / part).is_dir()] or [folder]
    return {f"{p.name if p != folder else ''}/{n}": v for p in parts for n, v in read_tensors(str(p)).items()}


def export(shards: str, source: Path, target: Path, kind: Target | None = None) -> list[str]:
    config = stage_config(shards, target.parent / "out", model={"tiny": None}, init_from=str(source))
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    exported = prepare_export(model, processor=processor, weights=model.state_dict())
    targets = resolve_targets(None if kind is None else (kind,), exported)
    check_targets(targets, exported)
    (only,) = targets
    return write_target(only, target, exported)


@pytest.mark.parametrize("case", CASES)
def test_a_folder_is_written_as_it_was_read(shard_folder: str, tmp_path: Path, case: str) -> None:
    target, write = CASES[case]
    write(tmp_path / "source")
    assert export(shard_folder, tmp_path / "source", tmp_path / "target") == []
    before, after = tensors_of(tmp_path / "source"), tensors_of(tmp_path / "target")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert find_layout(str(tmp_path / "target")) == target
    for path in (tmp_path / "source").rglob("*.json"):
        other = tmp_path / "target" / path.relative_to(tmp_path / "source")
        if "index" not in path.name and "tower/" not in f"{path.relative_to(tmp_path / 'source')}"[:6]:
            assert json.loads(path.read_text()) == json.loads(other.read_text()), path


@pytest.mark.parametrize("case", ["vila-1.5 mlp_downsample", "nvila", "nvila-lite", "flat nvila", "v1 mlp"])
def test_what_was_written_is_read_as_the_same_model(shard_folder: str, tmp_path: Path, case: str) -> None:
    _, write = CASES[case]
    write(tmp_path / "source")
    export(shard_folder, tmp_path / "source", tmp_path / "target")
    models = []
    for name in ("source", "target"):
        config = stage_config(shard_folder, tmp_path / "out", model={"tiny": None}, init_from=str(tmp_path / name))
        models.append(build_model(config, processor=build_processor(config)))
    one, other = (model.state_dict() for model in models)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert vars(models[0].config).get("patch_order") == vars(models[1].config).get("patch_order")


def test_without_the_first_folder_a_tokenizer_is_written_anew_and_that_is_said(
    shard_folder: str, tmp_path: Path
) -> None:
    write_vila(tmp_path / "source")
    config = stage_config(shard_folder, tmp_path / "out", model={"tiny": None}, init_from=str(tmp_path / "source"))
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    (tmp_path / "source").rename(tmp_path / "moved")
    exported = prepare_export(model, processor=processor, weights=model.state_dict())
    notes = write_target("vila", tmp_path / "target", exported)
    assert [note.split(" no longer its ")[1].split(",")[0] for note in notes] == ["tokenizer", "image processor"]
    again = config.model_copy(update={"init_from": str(tmp_path / "target")})
    text = "A red dog.\nYes"
    assert build_processor(again).tokenizer(text).input_ids == processor.tokenizer(text).input_ids


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("vila", {"projector": "mlp_downsample"}),
        ("vila", {"projector": "mlp"}),
        ("vila_v1", {"projector": "linear"}),
        ("vila_v1", {"projector": "mlp"}),
    ],
)
def test_a_model_that_began_here_goes_there_and_comes_back(
    shard_folder: str, tmp_path: Path, kind: Target, model: dict[str, str]
) -> None:
    config = stage_config(shard_folder, tmp_path / "out", model=model)
    processor = build_processor(config)
    own = build_model(config, processor=processor)
    exported = prepare_export(own, processor=processor, weights=own.state_dict())
    check_targets([kind], exported)
    write_target(kind, tmp_path / "there", exported)
    back = stage_config(shard_folder, tmp_path / "out", model={"tiny": None}, init_from=str(tmp_path / "there"))
    reader = build_processor(back)
    found = build_model(back, processor=reader).state_dict()
    assert all(torch.equal(value, found[name][: len(value)]) for name, value in own.state_dict().items())
    assert reader.tokenizer("A red <image> dog.").input_ids == processor.tokenizer("A red <image> dog.").input_ids


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("v1 linear", "vila"),
        ("v1 mlp", "vila"),
        ("v1 mlp", "transformers"),
        ("vila-1.5 mlp2x_gelu", "vllm"),
        ("flat nvila", "vila"),
    ],
)
def test_a_folder_goes_into_another_layout_and_is_read_there(
    shard_folder: str, tmp_path: Path, case: str, kind: Target
) -> None:
    _, write = CASES[case]
    write(tmp_path / "source")
    assert export(shard_folder, tmp_path / "source", tmp_path / "target", kind) == []
    states = []
    for name in ("source", "target"):
        config = stage_config(shard_folder, tmp_path / "out", model={"tiny": None}, init_from=str(tmp_path / name))
        states.append(build_model(config, processor=build_processor(config)).state_dict())
    one, other = states
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    root = json.loads((tmp_path / "target" / "config.json").read_text())
    text, tower = (
        (root["text_config"], root["vision_config"])
        if "text_config" in root
        else (json.loads((tmp_path / "target" / part / "config.json").read_text()) for part in ("llm", "vision_tower"))
    )
    assert text["architectures"][0].endswith("ForCausalLM")
    assert not text["architectures"][0].startswith("Llava")
    assert tower["architectures"][0].endswith("VisionModel")


@pytest.mark.parametrize(
    ("changes", "image", "root"),
    [
        ({}, {"mode": "pad"}, {"image_aspect_ratio": "pad"}),
        (LITE, {"mode": "tiles", "max_tiles": 2}, {"image_aspect_ratio": "dynamic", "max_tiles": 2}),
        ({}, {}, {"image_aspect_ratio": "resize"}),
    ],
)
def test_what_a_stage_changes_of_images_is_in_the_folder(
    shard_folder: str, tmp_path: Path, changes: dict[str, Any], image: dict[str, Any], root: dict[str, Any]
) -> None:
    write_vila(tmp_path / "source", **changes)
    own = {"tiny": None}
    config = stage_config(shard_folder, tmp_path / "out", model=own, image=image, init_from=str(tmp_path / "source"))
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    write_target("vila", tmp_path / "target", prepare_export(model, processor=processor, weights=model.state_dict()))
    assert json.loads((tmp_path / "target" / "config.json").read_text()).items() >= root.items()
    again = stage_config(shard_folder, tmp_path / "out", model=own, init_from=str(tmp_path / "target"))
    assert image_form(build_processor(again).image_processor) == image_form(processor.image_processor)


def test_an_order_and_a_template_of_a_stage_are_in_the_folder(shard_folder: str, tmp_path: Path) -> None:
    write_vila(tmp_path / "source", **NVILA)
    template = tmp_path / "own.jinja"
    template.write_text("{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{{ eos_token }}{% endfor %}")
    config = stage_config(
        shard_folder,
        tmp_path / "out",
        model={"tiny": None, "patch_order": "columns"},
        init_from=str(tmp_path / "source"),
        data={"chat": {"template": str(template)}},
    )
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    exported = prepare_export(model, processor=processor, weights=model.state_dict())
    (note,) = write_target("vila", tmp_path / "target", exported)
    assert "has the chat template of this run" in note
    again = stage_config(shard_folder, tmp_path / "out", model={"tiny": None}, init_from=str(tmp_path / "target"))
    reader = build_processor(again)
    assert reader.tokenizer.chat_template == template.read_text()
    assert build_model(again, processor=reader).config.patch_order == "columns"
    assert has_newline(reader.image_processor)  # of NVILA still, whatever the version that the order asks for


def test_a_tower_that_has_learned_is_in_the_folder(shard_folder: str, tmp_path: Path) -> None:
    write_vila_v1(tmp_path / "source")
    config = stage_config(shard_folder, tmp_path / "out", model={"tiny": None}, init_from=str(tmp_path / "source"))
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    set_trainable(model, {Module.VISION})
    exported = prepare_export(model, processor=processor, weights=model.state_dict())
    write_target("vila_v1", tmp_path / "target", exported)
    assert any("vision_tower" in name for name in read_tensors(str(tmp_path / "target")))
