import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.image.aspect import AspectConfig, aspect


def reject(*sides: tuple[int | None, int | None], max_aspect: float = 2.0) -> list[str | None]:
    batch = pa.record_batch(
        {
            "kind": pa.array(["interleaved"] * len(sides)),
            "original_width": pa.array([width for width, _ in sides], pa.int32()),
            "original_height": pa.array([height for _, height in sides], pa.int32()),
        }
    )
    return list(aspect(batch, config=AspectConfig(max=max_aspect)).to_pylist())


def test_the_limit_is_inclusive_and_counts_either_way() -> None:
    assert reject((400, 200), (200, 400), (333, 333)) == [None, None, None]
    assert reject((401, 200), (200, 401)) == ["image.aspect", "image.aspect"]


def test_a_limit_of_one_keeps_squares_only() -> None:
    assert reject((7, 7), (7, 8), max_aspect=1) == [None, "image.aspect"]


def test_a_missing_or_zero_side_is_rejected() -> None:
    assert reject((None, 200), (200, None), (0, 0), (0, 5)) == ["image.aspect"] * 4


@pytest.mark.parametrize("wrong", [0.5, float("inf"), float("nan")])
def test_wrong_options_are_refused(wrong: float) -> None:
    with pytest.raises(ValidationError):
        AspectConfig(max=wrong)
