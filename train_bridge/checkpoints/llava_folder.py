"""Writes the folder that plain transformers loads, 4.57 and 5, and vLLM and SGLang where they know the projector.

Names of tensors are those of ``llava-hf`` on the hub, which every version and server maps to its own.
"""

import shutil
from pathlib import Path

from train_bridge.checkpoints.exported import HEAD, LANGUAGE, PROJECTOR, VISION, WRAPPED_TOWERS, ExportedModel
from train_bridge.checkpoints.layouts import CONFIG_NAME
from train_bridge.checkpoints.older_words import (
    soften_processor,
    soften_tokenizer,
    with_class,
    with_older_words,
    write_json,
)
from train_bridge.checkpoints.tensors import Tensors, write_tensors


def write_llava(folder: Path, model: ExportedModel) -> None:
    """Write a model with all that inference needs.

    Args:
        folder: Is made.
        model: Whole.
    """
    write_tensors(folder, hub_names(model))
    settings = with_older_words(model.settings, dtype=model.dtype)
    text, vision = (with_older_words(part, dtype=model.dtype) for part in (model.text_config, model.vision_config))
    settings |= {"text_config": with_class(text, kind="causal"), "vision_config": with_class(vision, kind="tower")}
    if model.code is not None:
        shutil.copy(model.code, folder / model.code.name)
        (name,) = model.settings["architectures"]
        settings["auto_map"] = {
            "AutoConfig": f"{model.code.stem}.{name}Config",
            "AutoModelForImageTextToText": f"{model.code.stem}.{name}",
        }
    write_json(folder / CONFIG_NAME, settings)
    write_json(folder / "generation_config.json", model.generation)
    model.processor.save_pretrained(folder)
    soften_tokenizer(folder)
    soften_processor(folder)


def hub_names(model: ExportedModel) -> Tensors:
    """Return the tensors by the names that ``llava-hf`` uses; those of a class of our own by its own names."""
    is_plain = model.code is None
    before = "" if is_plain else "model."
    tower = "vision_model." if model.vision_config["model_type"] in WRAPPED_TOWERS else ""
    prefixes = {
        VISION: f"{before}vision_tower.{tower}",
        PROJECTOR: f"{before}multi_modal_projector.",
        LANGUAGE: "language_model.model." if is_plain else LANGUAGE,
    }
    if not model.settings.get("tie_word_embeddings"):
        prefixes[HEAD] = f"language_model.{HEAD}" if is_plain else HEAD
    tensors: Tensors = {}
    for own, theirs in prefixes.items():
        tensors |= {f"{theirs}{name}": value for name, value in model.under(own).items()}
    return tensors
