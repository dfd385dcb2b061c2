"""A tower or a language model out of the folder of a whole model, as LLaVA-NeXT's and LLaVA-OneVision's are.

Such folders join tiles in ways that are not written here, but their parts are ordinary ones.
"""

from pathlib import Path
from typing import Any, Literal

from transformers import CONFIG_MAPPING, AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from curate.contract.errors import CurateError
from train_bridge.checkpoints.layouts import CONFIG_NAME, read_json
from train_bridge.checkpoints.tensors import Tensors, read_tensors, tensor_names
from train_bridge.model.whole import load_whole

Part = Literal["vision_config", "text_config"]
PREFIXES: dict[Part, tuple[str, ...]] = {
    "vision_config": ("model.vision_tower.", "vision_tower."),
    "text_config": ("model.language_model.", "language_model."),
}
"""Under which the parts stand in transformers' multimodal models, new and old."""
HEAD = "lm_head."


def is_whole(name: str) -> bool:
    """Say whether a folder holds a multimodal model of transformers; CLIP with its text tower is none."""
    path = Path(name, CONFIG_NAME)
    if not path.is_file() or not set(PREFIXES) <= read_json(path).keys():
        return False
    return any(one.startswith(PREFIXES["text_config"]) for one in tensor_names(name))


def take_tower(folder: str) -> PreTrainedModel:
    """Return the vision tower of a whole model.

    Raises:
        CurateError: It is not there as a whole.
    """
    config = _config(folder, "vision_config")
    return load_whole(AutoModel, config, _tensors(folder, "vision_config"), place=f"{folder}, vision tower")


def take_language_model(folder: str) -> PreTrainedModel:
    """Return the causal language model of a whole model.

    Raises:
        CurateError: It is not there as a whole.
    """
    tensors = _tensors(folder, "text_config")
    if not any(name.startswith((HEAD, "model.")) for name in tensors):  # transformers 5: the head stands apart
        tensors = {f"model.{name}": value for name, value in tensors.items()}
        if any(name.startswith(HEAD) for name in tensor_names(folder)):
            tensors |= {f"{HEAD}{name}": value for name, value in read_tensors(folder, prefix=HEAD).items()}
    config = _config(folder, "text_config")
    return load_whole(AutoModelForCausalLM, config, tensors, place=f"{folder}, language model")


def _config(folder: str, part: Part) -> PreTrainedConfig:
    settings: dict[str, Any] = dict(read_json(Path(folder, CONFIG_NAME))[part])
    kind = str(settings.pop("model_type", None))
    if kind not in CONFIG_MAPPING:
        raise CurateError(f"{folder}: {part} is of type {kind}, which transformers does not know")
    return AutoConfig.for_model(kind, **settings)


def _tensors(folder: str, part: Part) -> Tensors:
    names = tensor_names(folder)
    for prefix in PREFIXES[part]:
        if any(name.startswith(prefix) for name in names):
            return read_tensors(folder, prefix=prefix)
    raise CurateError(f"{folder}: no tensor is called {' or '.join(PREFIXES[part])}*")
