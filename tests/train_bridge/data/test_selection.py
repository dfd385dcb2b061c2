import hashlib
from typing import Literal

import numpy as np

from train_bridge.data.selection import Selection

SIDES: tuple[Literal["train"], Literal["validation"]] = ("train", "validation")
GROUPS = (("coyo", "pair"), ("laion", "pair"), ("mmc4", "interleaved"))


def test_kinds_and_sources() -> None:
    assert [Selection(kinds={"pair"}).takes(group) for group in GROUPS] == [True, True, False]
    assert [Selection(kinds={"pair"}, sources={"coyo"}).takes(group) for group in GROUPS] == [True, False, False]
    assert all(Selection().takes(group) for group in GROUPS)


def test_every_document_is_on_one_side() -> None:
    words = [hashlib.sha256(f"{i:016x}".encode()).digest()[:4] for i in range(5000)]
    buckets = np.array([int.from_bytes(word, "big") for word in words], dtype=np.uint32)
    train, validation = (Selection(side=side, validation_share=0.1).on_side(buckets) for side in SIDES)
    assert (train ^ validation).all()
    assert 0.08 < validation.mean() < 0.12
    more = Selection(side="validation", validation_share=0.2).on_side(buckets)
    assert more[validation].all()  # a larger share keeps those that were held out


def test_without_a_share_all_is_for_training() -> None:
    buckets = np.array([0, 2**32 - 1], dtype=np.uint32)
    assert Selection().on_side(buckets).all()
    assert not Selection(side="validation").on_side(buckets).any()
