"""Writes the layouts of the VILA family, as NVlabs/VILA, TensorRT-LLM and SGLang read them.

What a model was imported from is written word for word; of a model that began here, the words are made.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from train_bridge.checkpoints.exported import TOWER_NAME, ExportedModel
from train_bridge.checkpoints.foreign import MODES, OWN, ROWS_SINCE, version_of
from train_bridge.checkpoints.layouts import CONFIG_NAME, FLAT_TYPES, SUBFOLDERS, Layout, read_json
from train_bridge.checkpoints.older_words import (
    TOKENIZER_CONFIG,
    soften_tokenizer,
    with_class,
    with_older_words,
    write_json,
)
from train_bridge.checkpoints.tensors import Tensors, write_tensors
from train_bridge.model_config import IMAGE_MODES

TOKENIZER_FILES = (
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
)
VERSIONS = {"rows": "4.46.0", "columns": "4.36.2"}
"""transformers of the code that reads joined patches so: whoever loads the folder goes by it."""
UNNAMED_TOWER = "clip"
"""For a tower that has no name on a hub; its weights are in the folder, as those of any tower that learned."""
SELECT = {"default": "patch", "full": "cls_patch"}


def write_vila(folder: Path, model: ExportedModel) -> list[str]:
    """Write ``llm/``, ``vision_tower/`` and ``mm_projector/``.

    Args:
        folder: Is made.
        model: Whole.

    Returns:
        What had to be made anew for want of the files that the model came with, for a person.
    """
    parts = _part_configs(model)
    llm, tower, projector = (folder / name for name in SUBFOLDERS)
    write_tensors(llm, model.text_tensors())
    write_tensors(tower, model.vision_tensors())
    write_tensors(projector, {f"layers.{name}": value for name, value in model.projector_tensors().items()})
    for name, config in parts.items():
        write_json(folder / name / CONFIG_NAME, config)
    notes = [*_write_tokenizer(llm, model), *_write_images(tower, model)]
    write_json(folder / CONFIG_NAME, _root(model, Layout.VILA) or _new_root(model, parts))
    return notes


def write_vila_v1(folder: Path, model: ExportedModel) -> list[str]:
    """Write VILA v1.0's one folder, which original LLaVA's code reads; see ``write_vila``."""
    tensors = dict(model.text_tensors())
    tensors |= {f"model.mm_projector.{name}": value for name, value in model.projector_tensors().items()}
    if model.origin.get("has_tower", True):
        tensors |= {f"model.vision_tower.vision_tower.{n}": value for n, value in model.vision_tensors().items()}
    write_tensors(folder, tensors)
    write_json(folder / CONFIG_NAME, _root(model, Layout.VILA_V1) or _flat_root(model))
    notes = _write_tokenizer(folder, model)
    if not _root(model, Layout.VILA_V1):  # whose tower is named by the root, and has an image processor of its own
        notes += _write_images(folder, model)
    return notes


def write_nvila(folder: Path, model: ExportedModel) -> list[str]:
    """Write the one folder that SGLang serves; see ``write_vila``."""
    tensors: Tensors = {f"llm.{name}": value for name, value in model.text_tensors().items()}
    tensors |= {f"vision_tower.{name}": value for name, value in model.vision_tensors().items()}
    tensors |= {f"mm_projector.layers.{name}": value for name, value in model.projector_tensors().items()}
    write_tensors(folder, tensors)
    write_json(folder / CONFIG_NAME, _root(model, Layout.NVILA) or _nvila_root(model))
    return [*_write_tokenizer(folder, model), *_write_images(folder, model)]


def _root(model: ExportedModel, layout: Layout) -> dict[str, Any] | None:
    """Return the root configuration that the model came with, if it came in this layout, and what is another now."""
    if model.origin.get("layout") != layout:
        return None
    root = dict(model.origin["root"])
    mine = _shared_root(model)
    if _images_changed(model):
        root |= {name: mine[name] for name in ("image_aspect_ratio", "min_tiles", "max_tiles") if name in mine}
    order = model.settings.get("patch_order")
    if order is not None and model.projector == "mlp_downsample" and order != _order_of(root, layout):
        root |= {"transformers_version": mine["transformers_version"], OWN: mine[OWN]}
    if layout is Layout.VILA_V1 and (name := model.settings.get(TOWER_NAME)):
        root["mm_vision_tower"] = name
    return root


def _order_of(root: Mapping[str, Any], layout: Layout) -> str | None:
    """Return how a folder is read; None where it does not say."""
    if layout is Layout.NVILA or root.get("model_type") == "vila":
        return "rows"
    return ("rows" if version_of(root) >= ROWS_SINCE else "columns") if version_of(root) else None


def _images_changed(model: ExportedModel) -> bool:
    """Say whether images are made otherwise than the folder that the model came from says."""
    mode, root = image_mode(model), model.origin.get("root", {})
    before = MODES.get(root.get("image_aspect_ratio"))
    if model.origin.get("layout") == Layout.NVILA and model.settings.get("s2_scales"):
        before = "s2"  # of which its root has no word
    if before is None:
        path = Path(_origin_place(model, "images"), "preprocessor_config.json")
        if not path.is_file():
            return mode == "pad"
        before = "crop" if read_json(path).get("do_center_crop", False) else "resize"
    tiling = model.own_images.get("tiling") or {}
    defaults = {"min_tiles": 1, "max_tiles": 12}
    wanted = {name: root.get(name) or value for name, value in defaults.items()}
    return mode != before or (mode == "tiles" and any(tiling[name] != wanted[name] for name in defaults))


def _part_configs(model: ExportedModel) -> dict[str, Mapping[str, Any]]:
    if model.origin.get("layout") == Layout.VILA:
        own: Mapping[str, Mapping[str, Any]] = model.origin["parts"]
        return dict(own)
    text = with_class(with_older_words(model.stored_text_config, dtype=model.dtype), kind="causal")
    vision = with_class(with_older_words(model.vision_config, dtype=model.dtype), kind="tower")
    projector = {
        "model_type": "v2l_projector",
        "architectures": ["MultimodalProjector"],
        "mm_projector_type": model.projector,
        "torch_dtype": model.dtype,
    }
    return {"llm": text, "vision_tower": vision, "mm_projector": projector}


def _new_root(model: ExportedModel, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        **_shared_root(model),
        **{f"{name}_cfg": part for name, part in parts.items()},
        "architectures": ["LlavaLlamaModel"],
        "model_type": "llava_llama",
        "chat_template": None,
        "interpolate_mode": "linear",
        "model_dtype": f"torch.{model.dtype}",
        "resume_path": None,
        "s2": False,
        "tune_language_model": True,
        "tune_mm_projector": True,
        "tune_vision_tower": False,
    }


def _shared_root(model: ExportedModel) -> dict[str, Any]:
    scales = model.settings.get("s2_scales") or ()
    tiling = model.own_images.get("tiling") or {}
    return {
        "hidden_size": model.text_config["hidden_size"],
        "mm_hidden_size": model.vision_config["hidden_size"] * (len(scales) or 1),
        "mm_vision_select_layer": model.settings["vision_feature_layer"],
        "mm_vision_select_feature": SELECT[str(model.settings["vision_feature_select_strategy"])],
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "image_aspect_ratio": IMAGE_MODES[image_mode(model)],
        "transformers_version": VERSIONS[str(model.settings.get("patch_order", "rows"))],
        OWN: {"newline": bool(model.own_images.get("newline"))},
        **({"dynamic_s2": True, "s2_scales": ",".join(map(str, scales))} if scales else {}),
        **{name: tiling[name] for name in ("min_tiles", "max_tiles") if name in tiling},
    }


def image_mode(model: ExportedModel) -> str:
    """Return how a model's images are made, by our name."""
    processor = model.processor.image_processor
    if tiling := model.own_images.get("tiling"):
        return str(tiling["mode"])
    if getattr(processor, "do_pad", False):
        return "pad"
    return "crop" if getattr(processor, "do_center_crop", False) else "resize"


