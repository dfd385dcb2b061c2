import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.image.clip import ClipFloorConfig, clip


def reject(*scores: float | None, floor: float = 0.15, kind: str = "interleaved") -> list[str | None]:
    halves = [None if score is None else np.float16(score) for score in scores]
    batch = pa.record_batch({"kind": [kind] * len(scores), "best_sim": pa.array(halves, pa.float16())})
    return list(clip(batch, config=ClipFloorConfig(min=floor)).to_pylist())


@pytest.mark.parametrize("floor", [0.15, 0.1, 0.25, 0.3, -0.05, 0.0])
def test_the_floor_is_inclusive_as_scores_are_stored(floor: float) -> None:
    below = np.nextafter(np.float16(floor), np.float16(-1))
    assert reject(floor, float(below), floor=floor) == [None, "image.clip"]


def test_unscored_is_not_good() -> None:
    assert reject(None, float("nan"), floor=-1) == ["image.clip", "image.clip"]


def test_a_pair_is_judged_by_its_caption() -> None:
    assert reject(0.5, 0.1, None, kind="pair") == [None, "image.clip", "image.clip"]


@pytest.mark.parametrize("wrong", [1.5, -1.5])
def test_wrong_options_are_refused(wrong: float) -> None:
    with pytest.raises(ValidationError):
        ClipFloorConfig(min=wrong)
