"""Reads the packs of a plan: several samples in flight, order kept."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from train_bridge.data.samples import Content, SampleReader
from train_bridge.packing.plan import Pack

NUM_AHEAD_LOCAL, NUM_AHEAD_REMOTE = 8, 64
"""Samples in flight where nothing else is said: on an object store, most of them wait for an answer."""
HANG_GRACE_S = 30.0
"""What a read may take longer than all its tries, before it counts as hanging."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A pack that is being read."""

    pack: Pack
    groups: list[list[int]]
    """Places of the samples that are read together."""
    futures: list[Future[list[Content]]]
    """Of each group, what became of each of its samples."""


def read_packs(
    packs: Iterable[Pack], *, reader: SampleReader, read_ahead: int | None = None
) -> Iterator[tuple[Pack, Content]]:
    """Read packs in order with about ``read_ahead`` samples in flight.

    What is read from a local disk costs processor time alone, and more threads than processors only hinder each other.

    Args:
        packs: Of a plan.
        reader: Of their samples.
        read_ahead: Samples; None: ``NUM_AHEAD_LOCAL``, or ``NUM_AHEAD_REMOTE`` where a set is remote.

    Yields:
        Each pack with what became of its samples, in their order: see ``SampleReader.read_or_replace``.
    """
    num_ahead = read_ahead or (NUM_AHEAD_LOCAL if reader.is_local else NUM_AHEAD_REMOTE)
    queue: deque[_Reading] = deque()
    pool = ThreadPoolExecutor(min(num_ahead, (os.cpu_count() or 1) + 1) if reader.is_local else num_ahead)
    try:
        for pack in packs:
            samples = pack.samples
            groups = reader.group_near(samples)
            chosen = [[samples[place] for place in group] for group in groups]
            queue.append(_Reading(pack, groups, [pool.submit(reader.read_group, group) for group in chosen]))
            while sum(len(reading.pack.table) for reading in queue) - len(queue[0].pack.table) >= num_ahead:
                yield _finish(queue.popleft(), reader=reader)
        while queue:
            yield _finish(queue.popleft(), reader=reader)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a read that hangs must not hang its process


def _finish(reading: _Reading, *, reader: SampleReader) -> tuple[Pack, Content]:
    """Wait for the samples of a pack; one that hangs is given up."""
    samples = reading.pack.samples
    found: list[Content] = [[] for _ in samples]
    limit_s = reader.patience_s + HANG_GRACE_S if reader.patience_s else None
    wait_s = limit_s
    for group, future in zip(reading.groups, reading.futures, strict=True):
        contents: Sequence[Content]
        try:
            contents = future.result(wait_s)
        except TimeoutError:
            contents = [[reader.lost(samples[place], f"no answer for {limit_s:.0f} s")] for place in group]
            wait_s = 0.0  # the run is over; the others, which wait for the same storage, need not be waited for
        for place, content in zip(group, contents, strict=True):
            found[place] = content
    return reading.pack, [one for content in found for one in content]
