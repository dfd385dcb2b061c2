"""Progress for people (bars on a terminal, plain lines elsewhere) and for machines (state.json, logs/events.jsonl)."""

import json
import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

import fsspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from pipelines.engine.loop import Report
from pipelines.run.folder import RunFolder, write_json

STATE_INTERVAL_S = 2.0


class Progress:
    """Shows phases of a run one after another and counts what their tasks report.

    Without a folder nothing is written: what only reads a run must not look like one.
    """

    def __init__(self, folder: RunFolder | None, *, console: Console | None = None) -> None:
        self.folder = folder
        self.console = console or Console(stderr=True, emoji=False)
        self.counters: dict[str, Counter[str]] = {}
        self._phase, self._done, self._total = "start", 0, 0
        self._bar: TaskID | None = None
        self._written_at = 0.0
        self._events: list[str] = []
        self._bars = Bars(
            TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False),
            console=self.console, disable=not self.console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        self._write_state("done" if kind is None else "stopped")

    def begin(self, phase: str, total: int) -> None:
        """Start a phase of so many tasks."""
        self._end_phase()
        self._phase, self._done, self._total = phase, 0, total
        self._bar = self._bars.add_task(phase, total=total, note="")

    def expect(self, more: int) -> None:
        """Add tasks that turned up."""
        self._total += more
        if self._bar is not None:
            self._bars.update(self._bar, total=self._total)

    def report(self, report: Report) -> None:
        """Count one finished task."""
        self._done += 1
        counts = self.counters.setdefault(report.stage, Counter())
        counts.update({"done": 1, "skipped": int(report.skipped), **report.counters})
        if self.folder is not None:
            event = {"time_s": round(time.time(), 3), "stage": report.stage, "partition": report.partition}
            self._events.append(json.dumps({**event, "skipped": report.skipped, **report.counters}))
        if self._bar is not None:
            self._bars.update(self._bar, advance=1, note=report.partition)
        if time.monotonic() - self._written_at > STATE_INTERVAL_S:
            self._write_state("running")

    def _end_phase(self) -> None:
        if self._phase != "start" and not self.console.is_terminal:
            print(f"{self._phase}: {self._done} of {self._total} tasks", file=sys.stderr, flush=True)  # noqa: T201

    def _write_state(self, status: str) -> None:
        self._written_at = time.monotonic()
        if status != "running":
            self._end_phase()
        if self.folder is None:
            return
        write_json(
            self.folder.file("state.json"),
            {
                "status": status,
                "phase": self._phase,
                "done": self._done,
                "total": self._total,
                "stages": {stage: dict(counts) for stage, counts in self.counters.items()},
            },
        )
        self._append_events(self.folder.file("logs", "events.jsonl"))

    def _append_events(self, path: str) -> None:
        filesystem, target = fsspec.url_to_fs(path)
        filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
        with filesystem.open(target, "ab") as file:
            file.write("".join(line + "\n" for line in self._events).encode())
        self._events.clear()
