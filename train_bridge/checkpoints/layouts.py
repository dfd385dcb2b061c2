"""Which layout a model folder has: by its configuration and its subfolders, never by its name."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from curate.contract.errors import CurateError

CONFIG_NAME = "config.json"
SUBFOLDERS = ("llm", "vision_tower", "mm_projector")
"""Of VILA-1.5 and NVILA."""
OWN_TYPES = ("llava", "llava_family", "vila_llava")
"""Model types of our own exports; the first is plain transformers'."""
FLAT_TYPES = {
    "llava": "llama",
    "llava_llama": "llama",
    "llava_mistral": "mistral",
    "llava_mixtral": "mixtral",
    "llava_qwen": "qwen2",
    "llava_qwen2": "qwen2",
    "llava_gemma": "gemma",
}
"""Language model behind each model type of original LLaVA and VILA v1.0, all of whose settings lie in one file."""
NVILA_TYPES = ("nvila", "nvila_lite")
TILED_TYPES = ("llava_next", "llava_next_video", "llava_onevision", "vipllava", "video_llava")
"""Relatives of LLaVA in transformers whose images are many tiles, joined in ways of their own."""


class Layout(StrEnum):
    """How a model lies in its folder."""

    LLAVA = "llava"
    """``LlavaForConditionalGeneration`` of transformers, of any age, or what this trainer exports."""
    VILA_V1 = "vila_v1"
    """One folder with ``model.mm_projector.*``: VILA v1.0 and original LLaVA."""
    VILA = "vila"
    """``llm/``, ``vision_tower/``, ``mm_projector/``: VILA-1.5, NVILA, and NVILA with remote code."""
    NVILA = "nvila"
    """One folder with ``llm.*``, ``vision_tower.*``, ``mm_projector.*``, which SGLang serves."""


def read_json(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file.

    Raises:
        CurateError: It is not there or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CurateError(f"{path} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise CurateError(f"{path} holds no JSON object")
    return content


def local_folder(name: str) -> str:
    """Return the folder of a model: itself, or where the hub's copy of it lies.

    Raises:
        OSError: The hub has no such model, or cannot be asked.
    """
    return name if Path(name).is_dir() else snapshot_download(name)


def find_layout(folder: str) -> Layout:
    """Return the layout of a model folder.

    Raises:
        CurateError: None of those that are known; says what was found, and what helps where that is known.
    """
    path = Path(folder)
    if not (path / CONFIG_NAME).is_file() or (path / "adapter_config.json").is_file():
        raise CurateError(f"{folder}: {no_model(path)}")
    config = read_json(path / CONFIG_NAME)
    kind = str(config.get("model_type"))
    present = [name for name in SUBFOLDERS if (path / name / CONFIG_NAME).is_file()]
    if "llm_cfg" in config or len(present) == len(SUBFOLDERS):
        if missing := sorted(set(SUBFOLDERS) - set(present)):
            files = ", ".join(f"{name}/{CONFIG_NAME}" for name in missing)
            raise CurateError(f"{folder}: a VILA folder without {files}")
        return Layout.VILA
    if kind in NVILA_TYPES:
        return Layout.NVILA
    if kind in OWN_TYPES and "text_config" in config:
        return Layout.LLAVA
    if kind in FLAT_TYPES and "mm_vision_tower" in config:
        return Layout.VILA_V1
    raise CurateError(f"{folder}: {_unknown(kind, config)}")


def no_model(path: Path) -> str:
    """Say what a folder is that holds no whole model."""
    names = {one.name for one in path.iterdir()} if path.is_dir() else set()
    if "adapter_config.json" in names:
        return "the folder holds a LoRA adapter; merge it into its model first (peft: merge_and_unload)"
    if names & {"mm_projector.bin", "non_lora_trainables.bin"}:
        return "the folder holds a projector alone; name it in model.projector_from"
    return f"no {CONFIG_NAME}, so it is no model's; it holds {', '.join(sorted(names)[:8]) or 'nothing'}"


def _unknown(kind: str, config: dict[str, Any]) -> str:
    if kind in TILED_TYPES:
        return (
            f"a model of type {kind} joins the tiles of an image in a way that is not written here; take its parts: "
            "model.vision, model.llm and model.projector_from may all name this folder"
        )
    classes = ", ".join(config.get("architectures") or ["none"])
    return (
        f"a model of type {kind} (class {classes}) is in no layout that is known here; known are llava of "
        "transformers, VILA v1.0 and original LLaVA (llava_llama with mm_vision_tower), VILA-1.5 and NVILA "
        f"({'/, '.join(SUBFOLDERS)}/), and nvila"
    )
