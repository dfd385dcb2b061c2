"""The demo: draw a web, serve it, curate it, train three stages on it, and hold the result against the truth."""

import importlib.resources
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from curate.contract.errors import CurateError
from curate.report.builders import build_curve
from curate.report.data import LossCurve
from pipelines import views
from pipelines.account import Extras
from pipelines.demo.evaluate import evaluate
from pipelines.demo.losses import read_losses
from pipelines.demo.server import pick_port, serve
from pipelines.demo.world import build_world
from pipelines.session import RunOptions, report_again, run_recipe
from pipelines.train_command import train_command
from pipelines.verify import verify

SEED = 0
STAGES = ("demo_stage0", "demo_stage1", "demo_stage2")
FINAL_MODEL = "final"
EDGE_SHARE = 5
"""A stage's loss falls if the mean of its last fifth of steps is below that of its first fifth."""


def run_demo(out: Path, *, num_docs: int, workers: int | None) -> bool:
    """Run the whole road below ``out`` and return whether every figure reached its target.

    Args:
        out: Folder; ``world``, ``corpus`` and ``train`` are made in it.
        num_docs: Documents of the world.
        workers: Dask worker processes; None means one per CPU.

    Raises:
        CurateError: A step failed.
    """
    started_s = time.monotonic()
    corpus, options = out / "corpus", RunOptions(out=str(out / "corpus"), workers=workers)
    port = pick_port()
    world = build_world(out / "world", num_docs=num_docs, seed=SEED, base_url=f"http://127.0.0.1:{port}")
    recipe = world.folder / "recipe.yaml"
    shutil.copyfile(str(importlib.resources.files("pipelines") / "recipes" / "demo.yaml"), recipe)
    with serve(world.folder, port=port) as server:
        finished = run_recipe(str(recipe), options)
        figures = evaluate(corpus, world, request_counts=server.count_requests())
    faults = verify(str(corpus))
    if faults:
        raise CurateError("\n".join(faults))
    curves = [_train(stage, shards=corpus / "shards" / "main", out=out / "train") for stage in STAGES]
    report_again(options, extras=Extras(truth=figures, training=curves))
    views.show_ledger(finished.account.ledger)
    views.show_truth(figures)
    views.show_losses([(curve.stage, *_edges(curve)) for curve in curves])
    views.show_places(
        {
            "report": corpus / "report.html",
            "shards": corpus / "shards" / "main",
            "checkpoint": out / "train" / STAGES[-1] / FINAL_MODEL,
            "took": f"{time.monotonic() - started_s:.0f} s",
        }
    )
    falls = all(last < first for first, last in map(_edges, curves))
    return falls and all(figure.passed for figure in figures)


def _train(stage: str, *, shards: Path, out: Path) -> LossCurve:
    """Train one stage under torchrun and return its loss."""
    config = importlib.resources.files("train_bridge") / "stages" / f"{stage}.yaml"
    folder = out / stage
    number = STAGES.index(stage)
    settings = {"output": folder, "data.shards": shards}
    if number:
        settings["init_from"] = out / STAGES[number - 1] / FINAL_MODEL
    shutil.rmtree(folder, ignore_errors=True)
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    finished = subprocess.run(train_command(str(config), options), check=False)  # noqa: S603 - our own module
    if finished.returncode:
        raise CurateError(f"training stage {stage} failed with exit code {finished.returncode}; its output is above")
    return build_curve(stage, read_losses(folder))


def _edges(curve: LossCurve) -> tuple[float, float]:
    """Return the mean loss of the first and of the last steps."""
    losses = [loss for _, loss in curve.points]
    length = max(1, len(losses) // EDGE_SHARE)
    return _mean(losses[:length]), _mean(losses[-length:])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
