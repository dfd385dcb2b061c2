"""For whom a model is exported: what each target cannot hold, and who writes its folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from curate.contract.errors import RecipeError
from train_bridge.checkpoints.exported import ExportedModel
from train_bridge.checkpoints.layouts import FLAT_TYPES, Layout
from train_bridge.checkpoints.llava_folder import write_llava
from train_bridge.checkpoints.vila_folders import image_mode, write_nvila, write_vila, write_vila_v1
from train_bridge.config import Target

VLLM_TOWERS = ("clip_vision_model", "siglip_vision_model")
"""Of vLLM's ``llava.py``: ``init_vision_tower_for_llava``; Pixtral, which it knows too, cannot be trained here."""
VLLM_TEXTS = (
    "cohere",
    "cohere2",
    "exaone4",
    "gemma3_text",
    "glm4",
    "granite",
    "granitemoe",
    "llama",
    "llama4_text",
    "ministral",
    "mistral",
    "mixtral",
    "olmo2",
    "olmo3",
    "phi3",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "smollm3",
    "stablelm",
    "starcoder2",
)
"""Types of language models of which vLLM's loaders get the names that they know: the table of ``docs/training.md``."""
LAYOUT_TARGETS: dict[Layout, Target] = {Layout.VILA: "vila", Layout.VILA_V1: "vila_v1", Layout.NVILA: "nvila"}


def resolve_targets(asked: Sequence[Target] | None, model: ExportedModel) -> tuple[Target, ...]:
    """Return for whom a model is exported beside the folder that this trainer goes on with.

    Args:
        asked: ``run.export_for``; None is the layout that the model came in.
        model: Its settings.
    """
    if asked is not None:
        return tuple(dict.fromkeys(asked))
    layout = model.origin.get("layout")
    return (LAYOUT_TARGETS[Layout(layout)],) if layout else ()


def check_targets(targets: Sequence[Target], model: ExportedModel) -> None:
    """Refuse targets that cannot hold a model.

    Args:
        targets: See ``resolve_targets``.
        model: Its settings; its weights are not looked at.

    Raises:
        RecipeError: All that they cannot hold, each with the target's name.
    """
    faults = [f"run.export_for: {target}: {fault}" for target in targets for fault in FAULTS[target](model)]
    if faults:
        raise RecipeError(tuple(faults))


def write_target(target: Target, folder: Path, model: ExportedModel) -> list[str]:
    """Write a model's folder.

    Args:
        target: For whom.
        folder: Is made.
        model: Whole, and what the target can hold.

    Returns:
        What a person should know of it.
    """
    return WRITERS[target](folder, model)


def _plain(folder: Path, model: ExportedModel) -> list[str]:
    write_llava(folder, model)
    return []


def _llava_faults(model: ExportedModel) -> list[str]:
    """Name what plain transformers' processor does not do; its class comes along where it is not plain."""
    own, faults = model.own_images, []
    if own.get("tiling"):
        faults.append(f"its processor makes one crop of an image; image.mode is {own['tiling']['mode']}")
    if own.get("newline"):
        faults.append("its processor puts no line break behind images, and this model has learned one (NVILA)")
    return faults


def _vllm_faults(model: ExportedModel) -> list[str]:
    faults = _llava_faults(model)
    if model.projector != "mlp2x_gelu":
        faults.append(f"it knows the projector mlp alone; this is {model.projector}")
    if (tower := str(model.vision_config["model_type"])) not in VLLM_TOWERS:
        faults.append(f"it knows no vision tower {tower} behind LLaVA; known are {', '.join(VLLM_TOWERS)}")
    if (text := str(model.text_config["model_type"])) not in VLLM_TEXTS:
        faults.append(
            f"it is not known to serve the language model {text} behind images; see docs/training.md, Families"
        )
    if model.code is not None and model.projector == "mlp2x_gelu":
        faults.append("the model has a class of its own, which it does not know")
    return faults


def _plain_projector_faults(model: ExportedModel) -> list[str]:
    """Name what LLaVA's projector may be in transformers, and NVlabs/VILA's may not."""
    if model.code is not None:
        return []
    faults = []
    if (own := model.settings.get("projector_hidden_act")) not in ("gelu", "linear"):
        faults.append(f"its projectors have the activation gelu; this one has {own}")
    if not model.settings.get("multimodal_projector_bias", True):
        faults.append("its projectors have biases; this one has none")
    return faults


def _vila_faults(model: ExportedModel) -> list[str]:
    faults = _plain_projector_faults(model)
    if (tower := str(model.vision_config["model_type"])) not in VLLM_TOWERS:
        faults.append(f"it has no vision tower {tower}")
    return faults


def _vila_v1_faults(model: ExportedModel) -> list[str]:
    faults = _plain_projector_faults(model)
    if model.projector not in ("linear", "mlp2x_gelu"):
        faults.append(f"it knows the projectors linear and mlp; this is {model.projector}")
    if (tower := str(model.vision_config["model_type"])) != "clip_vision_model":
        faults.append(f"it knows CLIP alone; the vision tower is {tower}")
    if (text := str(model.text_config["model_type"])) not in FLAT_TYPES.values():
        faults.append(f"it has no class for the language model {text}; it has {', '.join(set(FLAT_TYPES.values()))}")
    if (mode := image_mode(model)) not in ("pad", "crop", "resize"):
        faults.append(f"it makes one crop of an image; image.mode is {mode}")
    return faults


def _nvila_faults(model: ExportedModel) -> list[str]:
    faults = []
    is_whole = model.projector == "mlp_downsample" and bool(model.settings.get("s2_scales"))
    if not is_whole and model.projector != "mlp_downsample_3x3_fix":
        faults.append(
            "it knows mlp_downsample with image.mode s2 (nvila) and mlp_downsample_3x3_fix (nvila_lite); this is "
            f"{model.projector}"
        )
    if (text := str(model.text_config["model_type"])) != "qwen2":
        faults.append(f"it knows the language model qwen2 alone; this is {text}")
    if (tower := str(model.vision_config["model_type"])) != "siglip_vision_model":
        faults.append(f"it knows SigLIP alone; the vision tower is {tower}")
    if model.settings.get("patch_order", "rows") != "rows":
        faults.append("it reads joined patches by rows; this model by columns (VILA-1.5)")
    return faults


FAULTS: dict[Target, Callable[[ExportedModel], list[str]]] = {
    "transformers": _llava_faults,
    "transformers4": _llava_faults,
    "vllm": _vllm_faults,
    "vila": _vila_faults,
    "vila_v1": _vila_v1_faults,
    "nvila": _nvila_faults,
}
WRITERS: dict[Target, Callable[[Path, ExportedModel], list[str]]] = {
    "transformers": _plain,
    "transformers4": _plain,
    "vllm": _plain,
    "vila": write_vila,
    "vila_v1": write_vila_v1,
    "nvila": write_nvila,
}
