from pathlib import Path

import numpy as np

from train_bridge.data.consumed import Consumed, write_consumed

TIMES = {"lengths-a": np.array([0, 1, 2], dtype=np.uint8), "lengths-b": np.array([3, 0], dtype=np.uint8)}


def test_sets_are_found_by_their_names_and_unknown_ones_are_fresh(tmp_path: Path) -> None:
    name = write_consumed(str(tmp_path), 12, TIMES)
    assert name.startswith("step-00000012-")
    consumed = Consumed(f"{tmp_path}/{name}")
    assert consumed.key == name
    found = consumed.times(["lengths-b", "lengths-new", "lengths-a"], [2, 2, 3])
    assert found.tolist() == [3, 0, 0, 0, 0, 1, 2]


def test_other_times_are_another_folder(tmp_path: Path) -> None:
    names = {write_consumed(str(tmp_path), 12, times) for times in (TIMES, TIMES, {"lengths-a": TIMES["lengths-b"]})}
    assert len(names) == 2
