"""Which samples share which pack: a pure function of the counted samples, the plan's settings and nothing else.

Samples are drawn in order, a window of them joins those that wait, packs are filled until few are left, and these wait
for the next window. The packs of a window are put into an order in which every stretch holds each source's share.
Packs are numbered from 0 over the whole run. Every rank and loader process computes the same numbers, so who reads what
is arithmetic, and the state of a run is a ``Cursor``, whatever the number of ranks and processes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from train_bridge.packing.balance import Floats, Standing, choose_packs
from train_bridge.packing.binpack import fill_packs
from train_bridge.packing.cursor import AHEAD_UNITS, Carried, Cursor
from train_bridge.packing.draw import (
    SAMPLE,
    Drawer,
    DrawSettings,
    LongDocuments,
    Order,
    SampleCounts,
    Samples,
    look_up,
    split_long,
)
from train_bridge.packing.split import Capacity, Chunk


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanSettings:
    """What decides a plan, beside the counts and the shares of the blend."""

    capacity: Capacity
    order: Order = "stored"
    block_shards: int = 8
    """Of the order ``blocks``: shards whose samples are shuffled together."""
    seed: int = 0
    unit: Literal["samples", "tokens"] = "tokens"
    """Of the shares of a blend."""
    long_documents: LongDocuments = "split"
    window: int = 3072
    """Samples that join those that wait."""
    age_limit: int = 8
    """Windows that a sample may wait."""
    max_carry: int = 512
    """Samples that may wait at once."""
    max_images: int | None = None
    """Images per pack."""

    @property
    def draw(self) -> DrawSettings:
        """What decides which samples come."""
        return DrawSettings(
            capacity=self.capacity,
            order=self.order,
            block_shards=self.block_shards,
            seed=self.seed,
            unit=self.unit,
            long_documents=self.long_documents,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSample:
    """A document, or a chunk of one, in a pack."""

    entry: int
    """Which entry of the blend it is of."""
    place: int
    """In the entry's order of samples."""
    row: int
    """Of the corpus."""
    group: int
    """Its (source, kind): place in ``Corpus.groups``."""
    chunk: int
    """0 for a whole document."""
    span: Chunk
    """Which of the document's tokens."""
    first_window: int
    """The window that saw it first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """Samples that share a sequence."""

    number: int
    """Global: over all ranks, from the start of the run."""
    table: Samples
    """In the order in which they were drawn."""
    num_tokens: int
    """Of all samples, image tokens included."""
    num_images: int
    window: Cursor
    """The plan before this pack's window."""

    @property
    def cursor(self) -> Cursor:
        """The plan before this pack's window, with this pack as the next."""
        return replace(self.window, next_pack=self.number)

    @property
    def samples(self) -> tuple[PlannedSample, ...]:
        """The table, row by row."""
        return tuple(_sample(*row) for row in self.table.tolist())


def plan_packs(
    source: SampleCounts, settings: PlanSettings, *, cursor: Cursor | None = None, num_epochs: int | None = None
) -> Iterator[Pack]:
    """Yield packs in order, from ``cursor.next_pack`` on.

    Args:
        source: The counted samples.
        settings: Of the plan; another value is another plan, for which a cursor means nothing.
        cursor: Where to go on; the start by default.
        num_epochs: Passes over the corpus in all, counted from the start; of a blend, over the entry that runs out
            first. None never ends.

    Raises:
        ValueError: The cursor is of another number of blend entries.
    """
    cursor = cursor or Cursor()
    drawer = Drawer(source, settings.draw, places=cursor.places, amounts=cursor.amounts, num_epochs=num_epochs)
    cursor = replace(cursor, places=tuple(drawer.places), amounts=tuple(drawer.amounts))
    waiting = _carried_samples(source, settings, cursor.carried)
    while not drawer.is_done or len(waiting):
        planned = _plan_window(drawer, settings, source=source, waiting=waiting, cursor=cursor)
        waiting = planned.waiting
        yield from _packs_of(planned, cursor)
        first = cursor.first_pack + len(planned.sizes)
        cursor = Cursor(
            window=cursor.window + 1,
            places=tuple(drawer.places),
            amounts=tuple(drawer.amounts),
            first_pack=first,
            next_pack=max(cursor.next_pack, first),
            ahead=tuple(round(float(packs) * AHEAD_UNITS) for packs in planned.ahead),
            carried=tuple(Carried(*row) for row in zip(*(waiting[name].tolist() for name in _CARRIED), strict=True)),
        )


_CARRIED = ("entry", "place", "chunk", "window")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Window:
    samples: Samples
    """Of all packs that go out, pack by pack."""
    sizes: list[int]
    """Samples of each pack."""
    waiting: Samples
    ahead: Floats
    """See ``Chosen``."""


