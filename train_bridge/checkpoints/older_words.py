"""Configurations in words that transformers 4.57 and servers read, beside those of transformers 5.

Nothing of the new words is taken away: either version finds its own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_MAPPING_NAMES

from train_bridge.checkpoints.layouts import read_json

TOKENIZER_CONFIG = "tokenizer_config.json"
GENERIC_CLASS = "PreTrainedTokenizerFast"
"""Reads ``tokenizer.json`` in transformers 4 and 5; some classes of either one are not known to the other."""
SPECIALS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def with_older_words(config: Mapping[str, Any], *, dtype: str | None = None) -> dict[str, Any]:
    """Return a configuration of a model or a part with its rope and dtype also as transformers 4 has them.

    Args:
        config: As ``to_dict`` of transformers 5 gives it.
        dtype: Of the weights.
    """
    words = dict(config)
    rope = config.get("rope_parameters")
    if isinstance(rope, Mapping) and "rope_theta" in rope:
        words["rope_theta"] = rope["rope_theta"]
        scaling = {name: value for name, value in rope.items() if name != "rope_theta"}
        is_plain = scaling.get("rope_type", "default") == "default"
        words["rope_scaling"] = None if is_plain else scaling
    if dtype is not None:
        words["dtype"] = words["torch_dtype"] = dtype
    return words


def with_class(config: Mapping[str, Any], *, kind: Literal["causal", "tower"]) -> dict[str, Any]:
    """Return a configuration of a part that names the class of it alone, by which servers build it.

    Args:
        config: Has a ``model_type``.
        kind: What the part is.
    """
    table = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES if kind == "causal" else MODEL_MAPPING_NAMES
    known = table.get(str(config["model_type"]))
    return dict(config) | ({"architectures": [known]} if isinstance(known, str) else {})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as JSON, its names in order, as transformers writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")


def soften_tokenizer(folder: Path) -> None:
    """Let the tokenizer that transformers 5 has saved in a folder be read by 4.57 too."""
    config = read_json(folder / TOKENIZER_CONFIG)
    backend = read_json(folder / "tokenizer.json")
    specials = [token["content"] for token in backend.get("added_tokens", []) if token.get("special")]
    named = {value for name, value in config.items() if name in SPECIALS}
    config["tokenizer_class"] = GENERIC_CLASS
    config["additional_special_tokens"] = [token for token in specials if token not in named]
    config.pop("extra_special_tokens", None)  # a list in 5, a table in 4
    config.pop("backend", None)
    write_json(folder / TOKENIZER_CONFIG, config)


def soften_processor(folder: Path) -> None:
    """Put the image processor into a file of its own, where transformers 4 looks for it.

    By the name of its fast class: the other one of version 4 resizes with Pillow, and gives other pixels.
    """
    path = folder / "processor_config.json"
    config = read_json(path)
    if (images := config.pop("image_processor", None)) is not None:
        fast = f"{images.get('image_processor_type')}Fast"
        if hasattr(transformers, fast):
            images["image_processor_type"] = fast
        write_json(folder / "preprocessor_config.json", images)
    write_json(path, config)
