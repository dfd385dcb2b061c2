"""Runs work in a process that is killed at a chosen moment: before the n-th time that it changes the run's files."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder

FILE_EVENTS = {"open", "os.mkdir", "os.remove", "os.rename", "os.truncate"}
"""Between two of these a killed process leaves the same files behind, as what is written here fits its buffers."""
Work = Callable[[RunContext], None]


def copy_of(context: RunContext, root: Path) -> RunContext:
    shutil.copytree(context.folder.root, root)
    return replace(context, folder=RunFolder(str(root)))


def _work_until(work: Work, context: RunContext, last: int, num_seen: "Synchronized[int]") -> None:
    """Work, count what is done to files of the run, and die before it is done for the ``last`` time."""
    root = str(context.folder.root)

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in FILE_EVENTS and str(arguments[0]).startswith(root):
            num_seen.value += 1
            if num_seen.value == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(note)
    work(context)


def work_in_process(
    processes: ForkServerContext, work: Work, context: RunContext, *, last: int = 0
) -> tuple[int | None, int]:
    """Work in a process of its own, which dies at its ``last`` event; return its exit code and number of events."""
    num_seen = processes.Value("q", 0)
    process = processes.Process(target=_work_until, args=(work, context, last, num_seen))
    process.start()
    process.join()
    found = process.exitcode, int(num_seen.value)
    process.close()
    return found