def _flat_root(model: ExportedModel) -> dict[str, Any]:
    text = with_older_words(model.stored_text_config, dtype=model.dtype)
    kinds = {text_kind: flat for flat, text_kind in reversed(FLAT_TYPES.items())}
    return {
        **text,
        **_shared_root(model),
        "architectures": ["LlavaLlamaForCausalLM"],
        "model_type": "llava_llama" if text["model_type"] == "llama" else kinds[text["model_type"]],
        "mm_vision_tower": model.settings.get(TOWER_NAME) or UNNAMED_TOWER,
        "vision_config": with_older_words(model.vision_config, dtype=model.dtype),  # which others pass over
        "mm_projector_type": model.projector,
        "use_mm_proj": True,
    }


def _nvila_root(model: ExportedModel) -> dict[str, Any]:
    is_lite = model.projector == "mlp_downsample_3x3_fix"
    name = "NVILALite" if is_lite else "NVILA"
    return {
        "architectures": [f"{name}ForConditionalGeneration"],
        "model_type": "nvila_lite" if is_lite else "nvila",
        "text_config": with_class(with_older_words(model.stored_text_config, dtype=model.dtype), kind="causal"),
        "vision_config": with_class(with_older_words(model.vision_config, dtype=model.dtype), kind="tower"),
        OWN: {"newline": bool(model.own_images.get("newline"))},
        "image_token_id": model.settings["image_token_index"],
        "video_token_id": -1,
        "torch_dtype": model.dtype,
    }


