"""An input file while it is read: which tasks are next, and which of its partitions may go on."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from curate.contract.reasons import Stage
from curate.ingest.files.line_ranges import Counted
from pipelines.engine.loop import Report, Task
from pipelines.run.context import RunContext
from pipelines.stages.ingest import InputFile, ingest_file, note_done
from pipelines.stages.ingest_ranges import Begun, FileRange, begin_file, count_range, range_name, read_range


class FileReading:
    """Reads a file by the tasks that it gives, and hands each of its partitions on once, as soon as that is there.

    Args:
        context: The run.
        file: The file.
        hand_on: Returns the tasks that begin with a partition.
        expect: Told how many more tasks there are, or fewer.
        num_ahead: Most ranges that are read beside the first which is not at its end.
    """

    def __init__(
        self,
        context: RunContext,
        file: InputFile,
        *,
        hand_on: Callable[[str], list[Task]],
        expect: Callable[[int], None],
        num_ahead: int,
    ) -> None:
        self.partitions: tuple[str, ...] = ()
        """All of the file, once it has been read."""
        self.num_ahead, self.expect = num_ahead, expect
        self.file = file
        self._context, self._hand_on = context, hand_on
        self._handed_on = set[str]()

    def begin(self) -> Task:
        """Return the first task: it reads the file, unless that is to be read by ranges."""
        return self.task(begin_file, then=self._begun, on_announced=self.pass_on)

    def task(self, call: Callable[..., Report], *args: Any, number: int | None = None, **follow: Any) -> Task:
        """Return a task of the file, or of one of its ranges."""
        name = self.file.name if number is None else range_name(self.file, number)
        return Task(stage=Stage.INGEST, partition=name, call=call, args=(self._context, self.file, *args), **follow)

    def pass_on(self, *partitions: str) -> list[Task]:
        """Return what begins with those partitions that have not been handed on yet."""
        new = [partition for partition in dict.fromkeys(partitions) if partition not in self._handed_on]
        self._handed_on.update(new)
        return [task for partition in new for task in self._hand_on(partition)]

    def end(self, report: Report) -> list[Task]:
        """Take the last report, which names every partition."""
        self.partitions = report.partitions
        tasks = self.pass_on(*report.partitions)
        self._handed_on.clear()
        return tasks

    def _begun(self, report: Report) -> list[Task]:
        return _RangesReading(self, report.found).begin() if isinstance(report.found, Begun) else self.end(report)


class _RangesReading:
    """Reads the ranges of a file at the same time.

    A range is read before those in front of it are known to hold what was counted. So its partitions are handed on only
    when these are at their end: of the first range that is not, as it cuts them. Where one does not hold what was
    counted, no other is begun, and the file is read whole; what was handed on is the same then.
    """

    def __init__(self, file: FileReading, begun: Begun) -> None:
        self._file, self._spans = file, begun.cut.spans
        self._begun = replace(begun, cut=replace(begun.cut, spans=(), counted=()))  # it travels with every task
        self._num_ranges = len(self._spans)
        self._counted: dict[int, Counted] = dict(enumerate(begun.cut.counted))
        self._next, self._next_line, self._next_record = 0, begun.cut.first_line, 0
        self._first = 0  # the first range that is not at its end
        self._announced: dict[int, list[str]] = {}
        self._reports: dict[int, Report] = {}
        self._num_in_flight = self._num_partitions = 0
        self._is_sound = True

    def begin(self) -> list[Task]:
        """Return the first tasks."""
        uncounted = range(len(self._counted), self._num_ranges - 1)  # nobody asks what the last one holds
        self._file.expect(len(uncounted) + self._num_ranges + 1)
        counting = [self._count(number) for number in uncounted]
        return [*self._read_next(), *counting]

    def _count(self, number: int) -> Task:
        span, then = self._spans[number], partial(self._take_count, number)
        return self._file.task(count_range, self._begun, number, span, number=number, then=then)

    def _take_count(self, number: int, report: Report) -> list[Task]:
        if report.found is None:
            self._is_sound = False
        else:
            self._counted[number] = report.found
        return self._go_on()

    def _read_next(self) -> list[Task]:
        """Return the tasks of ranges of which it is known by now where they begin."""
        tasks = []
        while self._is_sound and self._next < min(self._num_ranges, self._first + self._file.num_ahead):
            counted = self._counted.get(self._next)
            if counted is None and self._next < self._num_ranges - 1:
                break
            tasks.append(self._read(self._next, counted))
            if counted is not None:
                self._next_line += counted.num_lines
                self._next_record += counted.num_records
            self._next += 1
        self._num_in_flight += len(tasks)
        return tasks

    def _read(self, number: int, counted: Counted | None) -> Task:
        part = FileRange(
            number=number,
            span=self._spans[number],
            first_line=self._next_line,
            first_record=self._next_record,
            num_records=None if counted is None else counted.num_records,
        )
        follow = {"then": partial(self._take, number), "on_announced": partial(self._hear, number)}
        return self._file.task(read_range, self._begun, part, number=number, **follow)

    def _hear(self, number: int, partition: str) -> list[Task]:
        if number == self._first:
            return self._file.pass_on(partition)
        self._announced.setdefault(number, []).append(partition)
        return []

    def _take(self, number: int, report: Report) -> list[Task]:
        self._num_in_flight -= 1
        self._reports[number] = report
        self._is_sound = self._is_sound and report.found
        return self._go_on()

    def _go_on(self) -> list[Task]:
        return [*self._pass_on(), *(self._read_next() if self._is_sound else self._read_whole())]

    def _pass_on(self) -> list[Task]:
        """Hand on what is known to be right, and finish where that is all."""
        tasks = []
        while report := self._reports.pop(self._first, None):
            tasks += self._file.pass_on(*report.partitions)
            if not report.found:
                return tasks
            self._num_partitions += len(report.partitions)
            self._first += 1
            tasks += self._file.pass_on(*self._announced.pop(self._first, ()))
            if self._first == self._num_ranges:
                last = self._file.task(note_done, self._begun.made_from, self._num_partitions, then=self._file.end)
                tasks.append(last)
        return tasks

    def _read_whole(self) -> list[Task]:
        """Return the task that reads the whole file, once no range writes anything any more."""
        if self._num_in_flight:
            return []
        self._num_in_flight = 1
        self._file.expect(self._next - self._num_ranges)  # ranges that nobody reads; this is instead of the last task
        return [self._file.task(ingest_file, then=self._file.end, on_announced=self._file.pass_on)]
