"""Writes the trained model: the folder that the next stage begins from, and one for each target that is asked for."""

import inspect
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import LlavaForConditionalGeneration, LlavaProcessor
from transformers.core_model_loading import revert_weight_conversion

from curate.contract.errors import CurateError
from train_bridge.checkpoints.exported import ExportedModel
from train_bridge.checkpoints.targets import check_targets, resolve_targets, write_target
from train_bridge.config import RunConfig, Target
from train_bridge.model.classes import BASE_DTYPE, model_class
from train_bridge.model.imported import ORIGIN
from train_bridge.model.lora import merge_adapters
from train_bridge.model.parts import vision_tower
from train_bridge.training.ranks import Ranks, failing_together

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def export_model(
    folder: str,
    *,
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    ranks: Ranks,
    targets: Sequence[Target] | None = (),
    dtype: str = "base",
) -> list[str]:
    """Gather the weights, merge adapters into them and save model and processor; all ranks call this.

    Args:
        folder: Replaced as a whole; each target's is beside it, ``FOLDER-TARGET``.
        model: Sharded or not.
        processor: Of the stage.
        ranks: The callers.
        targets: For whom it is written besides; None: see ``run.export_for``.
        dtype: ``run.export_dtype``.

    Returns:
        On the first rank, what a person should know of what was written.

    Raises:
        CurateError: The plain class has other weights, so it could not load them; or the folder cannot be written.
    """
    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    weights = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    del state  # merging takes weights out one by one
    notes: list[str] = []
    with failing_together():
        if ranks.is_first:
            plain = merge_adapters(model, weights)
            exported = prepare_export(model, processor=processor, weights=plain, dtype=dtype)
            notes = write_folder(Path(folder), exported, "transformers")
            for target in resolve_targets(targets, exported):
                notes += write_folder(Path(f"{folder}-{target}"), exported, target)
    return notes


def check_export(config: RunConfig, model: LlavaForConditionalGeneration, processor: LlavaProcessor) -> None:
    """Refuse targets that cannot hold a model, before it is trained.

    Raises:
        RecipeError: See ``check_targets``.
    """
    exported = prepare_export(model, processor=processor, dtype=config.export_dtype)
    check_targets(resolve_targets(config.export_for, exported), exported)


def prepare_export(
    model: LlavaForConditionalGeneration,
    *,
    processor: LlavaProcessor,
    weights: dict[str, torch.Tensor] | None = None,
    dtype: str = "base",
) -> ExportedModel:
    """Return what writers take.

    Args:
        model: Sharded or not.
        processor: Of the stage.
        weights: Whole, on the CPU; None for settings alone, where there is nothing to write yet.
        dtype: ``run.export_dtype``.

    Raises:
        CurateError: The plain class has other weights.
    """
    config = model.config
    plain_class = model_class(config.model_type)
    with torch.device("meta"):  # sharding has changed the class of the model itself
        plain = plain_class(config)
    if weights is not None and (strange := sorted(plain.state_dict().keys() ^ weights.keys())):
        raise CurateError(f"{plain_class.__name__} of plain transformers cannot hold these weights: {strange[0]}, ...")
    base = getattr(torch, str(getattr(config, BASE_DTYPE, None) or "float32"))
    wanted = DTYPES.get(dtype, base)
    settings = config.to_dict() | {"architectures": [plain_class.__name__]}
    if ORIGIN in settings and _has_learned(vision_tower(model)):
        settings[ORIGIN] = settings[ORIGIN] | {"has_tower": True}
    return ExportedModel(
        settings=settings,
        weights={name: value.to(wanted) for name, value in _as_saved(plain, weights or {}).items()},
        processor=processor,
        generation=model.generation_config.to_diff_dict(),
        code=None if plain_class is LlavaForConditionalGeneration else Path(inspect.getfile(plain_class)),
    )


def _has_learned(tower: nn.Module) -> bool:
    """Say whether a tower was chosen to learn: what follows its feature is frozen then, and nothing is before."""
    learns = [parameter.requires_grad for parameter in tower.parameters()]
    return any(learns) and not all(learns)


def _as_saved(plain: LlavaForConditionalGeneration, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Undo what transformers changes in weights when it loads some families, such as experts that become one tensor.

    It renames plain LLaVA's parts too, which writers do by themselves.
    """
    names = {"language_model.lm_head.": "lm_head.", "language_model.model.": "model.language_model."}
    names |= {"vision_tower.": "model.vision_tower.", "multi_modal_projector.": "model.multi_modal_projector."}
    found = {}
    for name, value in revert_weight_conversion(plain, weights).items():
        theirs = next((theirs for theirs in names if name.startswith(theirs)), None)
        found[name if theirs is None else names[theirs] + name.removeprefix(theirs)] = value
    return found


def write_folder(target: Path, model: ExportedModel, kind: Target) -> list[str]:
    """Write a model's folder, which is there whole or not at all.

    Args:
        target: Replaced as a whole.
        model: Whole.
        kind: For whom.

    Returns:
        What a person should know of it.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    notes = write_target(kind, partial, model)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return notes
