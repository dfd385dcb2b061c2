from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from curate.blend.curve import constant_curve
from train_bridge.packing.cursor import Carried, Cursor
from train_bridge.packing.deal import order_rounds
from train_bridge.packing.draw import Counts, DrawEntry, Order, Rows
from train_bridge.packing.plan import Pack, PlanSettings, plan_packs
from train_bridge.packing.replan import HandedOut, find_handed_out
from train_bridge.packing.seen import Seen
from train_bridge.packing.split import Capacity, Counted

NUM_ROWS = 300
SETTINGS = PlanSettings(
    capacity=Capacity(seq_length=64, tokens_per_image=4, has_bos=True), window=40, max_carry=12, order="shuffled"
)


@dataclass
class MadeUp:
    """Two kinds of documents, some of them longer than a sequence."""

    entries: Sequence[DrawEntry]
    num_groups: int = 2

    def counts(self, rows: Rows) -> Counts:
        sizes = 5 + (rows * 37) % 50 + 150 * (rows % 11 == 0)
        return Counts(num_ids=sizes, num_images=0 * rows, num_labels=sizes - 1, group=rows % 2)

    def document(self, row: int) -> Counted:
        (size,) = self.counts(np.array([row])).num_ids.tolist()
        none = np.empty(0, dtype=np.int32)
        return Counted(num_ids=size, image_at=none, breaks=none, label_spans=np.array([0, size], dtype=np.int32))


def entry(name: str, rows: Rows, share: str, times: np.ndarray | None = None) -> DrawEntry:
    seen = None if times is None else Seen.of(times[rows])
    starts = np.searchsorted(rows, np.arange(0, NUM_ROWS, 50))
    return DrawEntry(name=name, rows=rows, curve=constant_curve(Fraction(share)), shard_starts=starts, seen=seen)


def blend(shares: Sequence[str], times: np.ndarray | None = None) -> MadeUp:
    return MadeUp([entry(str(i), np.arange(i, NUM_ROWS, 2), share, times) for i, share in enumerate(shares)])


def parts_of(packs: Sequence[Pack]) -> Counter[tuple[int, int]]:
    return Counter((sample.row, sample.chunk) for pack in packs for sample in pack.samples)


def start_of(source: MadeUp, handed: HandedOut, *, first_pack: int, window: int) -> Cursor:
    carried = []
    for row, chunk in handed.parts:
        for i, own in enumerate(source.entries):
            at = int(np.searchsorted(own.rows, row))
            if at < len(own.rows) and own.rows[at] == row and own.seen is not None:
                place = own.seen.place_of(at)
                assert place is not None
                carried.append(Carried(i, place, chunk, window))
    places = tuple(own.seen.start for own in source.entries if own.seen is not None)
    return Cursor(
        window=window,
        places=places,
        amounts=(0,) * len(places),
        first_pack=first_pack,
        next_pack=first_pack,
        carried=tuple(carried),
    )


def follow(source: MadeUp, cursor: Cursor, **settings: object) -> list[Pack]:
    return list(plan_packs(source, replace(SETTINGS, **settings), cursor=cursor, num_epochs=1))  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ["stored", "shuffled", "blocks"])
@pytest.mark.parametrize("num_before", [0, 1, 17, 40])
def test_two_plans_hand_out_every_part_once(num_before: int, order: Order) -> None:
    settings = replace(SETTINGS, order=order, block_shards=2)
    first = blend(["0.5", "0.5"])
    packs = list(islice(plan_packs(first, settings, num_epochs=1), num_before + 1))
    cursor = packs[-1].cursor
    assert cursor.next_pack == num_before
    handed = find_handed_out(first, settings, cursor, num_rows=NUM_ROWS, num_epochs=1)
    before = parts_of(packs[:-1])
    assert set(np.flatnonzero(handed.times).tolist()) == {row for row, _ in before}
    assert sum(handed.num_documents) == len({row for row, _ in before})
    # One entry of all, so that the pass ends when every document is through.
    second = MadeUp([entry("all", np.arange(NUM_ROWS), "1", handed.times)])
    start = start_of(second, handed, first_pack=num_before, window=cursor.window + 1)
    after = follow(second, start, order=order, block_shards=2)
    assert after[0].number == num_before
    whole = parts_of(list(plan_packs(MadeUp([entry("all", np.arange(NUM_ROWS), "1")]), settings, num_epochs=1)))
    assert before + parts_of(after) == whole


