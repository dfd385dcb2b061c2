"""What a run tells of itself: a line of JSON per step, TensorBoard curves, a line for people."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shards.storage import write_bytes
from train_bridge.data.samples import SkippedSample
from train_bridge.training.flops import ModelCost
from train_bridge.training.not_finite import PackDocuments
from train_bridge.training.ranks import Ranks
from train_bridge.training.step import StepTotals
from train_bridge.training.validation import ValidationLoss

METRICS_NAME = "metrics.jsonl"


def step_record(totals: StepTotals, *, groups: Sequence[tuple[str, str]], seconds: float, ranks: int) -> dict[str, Any]:
    """Return the figures of a step.

    Args:
        totals: Sums over all ranks.
        groups: (source, kind) of each group.
        seconds: Wall time of the step.
        ranks: Their number.

    Returns:
        ``loss`` and ``loss_by_source`` / ``loss_by_kind`` (nats per label token), ``tokens`` (image tokens included),
        ``label_tokens``, ``tokens_per_s``, ``fill`` (share of the packs' places that hold tokens), ``data_wait``
        (share of the time that ranks waited for data), ``skipped`` (samples).
    """
    by_source, by_kind = _by_part(totals, [group[0] for group in groups]), _by_part(totals, [g[1] for g in groups])
    return {
        "loss": totals.loss / max(1.0, totals.num_labels),
        "tokens": int(totals.num_tokens),
        "label_tokens": int(totals.num_labels),
        "tokens_per_s": round(totals.num_tokens / seconds, 1),
        "fill": round(totals.num_tokens / totals.num_places, 5),
        "data_wait": round(totals.wait_s / ranks / seconds, 4),
        "skipped": int(totals.num_skipped),
        "loss_by_source": by_source,
        "loss_by_kind": by_kind,
    }


def model_share(
    totals: StepTotals, *, cost: ModelCost, peak: float | None, seconds: float, ranks: Ranks
) -> float | None:
    """Return model FLOPs over the devices' peak (MFU); None where the peak is not known, as on a CPU."""
    if peak is None:
        return None
    flops = cost.flops(
        tokens=totals.num_tokens, pairs=totals.num_pairs, labels=totals.num_labels, images=totals.num_images
    )
    return round(flops / seconds / (peak * ranks.world_size), 4)


def _by_part(totals: StepTotals, names: Sequence[str]) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for name, loss, labels in zip(names, totals.group_loss.tolist(), totals.group_labels.tolist(), strict=True):
        entry = sums.setdefault(name, [0.0, 0.0])
        entry[0] += loss
        entry[1] += labels
    return {name: loss / labels for name, (loss, labels) in sorted(sums.items()) if labels}


class MetricsLog:
    """Writes metrics while open."""

    def __init__(self, folder: str, *, first_step: int, tensorboard: bool) -> None:
        """Open the files of ``folder``, dropping lines of steps from ``first_step`` on: they are done again."""
        path = Path(folder) / METRICS_NAME
        kept = [line for line in _lines(path) if json.loads(line)["step"] < first_step]
        write_bytes(str(path), "".join(f"{line}\n" for line in kept).encode())
        self._file = path.open("a", encoding="utf-8")
        self._board = _open_board(folder, first_step=first_step) if tensorboard else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, step: int, record: Mapping[str, Any]) -> None:
        """Add the figures of a step."""
        self._write_line({"step": step, **record})
        if self._board is None:
            return
        for name, value in record.items():
            values = value.items() if isinstance(value, Mapping) else [("", value)]
            for part, number in values:
                if number is None:
                    continue
                self._board.add_scalar(f"{name}/{part}".rstrip("/"), number, step)

    def write_validation(self, step: int, found: ValidationLoss) -> None:
        """Add the loss of held-out documents after a step."""
        self._write_line({"step": step, "validation": found})
        if self._board is not None:
            self._board.add_scalar("validation_loss", found["loss"], step)
            for source, own in found["sources"].items():
                self._board.add_scalar(f"validation_loss/{source}", own["loss"], step)

    def write_tasks(self, step: int, scores: Sequence[Mapping[str, Any]]) -> None:
        """Add the scores of few-shot tasks after a step."""
        self._write_line({"step": step, "tasks": scores})
        if self._board is not None:
            for one in scores:
                self._board.add_scalar(f"tasks/{one['task']}/{one['shots']} shots", one["score"], step)

    def write_use(self, step: int, use: Mapping[str, Any]) -> None:
        """Say what of the data the run learns from."""
        self._write_line({"step": step, "data": use})

    def write_changes(self, step: int, changes: Sequence[str]) -> None:
        """Say which settings are others than those that the steps before were done with."""
        if changes:
            self._write_line({"step": step, "changed": list(changes)})

    def write_skipped(self, step: int, skipped: Sequence[SkippedSample]) -> None:
        """Name samples that packs of a step went without."""
        for sample in skipped:
            entry = {"key": sample.key, "doc_id": sample.doc_id, "fault": str(sample.fault), "detail": sample.detail}
            self._write_line({"step": step, "skipped_sample": entry})

    def write_packs(self, step: int, packs: Sequence[tuple[int, int]]) -> None:
        """Say which packs a step learned from: number and checksum of each."""
        self._write_line({"step": step, "packs": packs})

    def write_bad(self, step: int, packs: Sequence[PackDocuments]) -> None:
        """Name all documents of packs whose loss or gradient is not finite."""
        entries = [{"pack": pack.number, "doc_ids": pack.doc_ids} for pack in packs]
        self._write_line({"step": step, "not_finite": entries})

    def _write_line(self, content: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(content, ensure_ascii=False) + "\n")
        self._file.flush()


def _open_board(folder: str, *, first_step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - a second to import, on one rank only

    return SummaryWriter(f"{folder}/tensorboard", purge_step=first_step)


def _lines(path: Path) -> list[str]:
    """Return the whole lines of a file; a kill may have cut the last one."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def read_metrics(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the records of the steps of a run, in order."""
    records = [json.loads(line) for line in _lines(Path(folder) / METRICS_NAME)]
    return [record for record in records if "loss" in record]
