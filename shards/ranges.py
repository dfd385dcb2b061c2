"""Which bytes to ask for, so that samples that lie close together cost one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_GAP_BYTES = 64 * 1024
"""Between two samples that are read at once: on an object store a request costs more than these bytes."""
MAX_RANGE_BYTES = 16 * 1024 * 1024
"""Of one request; more of them run at the same time."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes of one shard, and the samples that lie in them."""

    shard: str
    start: int
    stop: int
    members: tuple[int, ...]
    """Places of the samples among those that were asked for."""


def merge_ranges(rows: Sequence[Mapping[str, Any]], *, max_gap_bytes: int = MAX_GAP_BYTES) -> list[ByteRange]:
    """Merge the bytes of samples that are neighbours, or nearly so.

    Args:
        rows: Rows of an index, in any order; a row may come more than once.
        max_gap_bytes: Between two that are read at once.
    """
    merged: list[ByteRange] = []
    for place in sorted(range(len(rows)), key=lambda place: (rows[place]["shard"], rows[place]["offset"])):
        shard, start = rows[place]["shard"], rows[place]["offset"]
        stop = start + rows[place]["num_bytes"]
        last = merged[-1] if merged else None
        if last is not None and last.shard == shard and start <= last.stop + max_gap_bytes:
            grown = max(stop, last.stop)
            if grown - last.start <= MAX_RANGE_BYTES:
                merged[-1] = ByteRange(shard, last.start, grown, (*last.members, place))
                continue
        merged.append(ByteRange(shard, start, stop, (place,)))
    return merged
