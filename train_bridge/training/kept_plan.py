"""A run's plan is walked through once, for its steps and what they use; later starts read what was found."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shards.storage import write_bytes
from train_bridge.config import OptimConfig
from train_bridge.data.corpus import Corpus
from train_bridge.data.dataset import DatasetSpec
from train_bridge.packing.cursor import Cursor
from train_bridge.training.plan_summary import PlanSummary, summarise_plan

PLAN_VERSION = 2
"""Raise it when the same settings give another plan."""
_ADAPTER = TypeAdapter(PlanSummary)


def find_plan(
    corpus: Corpus, spec: DatasetSpec, optim: OptimConfig, *, cache_dir: str, start: Cursor | None = None
) -> PlanSummary:
    """Return the summary of a plan; walk through it unless that was done before.

    Args:
        corpus: Of the spec.
        spec: Of the run.
        optim: Of the run.
        cache_dir: Where the summary is kept.
        start: See ``summarise_plan``.
    """
    path = Path(cache_dir, f"plan-{_key(spec, optim, start)}.json")
    if path.exists():
        with suppress(ValidationError):  # of another version of this program
            return _ADAPTER.validate_json(path.read_bytes())
    summary = summarise_plan(corpus, spec.plan, optim, start=start)
    write_bytes(str(path), _ADAPTER.dump_json(summary))
    return summary


def _key(spec: DatasetSpec, optim: OptimConfig, start: Cursor | None) -> str:
    """Hash all that decides the plan; the counts are known by their names, which hash what is in them."""
    chosen = spec.selection
    parts = {
        "version": PLAN_VERSION,
        "counted": [Path(path).name for path in spec.length_paths],
        "plan": asdict(spec.plan),
        "kinds": None if chosen.kinds is None else sorted(chosen.kinds),
        "sources": None if chosen.sources is None else sorted(chosen.sources),
        "side": chosen.side,
        "validation_share": chosen.validation_share,
        "weights": chosen.weights,
        "max_repeats": chosen.max_repeats,
        "global_batch": optim.global_batch,
        "epochs": optim.epochs,
        "max_steps": optim.max_steps,
        "start": None if start is None else start.to_json(),
        "consumed": None if spec.consumed is None else Path(spec.consumed).name,
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