def test_shares_hold_from_the_border_on() -> None:
    first = blend(["0.5", "0.5"])
    packs = list(islice(plan_packs(first, SETTINGS, num_epochs=None), 31))
    handed = find_handed_out(first, SETTINGS, packs[-1].cursor, num_rows=NUM_ROWS, num_epochs=None)
    second = blend(["0.9", "0.1"], handed.times)
    start = start_of(second, handed, first_pack=30, window=packs[-1].cursor.window + 1)
    after = list(islice(plan_packs(second, SETTINGS, cursor=start, num_epochs=None), 100))
    table = np.concatenate([pack.table for pack in after])
    tokens = np.bincount(table["group"], weights=table["num_tokens"], minlength=2)
    assert tokens[0] / tokens.sum() == pytest.approx(0.9, abs=0.02)


def test_passes_that_are_whole_are_counted() -> None:
    source = blend(["0.9", "0.1"])
    packs = list(islice(plan_packs(source, SETTINGS, num_epochs=None), 400))
    handed = find_handed_out(source, SETTINGS, packs[-1].cursor, num_rows=NUM_ROWS, num_epochs=None)
    drawn = Counter(sample.row for pack in packs[:-1] for sample in pack.samples if sample.chunk == 0)
    begun = np.array([drawn[row] for row in range(NUM_ROWS)])
    assert begun.max() > 1
    # A document counts from its first part on, whichever that is.
    assert np.abs(handed.times.astype(np.int64) - begun).max() <= 1
    assert (handed.times != begun).sum() < 10
    assert handed.num_documents == (handed.times[0::2].sum(), handed.times[1::2].sum())


def test_a_plan_that_was_changed_can_be_changed_again() -> None:
    times, number, window, parts = None, 0, 0, Counter[tuple[int, int]]()
    cursor = Cursor()
    for num_packs in (10, 12, 9):
        source = MadeUp([entry("all", np.arange(NUM_ROWS), "1", times)])
        packs = list(islice(plan_packs(source, SETTINGS, cursor=cursor, num_epochs=1), num_packs + 1))
        parts += parts_of(packs[:-1])
        number += num_packs
        handed = find_handed_out(source, SETTINGS, packs[-1].cursor, num_rows=NUM_ROWS, num_epochs=1)
        times = handed.times
        window = packs[-1].cursor.window + 1
        cursor = start_of(
            MadeUp([entry("all", np.arange(NUM_ROWS), "1", times)]), handed, first_pack=number, window=window
        )
    rest = follow(MadeUp([entry("all", np.arange(NUM_ROWS), "1", times)]), cursor)
    whole = parts_of(list(plan_packs(MadeUp([entry("all", np.arange(NUM_ROWS), "1")]), SETTINGS, num_epochs=1)))
    assert parts + parts_of(rest) == whole


@pytest.mark.parametrize("num_rounds", range(1, 9))
def test_a_step_may_begin_in_one_window_and_end_in_the_next(num_rounds: int) -> None:
    source = MadeUp([entry("all", np.arange(NUM_ROWS), "1")])
    dealt = order_rounds(plan_packs(source, SETTINGS, num_epochs=1), first=0, round_packs=6)
    packs = list(islice(dealt, 6 * num_rounds))
    cursor = replace(packs[-1].window, next_pack=6 * num_rounds)
    handed = find_handed_out(source, SETTINGS, cursor, num_rows=NUM_ROWS, num_epochs=1)
    second = MadeUp([entry("all", np.arange(NUM_ROWS), "1", handed.times)])
    start = start_of(second, handed, first_pack=6 * num_rounds, window=cursor.window + 9)
    whole = parts_of(list(plan_packs(source, SETTINGS, num_epochs=1)))
    assert parts_of(packs) + parts_of(follow(second, start)) == whole
