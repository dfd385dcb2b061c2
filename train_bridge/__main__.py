"""Command line: ``[torchrun ... -m | python -m] train_bridge STAGE.yaml``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from transformers.utils import logging as transformers_logging

from curate.contract.errors import BlendError, CurateError, RecipeError
from train_bridge.config import StageConfig
from train_bridge.stage_file import load_stage
from train_bridge.training.checkpoint import list_checkpoints
from train_bridge.training.loop import CHECKPOINTS, FINAL, train_stage
from train_bridge.training.plan_summary import summarise_plan
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import Ranks, is_peer_loss, joined_ranks

EXIT_FAILED, EXIT_USAGE = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run one stage.

    Returns:
        0 done (or stopped by SIGTERM and saved), 1 failed, 2 wrong usage or stage file.
    """
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        config = load_stage(options.stage, overrides=options.set)
        _check_output(config, resume=options.resume or options.plan_only)
        with joined_ranks(timeout_s=config.run.peer_timeout_s) as ranks:
            if options.plan_only:
                _print_plan(config, ranks)
            else:
                _store_stage(config, ranks)
                train_stage(config, ranks=ranks)
    except CurateError as error:
        _report(str(error))
        return EXIT_USAGE if isinstance(error, RecipeError | BlendError) else EXIT_FAILED
    except RuntimeError as error:
        if not is_peer_loss(error):
            raise
        _report("another rank has ended; what it says is the reason")
        return EXIT_FAILED
    return 0


def _report(text: str) -> None:
    """Write an error; every rank does, because it may be the only one that has it."""
    rank = os.environ.get("RANK", "0")
    sys.stderr.write(f"error: {text}\n" if rank == "0" else f"error on rank {rank}: {text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train_bridge", description="Train one stage of VILA from shards.")
    parser.add_argument("stage", metavar="STAGE.yaml", help="stage file; some are in train_bridge/stages")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="override; repeatable")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint, if any")
    parser.add_argument("--plan-only", action="store_true", help="print steps, fill, tokens per source")
    return parser


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
        summary = summarise_plan(prepared.corpus, prepared.spec.plan, config.optim)
        sys.stdout.write("\n".join(summary.lines()) + "\n")


def _store_stage(config: StageConfig, ranks: Ranks) -> None:
    """Keep the resolved stage beside its results."""
    if ranks.is_first:
        path = Path(config.output) / "stage.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
