"""Writes the layouts of the VILA family, as NVlabs/VILA, TensorRT-LLM and SGLang read them.

What a model was imported from is written word for word; of a model that began here, the words are made.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from train_bridge.checkpoints.exported import TOWER_NAME, ExportedModel
from train_bridge.checkpoints.layouts import CONFIG_NAME, FLAT_TYPES, SUBFOLDERS, Layout
from train_bridge.checkpoints.older_words import soften_tokenizer, with_older_words, write_json
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
    notes = [*_write_tokenizer(llm, model, "llm"), *_write_images(tower, model, "vision_tower")]
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
    notes = _write_tokenizer(folder, model, "")
    if not _root(model, Layout.VILA_V1):  # whose tower is named by the root, and has an image processor of its own
        notes += _write_images(folder, model, "")
    return notes


def write_nvila(folder: Path, model: ExportedModel) -> list[str]:
    """Write the one folder that SGLang serves; see ``write_vila``."""
    tensors: Tensors = {f"llm.{name}": value for name, value in model.text_tensors().items()}
    tensors |= {f"vision_tower.{name}": value for name, value in model.vision_tensors().items()}
    tensors |= {f"mm_projector.layers.{name}": value for name, value in model.projector_tensors().items()}
    write_tensors(folder, tensors)
    write_json(folder / CONFIG_NAME, _root(model, Layout.NVILA) or _nvila_root(model))
    return [*_write_tokenizer(folder, model, ""), *_write_images(folder, model, "")]


def _root(model: ExportedModel, layout: Layout) -> Mapping[str, Any] | None:
    """Return the root configuration that the model came with, if it came in this layout."""
    root: Mapping[str, Any] | None = model.origin.get("root")
    return root if model.origin.get("layout") == layout else None


def _part_configs(model: ExportedModel) -> dict[str, Mapping[str, Any]]:
    if model.origin.get("layout") == Layout.VILA:
        own: Mapping[str, Mapping[str, Any]] = model.origin["parts"]
        return dict(own)
    text, vision = (with_older_words(part, dtype=model.dtype) for part in (model.text_config, model.vision_config))
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
    own = getattr(model.processor.image_processor, "vila_image", None) or {}
    tiling = own.get("tiling") or {}
    return {
        "hidden_size": model.text_config["hidden_size"],
        "mm_hidden_size": model.vision_config["hidden_size"] * (len(scales) or 1),
        "mm_vision_select_layer": model.settings["vision_feature_layer"],
        "mm_vision_select_feature": SELECT[str(model.settings["vision_feature_select_strategy"])],
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "image_aspect_ratio": IMAGE_MODES[image_mode(model)],
        "transformers_version": VERSIONS[str(model.settings.get("patch_order", "rows"))],
        **({"dynamic_s2": True, "s2_scales": ",".join(map(str, scales))} if scales else {}),
        **{name: tiling[name] for name in ("min_tiles", "max_tiles") if name in tiling},
    }


def image_mode(model: ExportedModel) -> str:
    """Return how a model's images are made, by our name."""
    processor = model.processor.image_processor
    tiling = (getattr(processor, "vila_image", None) or {}).get("tiling")
    if tiling:
        return str(tiling["mode"])
    if getattr(processor, "do_pad", False):
        return "pad"
    return "crop" if getattr(processor, "do_center_crop", False) else "resize"


def _flat_root(model: ExportedModel) -> dict[str, Any]:
    text = with_older_words(model.text_config, dtype=model.dtype)
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
        "text_config": with_older_words(model.text_config, dtype=model.dtype),
        "vision_config": with_older_words(model.vision_config, dtype=model.dtype),
        "image_token_id": model.settings["image_token_index"],
        "video_token_id": -1,
        "torch_dtype": model.dtype,
    }


def _write_tokenizer(folder: Path, model: ExportedModel, part: str) -> list[str]:
    """Copy the tokenizer that the model came with: NVlabs/VILA reads older files than transformers 5 writes."""
    if _copied(folder, model, part, TOKENIZER_FILES):
        return []
    model.processor.tokenizer.save_pretrained(folder)
    soften_tokenizer(folder)
    return [] if not model.origin else [_made_anew(model, "tokenizer")]


def _write_images(folder: Path, model: ExportedModel, part: str) -> list[str]:
    if _copied(folder, model, part, ("preprocessor_config.json",)):
        return []
    model.processor.image_processor.save_pretrained(folder)
    return [] if not model.origin else [_made_anew(model, "image processor")]


def _copied(folder: Path, model: ExportedModel, part: str, names: tuple[str, ...]) -> bool:
    source = Path(str(model.origin.get("folder", "")), part)
    found = [source / name for name in names if model.origin and (source / name).is_file()]
    for path in found:
        shutil.copy(path, folder / path.name)
    return bool(found)


def _made_anew(model: ExportedModel, what: str) -> str:
    return f"{model.origin['folder']} is no longer there, so the {what} was written anew, as transformers 5 has it"
