"""Command line: ``python -m train_bridge.export RUN [--step N] [--for TARGET] --out DIR``, a model of any checkpoint.

RUN may also be a folder of a model, of any layout that can be trained: it is then written for another target.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from transformers import AutoProcessor
from transformers.utils import logging as transformers_logging

from curate.contract.errors import CurateError, RecipeError
from train_bridge.checkpoints.layouts import CONFIG_NAME
from train_bridge.checkpoints.targets import check_targets
from train_bridge.config import StageConfig, Target
from train_bridge.data.spec import text_form
from train_bridge.failures import LIBRARY_ERRORS, tell_failure
from train_bridge.model.frozen import hold_frozen
from train_bridge.model.llava import build_model, set_stop, set_trainable
from train_bridge.model.lora import add_adapters, check_lora, merge_adapters
from train_bridge.model.processor import build_processor
from train_bridge.stage_file import load_stage
from train_bridge.tokens.encoder import TextEncoder
from train_bridge.training.checkpoint import list_checkpoints, load_weights
from train_bridge.training.export import prepare_export, write_folder
from train_bridge.training.prepare import CHECKPOINTS, PROCESSOR_FOLDER, find_stop_ids
from train_bridge.training.ranks import joined_ranks


def main(arguments: Sequence[str]) -> int:
    """Export a checkpoint of a run.

    Returns:
        0 done, 1 failed, 2 wrong usage.
    """
    parser = argparse.ArgumentParser(prog="train_bridge.export", description="Write a model of a checkpoint.")
    parser.add_argument("run", type=Path, metavar="RUN", help="output folder of a stage, or a model's folder")
    parser.add_argument("--step", type=int, help="whose checkpoint; the newest by default")
    parser.add_argument(
        "--for",
        dest="target",
        choices=get_args(Target),
        default="transformers",
        help="who loads it; see run.export_for",
    )
    parser.add_argument("--dtype", choices=("base", "fp32", "bf16"), default="base", help="see run.export_dtype")
    parser.add_argument("--out", required=True, help="folder of the model; it must not exist")
    parser.add_argument("--debug", action="store_true", help="show where an error was raised")
    options = parser.parse_args(arguments)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        if Path(options.out).exists():
            raise RecipeError((f"--out {options.out}: exists",))
        is_model = (options.run / CONFIG_NAME).is_file()
        checkpoint = None if is_model else find_checkpoint(options.run, step=options.step)
        config = _stage_of_model(options.run) if checkpoint is None else load_stage(str(options.run / "stage.yaml"))
        notes = _export(config, options, checkpoint=checkpoint)
    except (CurateError, *LIBRARY_ERRORS) as error:
        return tell_failure(error, debug=options.debug)
    for note in notes:
        sys.stdout.write(f"note: {note}\n")
    sys.stdout.write(f"{(checkpoint or options.run).name} exported to {options.out}\n")
    return 0


def find_checkpoint(run: Path, *, step: int | None) -> Path:
    """Return a complete checkpoint of a run.

    Raises:
        RecipeError: There is none of this step; says which there are.
    """
    found = {int(path.name.rpartition("-")[2]): path for path in list_checkpoints(str(run / CHECKPOINTS))}
    chosen = max(found, default=None) if step is None else step
    if chosen not in found:
        there = ", ".join(map(str, found)) or "none"
        wanted = "no checkpoint" if step is None else f"no checkpoint of step {step}"
        raise RecipeError((f"{run}: {wanted}; there are: {there}",))
    return found[chosen]


def _export(config: StageConfig, options: argparse.Namespace, *, checkpoint: Path | None) -> list[str]:
    """Write the model; weights that did not learn are read from where the run had them from.

    Raises:
        CurateError: The stage, its weights or the checkpoint cannot be read, or the target cannot hold the model.
    """
    check_lora(config.model)
    if checkpoint is None:
        processor = build_processor(config)
    else:
        processor = AutoProcessor.from_pretrained(options.run / PROCESSOR_FOLDER)
    model = build_model(config, processor=processor)
    check_targets([options.target], prepare_export(model, processor=processor))
    if checkpoint is not None:
        form = text_form(config.data, processor)
        encoder = TextEncoder(processor.tokenizer, form=form, image_mark=processor.image_token)
        set_stop(model, find_stop_ids(encoder, config.data))
        set_trainable(model, config.model.trainable, unfreeze=config.model.unfreeze, freeze=config.model.freeze)
        add_adapters(model, config.model, seed=config.run.seed)
        hold_frozen(model, config.model)
    with joined_ranks():
        if checkpoint is not None:
            load_weights(checkpoint, model=model)
        weights = merge_adapters(model, model.state_dict())
        exported = prepare_export(model, processor=processor, weights=weights, dtype=options.dtype)
    return write_folder(Path(options.out), exported, options.target)


def _stage_of_model(folder: Path) -> StageConfig:
    """Return a stage that begins from a model and learns nothing."""
    return StageConfig.model_validate(
        {
            "output": str(folder),
            "init_from": str(folder),
            "model": {},
            "data": {"shards": str(folder)},
            "pack": {"seq_length": 16},
            "optim": {"lr": 1.0, "global_batch": 1},
        }
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
