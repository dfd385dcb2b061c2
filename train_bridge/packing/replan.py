"""What a plan has handed out up to a pack, so that another plan of the same documents can go on from there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from train_bridge.packing.cursor import Cursor
from train_bridge.packing.draw import Drawer, SampleCounts, Samples, look_up, rows_at, split_long
from train_bridge.packing.plan import PlanSettings, plan_packs

BLOCK_PLACES = 1 << 20
MAX_TIMES = 255
Times = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class HandedOut:
    """Up to a pack."""

    times: Times
    """How often each row of the corpus was begun, [N]; 255 is that often or oftener."""
    parts: tuple[tuple[int, int], ...]
    """Row and chunk of what is left of documents that were begun, in their order."""
    num_documents: tuple[int, ...]
    """Begun, of each entry; repeats count each."""


def find_handed_out(
    source: SampleCounts, settings: PlanSettings, cursor: Cursor, *, num_rows: int, num_epochs: int | None
) -> HandedOut:
    """Find out which documents a plan has begun before ``cursor.next_pack``.

    Whole documents that were drawn and wait, or lie in packs that were not handed out, were not begun.

    Args:
        source: The counted samples.
        settings: Of the plan.
        cursor: Of the next pack.
        num_rows: N, of the corpus.
        num_epochs: Of the plan.
    """
    cursor = _roll_on(source, settings, cursor, num_epochs=num_epochs)
    places = list(cursor.places or (0,) * len(source.entries))
    times, num_documents, parts = np.zeros(num_rows, dtype=np.uint8), list(places), list[tuple[int, int]]()
    for i, place in enumerate(places):
        _add_drawn(times, source, settings, entry=i, place=place)
    handed = _handed_in_window(source, settings, cursor, num_epochs=num_epochs)
    for is_fresh, document in _documents_of_window(source, settings, cursor, num_epochs=num_epochs):
        entry, place, row = (int(document[0][name]) for name in ("entry", "place", "row"))
        left = [int(chunk) for chunk in document["chunk"] if (entry, place, int(chunk)) not in handed]
        is_begun = len(left) < len(_parts_of(source, settings, entry, place))
        parts += [(row, chunk) for chunk in left if is_begun]
        change = int(is_fresh and is_begun) - int(not is_fresh and not is_begun)
        times[row] = min(MAX_TIMES, int(times[row]) + change)
        num_documents[entry] += change
    return HandedOut(times=times, parts=tuple(parts), num_documents=tuple(num_documents))


def _roll_on(source: SampleCounts, settings: PlanSettings, cursor: Cursor, *, num_epochs: int | None) -> Cursor:
    """Return the same place in the plan, seen from the window that it lies in: a step may begin in an earlier one."""
    packs = plan_packs(source, settings, cursor=replace(cursor, next_pack=cursor.first_pack), num_epochs=num_epochs)
    last = None
    for pack in packs:
        if pack.number >= cursor.next_pack:
            return pack.cursor
        last = pack
    return cursor if last is None else replace(last.window, next_pack=cursor.next_pack)


def _add_drawn(times: Times, source: SampleCounts, settings: PlanSettings, *, entry: int, place: int) -> None:
    """Count the documents of an entry that were drawn before a place of its order."""
    own = source.entries[entry]
    num_whole, num_more = divmod(place, len(own.rows))
    times[own.rows] = min(MAX_TIMES, num_whole)
    for start in range(place - num_more, place, BLOCK_PLACES):
        rows = rows_at(own, settings.draw, np.arange(start, min(start + BLOCK_PLACES, place), dtype=np.int64))
        times[rows] = min(MAX_TIMES, num_whole + 1)


def _handed_in_window(
    source: SampleCounts, settings: PlanSettings, cursor: Cursor, *, num_epochs: int | None
) -> set[tuple[int, int, int]]:
    """Return entry, place and chunk of what was handed out of the cursor's window."""
    again = plan_packs(source, settings, cursor=replace(cursor, next_pack=cursor.first_pack), num_epochs=num_epochs)
    packs = takewhile(lambda pack: pack.number < cursor.next_pack, again)
    return {(s.entry, s.place, s.chunk) for pack in packs for s in pack.samples}


def _documents_of_window(
    source: SampleCounts, settings: PlanSettings, cursor: Cursor, *, num_epochs: int | None
) -> Iterator[tuple[bool, Samples]]:
    """Yield the documents that the cursor's window packs: whether they are drawn in it, and their parts in it."""
    waiting: dict[tuple[int, int], list[int]] = {}
    for carried in cursor.carried:
        waiting.setdefault((carried.entry, carried.place), []).append(carried.chunk)
    for (entry, place), chunks in waiting.items():
        every = _parts_of(source, settings, entry, place)
        yield False, every[np.isin(every["chunk"], chunks)]
    if cursor.next_pack == cursor.first_pack:
        return  # nothing of what it draws was handed out
    drawer = Drawer(source, settings.draw, places=cursor.places, amounts=cursor.amounts, num_epochs=num_epochs)
    fresh = split_long(source, settings.draw, drawer.draw(settings.window))
    borders = np.flatnonzero((np.diff(fresh["place"]) != 0) | (np.diff(fresh["entry"]) != 0)) + 1
    yield from ((True, document) for document in np.split(fresh, borders) if len(document))


def _parts_of(source: SampleCounts, settings: PlanSettings, entry: int, place: int) -> Samples:
    whole = look_up(source, settings.draw, entry=entry, places=np.array([place], dtype=np.int64))
    return split_long(source, settings.draw, whole)
