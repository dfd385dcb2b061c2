"""What tests let the workers do; workers import it by its name."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from curate.contract.errors import CurateError
from curate.contract.reasons import Stage
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, load_documents, load_items
from pipelines.run.tables import Table

DEADLY = "deadly"
"""A document whose id begins so kills its worker."""

HOLD_S = 1.0
"""Nannies look at memory several times a second."""

READ = Table(place="read", schema=pa.schema([("doc_id", pa.string())]), stage=Stage.MEASURE_TEXT)
"""What ``read_items`` writes."""


def echo(partition: str, **counters: int) -> Report:
    return Report(stage="echo", partition=partition, counters={**counters, "pid": os.getpid()})


def dawdle(partition: str, wait_s: float) -> Report:
    time.sleep(wait_s)
    return Report(stage="dawdle", partition=partition)


def announce_and_wait(partition: str, flag: str, *, announce: Callable[[str], None]) -> Report:
    """Announce a partition and wait until a file is there, for a minute at most."""
    announce("part 1")
    for _ in range(600):
        if Path(flag).exists():
            return Report(stage="wait", partition=partition, partitions=("part 1",))
        time.sleep(0.1)
    raise CurateError("nobody heard")


def touch(partition: str, flag: str) -> Report:
    Path(flag).touch()
    return Report(stage="touch", partition=partition)


def fail_at_first(partition: str, note: str, num_failures: int) -> Report:
    """Fail so many times; the calls are counted in a file, as they come from several processes."""
    with Path(note).open("a", encoding="utf-8") as file:
        file.write("called\n")
    num_calls = len(Path(note).read_text(encoding="utf-8").splitlines())
    if num_calls <= num_failures:
        raise CurateError("the disk is full")
    return Report(stage="fail", partition=partition, counters={"calls": num_calls})


def fail(partition: str, cause: str) -> Report:
    """Fail for one cause, whatever the partition."""
    del partition
    raise ValueError(cause)


def die(partition: str, number: int = signal.SIGSEGV) -> Report:
    os.kill(os.getpid(), number)
    return Report(stage="die", partition=partition)


def wait_for(partition: str, path: str) -> Report:
    """Wait for a file, as a fetch waits for a host that hangs."""
    while not Path(path).exists():
        time.sleep(0.01)
    return Report(stage="wait", partition=partition, counters={"pid": os.getpid()})


def hold_documents(context: RunContext, partition: str) -> Report:
    """Hold all documents at once, each of 250 MB."""
    num_docs = load_documents(context, partition).num_rows
    held = bytearray(num_docs * 250_000_000)
    held[::4096] = b"x" * len(held[::4096])  # memory counts when it is touched
    time.sleep(HOLD_S)
    return Report(stage="hold", partition=partition, counters={"documents": num_docs})


def read_items(context: RunContext, partition: str) -> Report:
    """A stage that one kind of document kills."""
    doc_ids = load_items(context, partition)["doc_id"].to_pylist()
    if any(doc_id.startswith(DEADLY) for doc_id in doc_ids):
        os.kill(os.getpid(), signal.SIGSEGV)
    context.folder.write(READ, partition, rows=pa.table({"doc_id": doc_ids}, schema=READ.schema), made_from="v1")
    return Report(stage="read_items", partition=partition, counters={"items": len(doc_ids)})


def read_items_again(context: RunContext, partition: str) -> Report:
    return Report(
        stage="read_items_again", partition=partition, counters={"items": load_items(context, partition).num_rows}
    )


def double(number: int) -> int:
    return number + number


def process_of(_name: str) -> int:
    time.sleep(0.05)
    return os.getpid()


def die_at_first(number: int, *, note: str) -> int:
    """Take the worker down where 3 is met for the first time."""
    if number == 3 and not Path(note).exists():
        Path(note).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def die_once(call: Callable[..., Report], args: tuple[object, ...], note: str, *, is_done: bool) -> Report:
    """Take the worker down the first time, before the call or when it has done its work; then call as ever."""
    if not Path(note).exists():
        if is_done:
            call(*args)
        Path(note).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return call(*args)
