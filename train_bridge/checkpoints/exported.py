"""A trained model on its way into a folder: settings and tensors, by the names of transformers 5, and what it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import LlavaProcessor

from train_bridge.checkpoints.projector_file import named_as_layers
from train_bridge.checkpoints.tensors import Tensors

VISION, PROJECTOR = "model.vision_tower.", "model.multi_modal_projector."
LANGUAGE, HEAD = "model.language_model.", "lm_head."
WRAPPED_TOWERS = ("clip_vision_model", "siglip_vision_model")
"""Towers whose tensors stood under ``vision_model.`` before transformers 5, and do for every server."""
TOWER_NAME = "vision_name"
"""Of a model's configuration: the folder or hub name that its vision tower came from."""
EMBEDDINGS = ("embed_tokens.weight", "lm_head.weight")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedModel:
    """What a writer takes."""

    settings: Mapping[str, Any]
    """Configuration of the model, as ``to_dict`` gives it."""
    weights: Tensors
    """On the CPU, of the dtype that is written."""
    processor: LlavaProcessor
    generation: Mapping[str, Any]
    """Generation configuration."""
    code: Path | None = None
    """Source of a class that plain transformers has not."""

    @property
    def origin(self) -> Mapping[str, Any]:
        """What the folder was that the model was imported from; empty where it was none of the VILA family's."""
        found: Mapping[str, Any] = self.settings.get("vila_origin") or {}
        return found

    @property
    def own_images(self) -> Mapping[str, Any]:
        """How images are made where plain transformers has no words for it: ``tiling`` and ``newline``."""
        found: Mapping[str, Any] = getattr(self.processor.image_processor, "vila_image", None) or {}
        return found

    @property
    def text_config(self) -> dict[str, Any]:
        """Of the language model."""
        return dict(self.settings["text_config"])

    @property
    def stored_text_config(self) -> dict[str, Any]:
        """Of the language model as ``text_tensors`` gives it: without rows that were added for images."""
        rows = self.origin.get("vocab_size")
        return self.text_config if rows is None else self.text_config | {"vocab_size": rows}

    @property
    def vision_config(self) -> dict[str, Any]:
        """Of the vision tower."""
        return dict(self.settings["vision_config"])

    @property
    def projector(self) -> str:
        """Type, as NVlabs/VILA names it."""
        if "projector_type" in self.settings:
            return str(self.settings["projector_type"])
        return "linear" if self.settings["projector_hidden_act"] == "linear" else "mlp2x_gelu"

    @property
    def dtype(self) -> str:
        """Of the weights, such as ``bfloat16``."""
        return str(next(iter(self.weights.values())).dtype).removeprefix("torch.")

    def text_tensors(self) -> Tensors:
        """Return those of the language model, as its own class has them; without rows that were added for images."""
        found = {f"model.{name}": value for name, value in self.under(LANGUAGE).items()}
        is_tied = bool(self.settings.get("tie_word_embeddings"))
        if self.origin.get("has_head", not is_tied):
            found |= {f"{HEAD}{name}": value for name, value in self.under(HEAD).items()}
        rows = self.origin.get("vocab_size")
        if rows is None:
            return found
        return {name: value[:rows] if name.endswith(EMBEDDINGS) else value for name, value in found.items()}

    def vision_tensors(self) -> Tensors:
        """Return those of the vision tower, as transformers 4 and servers name them."""
        prefix = "vision_model." if self.vision_config["model_type"] in WRAPPED_TOWERS else ""
        return {f"{prefix}{name}": value for name, value in self.under(VISION).items()}

    def projector_tensors(self) -> Tensors:
        """Return those of the projector, as NVlabs/VILA names them behind ``layers.``."""
        return named_as_layers(self.under(PROJECTOR), kind=self.projector)

    def under(self, prefix: str) -> Tensors:
        """Return the tensors below a name, without it."""
        return {n.removeprefix(prefix): value for n, value in self.weights.items() if n.startswith(prefix)}
