"""Command line: ``python -m train_bridge.evaluate MODEL --shards DIR --task caption --shots 0,2,4 --out FILE``."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers.utils import logging as transformers_logging

from curate.contract.errors import CurateError
from train_bridge.config import StageConfig
from train_bridge.evaluate.losses import validation_loss
from train_bridge.tasks.answerer import load_answerer
from train_bridge.tasks.examples import read_examples
from train_bridge.tasks.run import Questions, ask_all
from train_bridge.training.ranks import Ranks, joined_ranks


def main(arguments: Sequence[str]) -> int:
    """Evaluate an exported model.

    Returns:
        0 done, 1 failed.
    """
    options = _parser().parse_args(arguments)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with joined_ranks() as ranks, tempfile.TemporaryDirectory() as folder:
            config = _stage(options, output=folder)
            found: Mapping[str, object]
            found = validation_loss(config, ranks=ranks) if options.task == "loss" else _ask(options, config, ranks)
    except (CurateError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    content = {"model": options.model, "shards": options.shards, "task": options.task, **found}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _ask(options: argparse.Namespace, config: StageConfig, ranks: Ranks) -> dict[str, object]:
    examples, num_passed = read_examples(options.shards, task=options.task, seed=options.seed)
    answerer = load_answerer(config, device=ranks.device)
    questions = Questions(
        task=options.task,
        form=options.form,
        seed=options.seed,
        max_new_tokens=options.max_new_tokens,
        limit=options.limit,
    )
    results, lines = [], []
    for num_shots in options.shots:
        result, records = ask_all(answerer, examples, questions, num_shots=num_shots)
        results.append(result)
        lines += records
    if options.answers is not None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        options.answers.write_text(text, encoding="utf-8")
    return {"form": options.form, "seed": options.seed, "results": results, "not_examples": num_passed}


def _stage(options: argparse.Namespace, *, output: str) -> StageConfig:
    """Return a stage that reads the shards once and learns nothing."""
    return StageConfig.model_validate(
        {
            "output": output,
            "init_from": options.model,
            "model": {},
            "data": {"shards": options.shards, "labels": options.labels},
            "pack": {"seq_length": options.seq_length},
            "optim": {"lr": 1.0, "global_batch": 1},
            "run": {"num_workers": 0},
        }
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train_bridge.evaluate", description="Evaluate an exported model on shards.")
    parser.add_argument("model", metavar="MODEL", help="exported folder")
    parser.add_argument("--shards", nargs="+", required=True, metavar="DIR", help="shard sets")
    parser.add_argument("--task", choices=("loss", "caption", "vqa", "choice"), required=True)
    parser.add_argument("--shots", type=_numbers, default=[0, 2, 4], metavar="0,2,4", help="examples before a question")
    parser.add_argument("--form", choices=("plain", "chat"), default="plain", help="how a prompt is written")
    parser.add_argument("--seed", type=int, default=0, help="of shots and wrong choices")
    parser.add_argument("--limit", type=int, help="questions to ask")
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--labels", choices=("all", "assistant"), default="all", help="tokens with loss")
    parser.add_argument("--seq-length", type=int, default=2048, help="tokens per pack, for the loss")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="write every answer, a JSON object a line")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the result as JSON")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
