"""The cluster as the phases of a run see it: tasks in, reports out, progress shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.engine.cluster import Client
from pipelines.engine.loop import Report, Task, run_tasks
from pipelines.run.progress import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Workers:
    """A client of a cluster, how much it is given at a time, and where its progress is shown."""

    client: Client
    window: int
    """Most tasks in flight."""
    progress: Progress

    def run(self, phase: str, tasks: Sequence[Task]) -> Iterator[Report]:
        """Run the tasks of a phase and yield their reports as they come in.

        Raises:
            CurateError: Some failed; all others have been finished first.
        """
        if not tasks:
            return
        self.progress.begin(phase, len(tasks))
        for report in run_tasks(self.client, tasks, window=self.window):
            self.progress.report(report)
            yield report

    def finish(self, phase: str, tasks: Sequence[Task]) -> list[Report]:
        """Run the tasks of a phase to the end and return their reports in the order of their partitions' names."""
        return sorted(self.run(phase, tasks), key=lambda report: report.partition)
