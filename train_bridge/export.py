"""Command line: ``python -m train_bridge.export RUN [--step N] --out DIR``, a model of any checkpoint."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers import AutoProcessor
from transformers.utils import logging as transformers_logging

from curate.contract.errors import CurateError, RecipeError
from train_bridge.data.spec import text_form
from train_bridge.failures import LIBRARY_ERRORS, tell_failure
from train_bridge.model.llava import build_model, set_stop, set_trainable
from train_bridge.stage_file import load_stage
from train_bridge.tokens.encoder import TextEncoder
from train_bridge.training.checkpoint import list_checkpoints, load_weights
from train_bridge.training.export import export_model
from train_bridge.training.prepare import CHECKPOINTS, PROCESSOR_FOLDER, find_stop_ids
from train_bridge.training.ranks import joined_ranks


def main(arguments: Sequence[str]) -> int:
    """Export a checkpoint of a run.

    Returns:
        0 done, 1 failed, 2 wrong usage.
    """
    parser = argparse.ArgumentParser(prog="train_bridge.export", description="Write a model of a checkpoint.")
    parser.add_argument("run", type=Path, metavar="RUN", help="output folder of a stage")
    parser.add_argument("--step", type=int, help="whose checkpoint; the newest by default")
    parser.add_argument("--out", required=True, help="folder of the model; it must not exist")
    parser.add_argument("--debug", action="store_true", help="show where an error was raised")
    options = parser.parse_args(arguments)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        checkpoint = find_checkpoint(options.run, step=options.step)
        if Path(options.out).exists():
            raise RecipeError((f"--out {options.out}: exists",))
        export_checkpoint(options.run, checkpoint, out=options.out)
    except (CurateError, *LIBRARY_ERRORS) as error:
        return tell_failure(error, debug=options.debug)
    sys.stdout.write(f"{checkpoint.name} exported to {options.out}\n")
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


def export_checkpoint(run: Path, checkpoint: Path, *, out: str) -> None:
    """Write the model of a checkpoint; the weights that did not learn are read from where the run had them from.

    Raises:
        CurateError: The stage, its weights or the checkpoint cannot be read.
    """
    config = load_stage(str(run / "stage.yaml"))
    processor = AutoProcessor.from_pretrained(run / PROCESSOR_FOLDER)
    encoder = TextEncoder(processor.tokenizer, form=text_form(config.data, processor), image_mark=processor.image_token)
    model = build_model(config, processor=processor)
    set_stop(model, find_stop_ids(encoder, config.data))
    set_trainable(model, config.model.trainable, unfreeze=config.model.unfreeze, freeze=config.model.freeze)
    with joined_ranks() as ranks:
        load_weights(checkpoint, model=model)
        export_model(out, model=model, processor=processor, ranks=ranks)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
