"""Workers without a cluster: tasks run in this process, one after another."""

from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.engine.loop import Report, Task
from pipelines.run.workers import Workers


class InProcess(Workers):
    """Runs each task when its report is asked for, and remembers the reports."""

    def __init__(self) -> None:
        nobody: Any = None
        super().__init__(client=nobody, window=1, progress=nobody)
        object.__setattr__(self, "reports", [])

    reports: list[Report]

    def run(self, phase: str, tasks: Sequence[Task]) -> Iterator[Report]:  # noqa: ARG002 - nothing is shown
        for task in tasks:
            report = task.call(*task.args)
            self.reports.append(report)
            yield report
