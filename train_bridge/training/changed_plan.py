"""A run that goes on with another blend: what was learned from is found out of the old plan, and not repeated.

The new plan begins at the border of a step. Its entries begin where the passes over their documents stand; parts of
documents that were begun come first. Shares hold from there on, nothing is made up for, and places of weights that
change along the run are counted from the start of the run.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from curate.contract.errors import CurateError
from shards.storage import write_bytes
from train_bridge.config import DataConfig
from train_bridge.data.consumed import Times, write_consumed
from train_bridge.data.corpus import Corpus
from train_bridge.data.dataset import DatasetSpec
from train_bridge.data.kept import find_kept
from train_bridge.data.lengths import counted_encoder
from train_bridge.packing.cursor import Carried, Cursor
from train_bridge.packing.replan import HandedOut, find_handed_out

CONSUMED, START_NAME, COUNTED_NAME = "consumed", "start.json", "counted.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanStart:
    """Where the present plan of a run began, if it is not its first."""

    consumed: str
    """Name of the folder of what was drawn before, in ``OUTPUT/consumed``."""
    step: int
    cursor: Cursor
    lines: tuple[str, ...] = ()
    """What there is to say of the change, when it is made."""


def read_start(output: str, consumed: str) -> PlanStart:
    """Read what ``change_plan`` has written.

    Raises:
        CurateError: It is not there.
    """
    path = Path(output, CONSUMED, consumed, START_NAME)
    try:
        content = json.loads(path.read_bytes())
        return PlanStart(consumed=consumed, step=int(content["step"]), cursor=Cursor.from_json(content["cursor"]))
    except (OSError, ValueError, KeyError) as error:
        raise CurateError(f"{path}: what the plan of this run began with cannot be read ({error})") from error


def change_plan(saved: Mapping[str, Any], spec: DatasetSpec, *, step: int, cursor: Cursor, output: str) -> PlanStart:
    """Find out what the plan of a checkpoint has handed out, and where a new one begins; write both.

    Args:
        saved: Identity of the checkpoint.
        spec: Of the new plan.
        step: Of the checkpoint.
        cursor: Of the checkpoint.
        output: Of the run.

    Raises:
        CurateError: The counts of the old plan are not there, or are of another tokenizer.
    """
    old_spec = _old_spec(saved, spec, output=output)
    old = old_spec.open_corpus()
    handed = find_handed_out(old, old_spec.plan, cursor, num_rows=old.num_rows, num_epochs=old_spec.num_epochs)
    parent = f"{output}/{CONSUMED}"
    times = _by_set(old_spec, old, handed)
    if old_spec.consumed is not None:  # sets that had left before keep what was drawn of them
        times = {path.stem: np.load(path) for path in Path(old_spec.consumed).glob("*.npy")} | times
    consumed = write_consumed(parent, step, times)
    new = replace(spec, consumed=f"{parent}/{consumed}").open_corpus()
    started, num_lost = _start_cursor(new, spec, old, old_spec, handed=handed, cursor=cursor)
    write_bytes(f"{parent}/{consumed}/{START_NAME}", json.dumps({"step": step, "cursor": started.to_json()}).encode())
    lines = [
        f"  {entry.name}: {count:,} of {len(entry.rows):,} documents were drawn before"
        for entry, count in zip(old.entries, handed.num_documents, strict=True)
    ]
    if num_lost:
        lines.append(f"  {num_lost:,} parts of documents that were begun have no place in it and are left out")
    if spec.plan.unit != old_spec.plan.unit:
        lines.append("  weights count in another unit: their places along the run begin anew, too")
    return PlanStart(consumed=consumed, step=step, cursor=started, lines=(f"planned anew after step {step}:", *lines))


def _old_spec(saved: Mapping[str, Any], spec: DatasetSpec, *, output: str) -> DatasetSpec:
    """Return what a checkpoint's plan was made of: what may not change is that of the new one."""
    paths = tuple(_find_lengths(name, spec, output) for name in saved["counted"])
    own = counted_encoder(spec.length_paths[0])
    if any(counted_encoder(path) != own for path in paths):
        raise CurateError("the tokenizer or the form of documents is another than before; go on with those")
    data = DataConfig.model_validate({**saved["data"], "shards": paths})
    optim, consumed = saved["optim"], saved.get("consumed")
    return replace(
        spec,
        folders=paths,
        length_paths=paths,
        plan=replace(spec.plan, order=data.order, block_shards=data.block_shards, unit=data.weight_unit),
        kinds=data.kinds and frozenset(map(str, data.kinds)),
        sources=data.sources,
        weights=data.weights,
        max_repeats=data.max_repeats,
        num_epochs=None if optim["max_steps"] is not None else optim["epochs"],
        consumed=None if consumed is None else f"{output}/{CONSUMED}/{consumed}",
    )


