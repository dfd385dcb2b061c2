import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np

from curate.blend.curve import constant_curve
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.draw import Counts, DrawEntry, Rows
from train_bridge.packing.plan import Pack, PlanSettings, plan_packs
from train_bridge.packing.split import Capacity, Counted

SETTINGS = PlanSettings(
    capacity=Capacity(seq_length=256, tokens_per_image=16, has_bos=True),
    order="shuffled",
    window=64,
    age_limit=4,
    max_carry=24,
)


class FakeCorpus:
    """Documents of random length and of three groups, every seventh unusable, some longer than a sequence."""

    num_groups = 3

    def __init__(self, num_rows: int) -> None:
        rng = np.random.default_rng(0)
        self._images = rng.integers(0, 4, num_rows)
        self._ids = rng.integers(10, 120, num_rows) + 400 * (rng.random(num_rows) < 0.05)
        self._group = rng.integers(0, 3, num_rows)
        self.usable = np.flatnonzero(np.arange(num_rows) % 7 != 6)
        self.entries = [DrawEntry(name="all", rows=self.usable, curve=constant_curve(Fraction(1)))]

    def counts(self, rows: Rows) -> Counts:
        ids, images = self._ids[rows], self._images[rows]
        return Counts(num_ids=ids, num_images=images, num_labels=ids - images, group=self._group[rows])

    def document(self, row: int) -> Counted:
        num_ids = int(self._ids[row])
        places = np.arange(self._images[row], dtype=np.int32) * 20
        return Counted(num_ids=num_ids, image_at=places, breaks=places[1:], label_spans=np.array([0, num_ids]))


CORPUS = FakeCorpus(500)


def contents(packs: list[Pack]) -> list[tuple[int, list[tuple[int, int]]]]:
    return [(pack.number, [(s.row, s.chunk) for s in pack.samples]) for pack in packs]


def test_every_usable_document_is_in_one_pack_of_each_epoch() -> None:
    packs = list(plan_packs(CORPUS, SETTINGS, num_epochs=2))
    usable = CORPUS.usable.tolist()
    seen = [(s.place // len(usable), s.row) for pack in packs for s in pack.samples if s.chunk == 0]
    assert sorted(seen) == [(epoch, row) for epoch in (0, 1) for row in usable]


def test_all_parts_of_a_long_document_are_packed() -> None:
    packs = list(plan_packs(CORPUS, SETTINGS, num_epochs=1))
    spans: dict[int, list[tuple[int, int]]] = {}
    for pack in packs:
        for sample in pack.samples:
            spans.setdefault(sample.row, []).append((sample.span.start, sample.span.stop))
    for row, found in spans.items():
        ordered = sorted(found)
        assert ordered[0][0] == 0
        assert ordered[-1][1] == CORPUS.document(row).num_ids
        assert all(one[1] == other[0] for one, other in itertools.pairwise(ordered))


def test_truncated_documents_keep_their_first_part_only() -> None:
    settings = replace(SETTINGS, long_documents="truncate")
    assert {s.chunk for pack in plan_packs(CORPUS, settings, num_epochs=1) for s in pack.samples} == {0}


def test_packs_are_numbered_and_no_fuller_than_a_sequence() -> None:
    packs = list(plan_packs(CORPUS, SETTINGS, num_epochs=1))
    assert [pack.number for pack in packs] == list(range(len(packs)))
    assert max(pack.num_tokens for pack in packs) <= 256
    assert sum(pack.num_tokens for pack in packs) / len(packs) / 256 > 0.97


def test_the_cap_on_images_holds() -> None:
    settings = replace(SETTINGS, max_images=4)
    packs = list(plan_packs(CORPUS, settings, num_epochs=1))
    assert max(sum(s.span.num_images for s in pack.samples) for pack in packs) <= 4


def test_no_sample_waits_longer_than_the_age_limit() -> None:
    packs = list(plan_packs(CORPUS, replace(SETTINGS, window=16, max_carry=40), num_epochs=2))
    waits = [pack.cursor.window - s.first_window for pack in packs for s in pack.samples]
    assert 0 < max(waits) <= 4


def test_a_plan_goes_on_from_the_cursor_of_any_pack() -> None:
    settings = replace(SETTINGS, window=32)
    packs = list(plan_packs(CORPUS, settings, num_epochs=2))
    assert any(pack.cursor.carried for pack in packs)
    for number in (0, 1, len(packs) // 3, len(packs) // 2, len(packs) - 1):
        cursor = Cursor.from_json(packs[number].cursor.to_json())
        assert contents(list(plan_packs(CORPUS, settings, cursor=cursor, num_epochs=2))) == contents(packs[number:])


def test_a_later_pack_can_be_asked_for_with_an_earlier_window() -> None:
    packs = list(plan_packs(CORPUS, SETTINGS, num_epochs=1))
    cursor = replace(packs[2].cursor, next_pack=len(packs) - 3)
    assert contents(list(plan_packs(CORPUS, SETTINGS, cursor=cursor, num_epochs=1))) == contents(packs[-3:])


def test_samples_of_a_pack_stand_in_the_order_of_the_data() -> None:
    for pack in plan_packs(CORPUS, SETTINGS, num_epochs=1):
        places = [(sample.first_window, sample.place, sample.chunk) for sample in pack.samples]
        assert places == sorted(places)


def test_stored_order_is_that_of_the_shards() -> None:
    packs = plan_packs(CORPUS, replace(SETTINGS, order="stored"), num_epochs=1)
    assert all(sample.row == CORPUS.usable[sample.place] for pack in packs for sample in pack.samples)


def test_without_epochs_it_never_ends() -> None:
    small, seen = FakeCorpus(20), 0
    for pack in plan_packs(small, SETTINGS, num_epochs=None):
        seen += len(pack.samples)
        if pack.number > 100:
            break
    assert seen > 3 * 20
