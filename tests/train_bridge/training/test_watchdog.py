import time

import pytest
import torch

from train_bridge.training.ranks import Ranks
from train_bridge.training.watchdog import Watchdog

CPU = torch.device("cpu")


class Shared:
    """A store of several ranks in one process."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.set = self.values.__setitem__

    def get(self, key: str) -> bytes:
        return self.values[key].encode()

    def check(self, keys: list[str]) -> bool:
        return all(key in self.values for key in keys)


def watchdog(rank: int, store: Shared, told: list[str], *, limit_s: float = 0.05) -> Watchdog:
    ranks = Ranks(rank=rank, world_size=2, local_rank=rank, device=CPU)
    return Watchdog(ranks, limit_s=limit_s, store=store, tell=told.append)


def wait_for(told: list[str]) -> None:
    deadline_s = time.monotonic() + 10
    while not told and time.monotonic() < deadline_s:
        time.sleep(0.01)


def test_the_rank_that_keeps_the_others_waiting_is_named_once_with_its_place() -> None:
    store, told, waiting = Shared(), list[str](), list[str]()
    with watchdog(0, store, waiting) as ahead, watchdog(1, store, told) as behind:
        for dog in (ahead, behind):
            dog.at(7, "reads its batch")
        ahead.at(7, "computes")
        wait_for(told)
        time.sleep(0.2)
    assert len(told) == 1
    assert "rank 1 has not moved" in told[0]
    assert "step 7: reads its batch" in told[0]
    assert "wait_for(told)" in told[0]
    assert waiting == []


def test_where_none_is_further_behind_all_are_named() -> None:
    store, told = Shared(), list[str]()
    with watchdog(0, store, told) as one, watchdog(1, store, told) as other:
        for dog in (one, other):
            dog.at(3, "computes")
        deadline_s = time.monotonic() + 10
        while len(told) < 2 and time.monotonic() < deadline_s:
            time.sleep(0.01)
    assert sorted(text[:6] for text in told) == ["rank 0", "rank 1"]


@pytest.mark.parametrize("doing", ["computes", "saves a checkpoint"])
def test_a_rank_that_moves_is_not_named(doing: str) -> None:
    store, told = Shared(), list[str]()
    with watchdog(0, store, told, limit_s=5.0) as dog, watchdog(1, store, told, limit_s=5.0) as other:
        for step in range(20):
            dog.at(step, doing)  # type: ignore[arg-type]
            other.at(step, doing)  # type: ignore[arg-type]
            time.sleep(0.01)
    assert told == []


def test_a_rank_that_has_not_come_yet_is_further_behind() -> None:
    store, told = Shared(), list[str]()
    with watchdog(0, store, told) as dog:
        dog.at(1, "computes")
        time.sleep(0.3)
    assert told == []
