"""Writes the trained model as an ordinary LLaVA folder, which plain ``transformers`` loads."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from train_bridge.ranks import Ranks, wait_for_all


def export_model(folder: str, *, model: Any, processor: LlavaProcessor, ranks: Ranks) -> None:
    """Gather the weights and save model and processor; all ranks call this.

    Args:
        folder: Replaced as a whole.
        model: Sharded or not.
        processor: Of the stage.
        ranks: The callers.
    """
    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if ranks.is_first:
        target = Path(folder)
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        with torch.device("meta"):  # sharding has changed the class of the model itself
            plain = LlavaForConditionalGeneration(model.config)
        plain.save_pretrained(partial, state_dict=weights)
        processor.save_pretrained(partial)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    wait_for_all()
