"""Command line: ``[torchrun ... -m | python -m] train_bridge STAGE.yaml``."""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from transformers.utils import logging as transformers_logging

from curate.contract.errors import CurateError, RecipeError
from train_bridge.config import StageConfig
from train_bridge.failures import EXIT_FAILED, tell_failure, write_error
from train_bridge.options import parse_options
from train_bridge.stage_file import load_stage
from train_bridge.training.checkpoint import list_checkpoints
from train_bridge.training.kept_plan import find_plan
from train_bridge.training.loop import FINAL, train_stage
from train_bridge.training.prepare import CHECKPOINTS, prepare
from train_bridge.training.ranks import Ranks, is_peer_loss, joined_ranks


def main(arguments: Sequence[str]) -> int:
    """Run one stage.

    Returns:
        0 done (or stopped by SIGTERM and saved), 1 failed, 2 wrong usage or stage file.
    """
    options = parse_options(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        config = load_stage(options.stage, overrides=options.overrides)
        _check_output(config, resume=options.resume or options.plan_only)
    except CurateError as error:
        return tell_failure(error, debug=options.debug)
    with joined_ranks(timeout_s=config.run.peer_timeout_s) as ranks:
        try:
            _run(config, ranks, plan_only=options.plan_only)
        except Exception as error:  # noqa: BLE001 - told before the group is left, which may take long or never end
            if isinstance(error, RuntimeError) and is_peer_loss(error):
                write_error("another rank has ended; what it says is the reason")
                return EXIT_FAILED
            return tell_failure(error, debug=options.debug)
    return 0


def _run(config: StageConfig, ranks: Ranks, *, plan_only: bool) -> None:
    if plan_only:
        _print_plan(config, ranks)
    else:
        train_stage(config, ranks=ranks)


def _end(code: int) -> NoReturn:
    """End this process, also where a loader or a thread waits for storage that does not answer."""
    for process in multiprocessing.active_children():
        process.kill()
    if not code:
        raise SystemExit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _check_output(config: StageConfig, *, resume: bool) -> None:
    """Refuse to mix two runs in one folder, and places where a checkpoint cannot be whole or absent."""
    if "://" in config.output:
        where = "a folder, local or shared by all machines"
        raise RecipeError(
            (f"output: {config.output}: checkpoints are written to {where}; copy them when they are done",)
        )
    taken = list_checkpoints(f"{config.output}/{CHECKPOINTS}") or (Path(config.output) / FINAL).exists()
    if taken and not resume:
        raise RecipeError((f"output: {config.output} holds a run already; --resume goes on with it",))


def _print_plan(config: StageConfig, ranks: Ranks) -> None:
    prepared = prepare(config, ranks=ranks)
    if ranks.is_first:
        summary = find_plan(prepared.corpus, prepared.spec, config.optim, cache_dir=config.cache_dir)
        sys.stdout.write("\n".join(summary.lines()) + "\n")


if __name__ == "__main__":
    _end(main(sys.argv[1:]))