def note_counted(output: str, paths: Sequence[str]) -> None:
    """Remember where the counts of a run's sets are, also of those that will leave it."""
    path = Path(output, COUNTED_NAME)
    known: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    now = known | {Path(found).name: str(Path(found).resolve()) for found in paths}
    if now != known:
        write_bytes(str(path), json.dumps(now, indent=1).encode())


def _find_lengths(name: str, spec: DatasetSpec, output: str) -> str:
    """Return the counts of a set of the old plan, also of one that is not in the new."""
    noted = Path(output, COUNTED_NAME)
    before = {n: p for n, p in json.loads(noted.read_bytes()).items() if Path(p).exists()} if noted.exists() else {}
    own = before | {Path(path).name: path for path in spec.length_paths}
    kept = [find_kept(folder, name, cache_dir=str(spec.cache_dir)) for folder in spec.folders if name not in own]
    found = own.get(name) or next((str(path) for path in kept if path is not None), None)
    if found is None:
        where = f"its folder or {spec.cache_dir}"
        raise CurateError(f"{name}: the counts of a shard set that the run had before are gone; they were in {where}")
    return found


def _by_set(spec: DatasetSpec, corpus: Corpus, handed: HandedOut) -> dict[str, Times]:
    """Return how often the rows of each set were begun, what earlier plans have drawn of them included."""
    before = corpus.consumed_times()
    times = handed.times if before is None else np.maximum(handed.times, before)
    names = [Path(path).stem for path in spec.length_paths]
    return dict(zip(names, np.split(times, corpus.ends[:-1]), strict=True))


def _start_cursor(
    new: Corpus, spec: DatasetSpec, old: Corpus, old_spec: DatasetSpec, *, handed: HandedOut, cursor: Cursor
) -> tuple[Cursor, int]:
    """Return the state before the first window of the new plan, and how many parts have no place in it."""
    starts = [entry.seen.start if entry.seen is not None else 0 for entry in new.entries]
    same_unit = spec.plan.unit == old_spec.plan.unit
    amount = Fraction(sum(cursor.amounts)) if same_unit else Fraction(0)
    amounts = [round(entry.curve.due(amount)) for entry in new.entries]
    carried = [_carried(new, _new_row(row, old, old_spec, new, spec), chunk, cursor) for row, chunk in handed.parts]
    found = tuple(one for one in carried if one is not None)
    start = Cursor(
        window=cursor.window + 1,
        places=tuple(starts),
        amounts=tuple(amounts),
        first_pack=cursor.next_pack,
        next_pack=cursor.next_pack,
        carried=found,
    )
    return start, len(carried) - len(found)


def _new_row(row: int, old: Corpus, old_spec: DatasetSpec, new: Corpus, spec: DatasetSpec) -> int | None:
    """Return where a row of the old corpus is in the new one."""
    i = int(np.searchsorted(old.ends, row, side="right"))
    names = [Path(path).name for path in spec.length_paths]
    name = Path(old_spec.length_paths[i]).name
    if name not in names:
        return None
    return row - _first_row(old.ends, i) + _first_row(new.ends, names.index(name))


def _first_row(ends: Sequence[int], i: int) -> int:
    return ends[i - 1] if i else 0


def _carried(new: Corpus, row: int | None, chunk: int, cursor: Cursor) -> Carried | None:
    """Return a part that waits, as an entry of the new plan has it."""
    if row is None:
        return None
    for i, entry in enumerate(new.entries):
        place = int(np.searchsorted(entry.rows, entry.rows.dtype.type(row)))
        if entry.seen is None or place == len(entry.rows) or entry.rows[place] != row:
            continue
        waits_at = entry.seen.place_of(place)
        return None if waits_at is None else Carried(i, waits_at, chunk, cursor.window + 1)
    return None
