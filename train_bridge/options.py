"""Options of ``python -m train_bridge`` and of its launcher, which reads them before it starts any process."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOptions:
    """What a command line says."""

    stage: str
    overrides: tuple[str, ...]
    resume: bool
    plan_only: bool
    debug: bool


def parse_options(arguments: Sequence[str]) -> TrainOptions:
    """Read a command line.

    Raises:
        SystemExit: 2 for wrong usage, 0 after ``--help``; argparse has said what there is to say.
    """
    found = _parser().parse_args(arguments)
    return TrainOptions(
        stage=found.stage,
        overrides=tuple(found.set),
        resume=found.resume,
        plan_only=found.plan_only,
        debug=found.debug,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train_bridge", description="Train one stage of VILA from shards.")
    parser.add_argument("stage", metavar="STAGE.yaml", help="stage file; some are in train_bridge/stages")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="override; repeatable")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint, if any")
    parser.add_argument("--plan-only", action="store_true", help="print steps, fill, tokens per source")
    parser.add_argument("--debug", action="store_true", help="show where an error was raised")
    return parser
