from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest

from curate.blend.curve import ShareCurve, constant_curve
from train_bridge.packing.draw import Counts, DrawEntry, Drawer, DrawSettings, LongDocuments, Rows, split_long
from train_bridge.packing.split import Capacity, Counted

SETTINGS = DrawSettings(
    capacity=Capacity(seq_length=256, tokens_per_image=16, has_bos=True), order="shuffled", unit="tokens"
)


def constant(share: str) -> ShareCurve:
    return constant_curve(Fraction(share))


class Blend:
    """Entry 0: short documents; entry 1: four times as long, one in ten longer than a sequence."""

    num_groups = 2

    def __init__(self, *curves: ShareCurve, num_rows: int = 3000) -> None:
        rng = np.random.default_rng(0)
        self.ids = np.where(np.arange(num_rows) % 2, rng.integers(80, 160, num_rows), rng.integers(20, 40, num_rows))
        self.ids[1::20] = 600
        self.entries = [
            DrawEntry(name=f"entry {i}", rows=np.arange(i, num_rows, 2, dtype=np.int64), curve=curve)
            for i, curve in enumerate(curves)
        ]

    def counts(self, rows: Rows) -> Counts:
        return Counts(num_ids=self.ids[rows], num_images=np.zeros_like(rows), num_labels=self.ids[rows], group=rows % 2)

    def document(self, row: int) -> Counted:
        empty = np.zeros(0, dtype=np.int32)
        num_ids = int(self.ids[row])
        spans = np.array([0, num_ids], dtype=np.int32)
        return Counted(num_ids=num_ids, image_at=empty, breaks=np.array([200, 400], dtype=np.int32), label_spans=spans)


def draw_all(source: Blend, settings: DrawSettings, *, num: int, num_epochs: int) -> np.ndarray:
    drawer = Drawer(source, settings, num_epochs=num_epochs)
    found = [drawer.draw(num)]
    while not drawer.is_done:
        found.append(drawer.draw(num))
    return np.concatenate(found)


@pytest.mark.parametrize("unit", ["tokens", "samples"])
def test_shares_hold_at_every_point(unit: Literal["tokens", "samples"]) -> None:
    settings = replace(SETTINGS, unit=unit)
    drawn = draw_all(Blend(constant("0.3"), constant("0.7")), settings, num=100, num_epochs=1)
    sizes = drawn["num_tokens"].astype(np.int64) if unit == "tokens" else np.ones(len(drawn), dtype=np.int64)
    own = np.cumsum(np.where(drawn["entry"] == 0, sizes, 0))
    assert len(drawn) > 1000
    assert np.abs(own - 0.3 * np.cumsum(sizes)).max() <= sizes.max()


def test_it_ends_with_the_entry_that_runs_out_first() -> None:
    drawn = draw_all(Blend(constant("0.5"), constant("0.5")), replace(SETTINGS, unit="samples"), num=64, num_epochs=1)
    assert len(drawn) == 3000
    drawn = draw_all(Blend(constant("0.9"), constant("0.1")), replace(SETTINGS, unit="samples"), num=64, num_epochs=2)
    assert np.bincount(drawn["entry"]).tolist() == [3000, 333]


def test_shares_change_along_the_run() -> None:
    rising = ShareCurve(knots=(Fraction(0), Fraction(1000)), shares=(Fraction(0), Fraction(1)))
    falling = ShareCurve(knots=(Fraction(0), Fraction(1000)), shares=(Fraction(1), Fraction(0)))
    drawn = draw_all(Blend(rising, falling), replace(SETTINGS, unit="samples"), num=50, num_epochs=1)
    first = np.cumsum(drawn["entry"] == 0)
    assert abs(first[499] - 125) <= 2
    assert abs(first[999] - 500) <= 2
    assert (drawn["entry"][1010:] == 0).all()


def test_every_epoch_has_every_row_in_another_order() -> None:
    drawn = draw_all(Blend(constant("1")), SETTINGS, num=70, num_epochs=2)
    first, second = drawn["row"][:1500], drawn["row"][1500:]
    assert sorted(first) == sorted(second) == list(range(0, 3000, 2))
    assert (first != second).any()


def test_it_goes_on_from_what_has_been_drawn() -> None:
    source = Blend(constant("0.3"), constant("0.7"))
    drawer = Drawer(source, SETTINGS)
    drawer.draw(777)
    again = Drawer(source, SETTINGS, places=drawer.places, amounts=drawer.amounts)
    assert (drawer.draw(500) == again.draw(500)).all()


def test_how_much_is_asked_for_at_once_changes_nothing() -> None:
    source = Blend(constant("0.3"), constant("0.7"))
    one, other = (draw_all(source, SETTINGS, num=num, num_epochs=1) for num in (7, 5000))
    assert (one == other).all()


def test_stored_order() -> None:
    drawn = draw_all(Blend(constant("1")), replace(SETTINGS, order="stored"), num=100, num_epochs=1)
    assert drawn["row"].tolist() == list(range(0, 3000, 2))


def test_a_cursor_of_another_blend() -> None:
    with pytest.raises(ValueError, match="1 blend entries, the plan has 2"):
        Drawer(Blend(constant("0.3"), constant("0.7")), SETTINGS, places=(3,), amounts=(9,))


@pytest.mark.parametrize(
    ("policy", "stops"), [("split", [200, 400, 600]), ("with_images", [200, 400, 600]), ("truncate", [200])]
)
def test_long_documents_are_cut_at_their_breaks(policy: LongDocuments, stops: list[int]) -> None:
    source = Blend(constant("0.5"), constant("0.5"))
    settings = replace(SETTINGS, long_documents=policy)
    drawn = Drawer(source, settings).draw(200)
    samples = split_long(source, settings, drawn)
    assert samples["num_tokens"].max() <= 256
    long = drawn["row"][drawn["num_tokens"] == 600][0]
    assert samples["stop"][samples["row"] == long].tolist() == stops
    assert (samples["chunk"][samples["row"] == long] == np.arange(len(stops))).all()


class Chats:
    """One document of 30 tokens and breaks at every tenth, with images at given places."""

    num_groups = 1

    def __init__(self, *image_at: int) -> None:
        self.image_at = np.array(image_at, dtype=np.int32)
        self.entries = [DrawEntry(name="chat", rows=np.zeros(1, dtype=np.int64), curve=constant("1"))]

    def counts(self, rows: Rows) -> Counts:
        ones = np.ones_like(rows)
        return Counts(num_ids=30 * ones, num_images=len(self.image_at) * ones, num_labels=30 * ones, group=0 * ones)

    def document(self, row: int) -> Counted:
        del row
        spans = np.array([0, 30], dtype=np.int32)
        return Counted(num_ids=30, image_at=self.image_at, breaks=np.array([10, 20], dtype=np.int32), label_spans=spans)


@pytest.mark.parametrize(("image_at", "num_chunks"), [((), 3), ((0,), 1), ((12,), 2), ((25,), 3), ((0, 25), 1)])
def test_no_chunk_is_kept_behind_one_with_an_image(image_at: tuple[int, ...], num_chunks: int) -> None:
    capacity = Capacity(seq_length=13, tokens_per_image=2, has_bos=False)
    settings = DrawSettings(capacity=capacity, long_documents="with_images")
    source = Chats(*image_at)
    samples = split_long(source, settings, Drawer(source, settings, num_epochs=1).draw(1))
    assert samples["chunk"].tolist() == list(range(num_chunks))
    assert samples["stop"].tolist() == [10, 20, 30][:num_chunks]