def _write_tokenizer(folder: Path, model: ExportedModel) -> list[str]:
    """Copy the tokenizer that the model came with: NVlabs/VILA reads older files than transformers 5 writes."""
    tokenizer = model.processor.tokenizer
    if not _copied(folder, model, "tokenizer", TOKENIZER_FILES):
        tokenizer.save_pretrained(folder)
        soften_tokenizer(folder)
        return [] if not model.origin else [_made_anew(model, "tokenizer")]
    if tokenizer.chat_template == model.origin.get("chat_template"):
        return []
    (folder / "chat_template.jinja").write_text(tokenizer.chat_template, encoding="utf-8")
    config = read_json(folder / TOKENIZER_CONFIG)
    config.pop("chat_template", None)
    write_json(folder / TOKENIZER_CONFIG, config)
    return [
        "the folder has the chat template of this run; VILA-1.5's own code writes conversations by itself all the same"
    ]


def _write_images(folder: Path, model: ExportedModel) -> list[str]:
    if not _images_changed(model) and _copied(folder, model, "images", ("preprocessor_config.json",)):
        return []
    model.processor.image_processor.save_pretrained(folder)
    return [] if not model.origin or _images_changed(model) else [_made_anew(model, "image processor")]


def _origin_place(model: ExportedModel, what: Literal["tokenizer", "images"]) -> str:
    """Return where the folder that the model came from keeps its tokenizer, or its image processor."""
    folder = Path(str(model.origin.get("folder", "")))
    if model.origin.get("layout") == Layout.VILA:
        return str(folder / ("llm" if what == "tokenizer" else "vision_tower"))
    if what == "images" and model.origin.get("layout") == Layout.VILA_V1:
        return str(model.settings.get(TOWER_NAME) or model.origin["root"].get("mm_vision_tower", folder))
    return str(folder)


def _copied(folder: Path, model: ExportedModel, what: Literal["tokenizer", "images"], names: tuple[str, ...]) -> bool:
    source = Path(_origin_place(model, what))
    found = [source / name for name in names if model.origin and (source / name).is_file()]
    for path in found:
        shutil.copy(path, folder / path.name)
    return bool(found)


def _made_anew(model: ExportedModel, what: str) -> str:
    return f"{model.origin['folder']} has no longer its {what}, so it was written anew, as transformers 5 has it"