def _plan_window(
    drawer: Drawer, settings: PlanSettings, *, source: SampleCounts, waiting: Samples, cursor: Cursor
) -> _Window:
    """Pack what waits and a window of fresh samples, and choose the packs that go out."""
    fresh = split_long(source, settings.draw, drawer.draw(settings.window))
    fresh["window"] = cursor.window
    pool = np.concatenate([waiting, fresh])
    packs = _fill(pool, settings, is_last=drawer.is_done)
    mix = np.bincount(fresh["group"], weights=fresh["num_tokens"], minlength=source.num_groups)
    oldest = pool["window"][[min(pack) for pack in packs]]
    chosen = choose_packs(
        _group_tokens(pool, packs, num_groups=source.num_groups),
        [len(pack) for pack in packs],
        capacity=settings.capacity.seq_length,
        standing=Standing(
            due=mix / max(1.0, mix.sum()),
            ahead=np.array(cursor.ahead or np.zeros(source.num_groups)) / AHEAD_UNITS,
        ),
        num_keep=0 if drawer.is_done else settings.max_carry,
        overdue=oldest <= cursor.window - settings.age_limit,
    )
    items = [item for i in chosen.order for item in sorted(packs[i])]
    gone = np.zeros(len(pool), dtype=np.bool_)
    gone[items] = True
    sizes = [len(packs[i]) for i in chosen.order]
    return _Window(samples=pool[items], sizes=sizes, waiting=pool[~gone], ahead=chosen.ahead)


def _fill(pool: Samples, settings: PlanSettings, *, is_last: bool) -> list[list[int]]:
    """Pack a window; the last one, of which nothing may wait, in the better of two orders."""

    def fill(order: list[int]) -> list[list[int]]:
        chosen = pool[order]
        packs = fill_packs(
            chosen["num_tokens"].tolist(),
            capacity=settings.capacity.seq_length,
            images=chosen["num_images"].tolist(),
            max_images=settings.max_images,
        )
        return [[order[item] for item in pack] for pack in packs]

    packs = fill(list(range(len(pool))))
    if is_last:
        longest_first = np.argsort(-pool["num_tokens"], kind="stable").tolist()
        return min(packs, fill(longest_first), key=len)
    return packs


def _packs_of(planned: _Window, cursor: Cursor) -> Iterator[Pack]:
    """Yield the packs of a window from ``cursor.next_pack`` on."""
    stops = np.cumsum(planned.sizes).tolist()
    starts = [0, *stops[:-1]] if stops else stops
    if not starts:
        return
    num_tokens, num_images = (
        np.add.reduceat(planned.samples[name], starts).tolist() for name in ("num_tokens", "num_images")
    )
    for i, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        if cursor.first_pack + i >= cursor.next_pack:
            yield Pack(
                number=cursor.first_pack + i,
                table=planned.samples[start:stop],
                num_tokens=num_tokens[i],
                num_images=num_images[i],
                window=cursor,
            )


def _group_tokens(pool: Samples, packs: Sequence[Sequence[int]], *, num_groups: int) -> np.ndarray:
    """Return the tokens of each group in each pack, [P, G]."""
    items = np.array([item for pack in packs for item in pack], dtype=np.int64)
    of = np.repeat(np.arange(len(packs)), [len(pack) for pack in packs])
    flat = np.bincount(
        of * num_groups + pool["group"][items],
        weights=pool["num_tokens"][items],
        minlength=len(packs) * num_groups,
    )
    return flat.astype(np.int64).reshape(len(packs), num_groups)


def _carried_samples(source: SampleCounts, settings: PlanSettings, carried: Sequence[Carried]) -> Samples:
    """Look samples up again that wait, in their order."""
    found: dict[tuple[int, int, int], Samples] = {}
    for entry in sorted({sample.entry for sample in carried}):
        places = np.unique(np.asarray([c.place for c in carried if c.entry == entry], dtype=np.int64))
        documents = look_up(source, settings.draw, entry=entry, places=places)
        samples = split_long(source, settings.draw, documents)
        keys = zip(samples["place"].tolist(), samples["chunk"].tolist(), strict=True)
        found |= {(entry, *key): samples[i : i + 1] for i, key in enumerate(keys)}
    empty = np.empty(0, dtype=SAMPLE)
    waiting = np.concatenate([empty, *(found[c.entry, c.place, c.chunk] for c in carried)])
    waiting["window"] = [c.first_window for c in carried]
    return waiting


def _sample(  # noqa: PLR0913, PLR0917 - a row of SAMPLE
    entry: int,
    place: int,
    chunk: int,
    row: int,
    group: int,
    start: int,
    stop: int,
    num_tokens: int,
    num_images: int,
    num_labels: int,
    window: int,
    _num_cut: int,
) -> PlannedSample:
    span = Chunk(start=start, stop=stop, num_tokens=num_tokens, num_images=num_images, num_labels=num_labels)
    return PlannedSample(entry=entry, place=place, row=row, group=group, chunk=chunk, span=span, first_window=window)
