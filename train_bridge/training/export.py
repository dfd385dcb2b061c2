"""Writes the trained model as an ordinary folder, which plain ``transformers`` loads.

With ``projector: downsample_mlp``, which no plain class has, it does so with ``trust_remote_code=True``.
"""

import shutil
from pathlib import Path

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from curate.contract.errors import CurateError
from train_bridge.model.llava import model_class
from train_bridge.training.ranks import Ranks, failing_together


def export_model(folder: str, *, model: LlavaForConditionalGeneration, processor: LlavaProcessor, ranks: Ranks) -> None:
    """Gather the weights and save model and processor; all ranks call this.

    Args:
        folder: Replaced as a whole.
        model: Sharded or not.
        processor: Of the stage.
        ranks: The callers.

    Raises:
        CurateError: The plain class has other weights, so it could not load them; or the folder cannot be written.
    """
    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    weights = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    with failing_together():
        if ranks.is_first:
            _write(Path(folder), weights=weights, model=model, processor=processor)


def _write(
    target: Path, *, weights: dict[str, torch.Tensor], model: LlavaForConditionalGeneration, processor: LlavaProcessor
) -> None:
    config, partial = model.config, target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    plain_class = model_class(config.model_type)
    with torch.device("meta"):  # sharding has changed the class of the model itself
        plain = plain_class(config)
    if plain_class is not LlavaForConditionalGeneration:
        # The folder gets a copy of the source of its class, and says so in config.json.
        config.__class__.register_for_auto_class()
        plain_class.register_for_auto_class("AutoModelForImageTextToText")
    strange = sorted(plain.state_dict().keys() ^ weights.keys())
    if strange:
        raise CurateError(f"{type(plain).__name__} of plain transformers cannot hold these weights: {strange[0]}, ...")
    plain.generation_config = model.generation_config
    plain.save_pretrained(partial, state_dict=weights)
    processor.save_pretrained(partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
