import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.image.size import SizeConfig, size


def reject(*sides: tuple[int | None, int | None], config: SizeConfig | None = None) -> list[str | None]:
    batch = pa.record_batch(
        {
            "kind": pa.array(["interleaved"] * len(sides)),
            "original_width": pa.array([width for width, _ in sides], pa.int32()),
            "original_height": pa.array([height for _, height in sides], pa.int32()),
        }
    )
    return list(size(batch, config=config or SizeConfig()).to_pylist())


def test_both_sides_count_and_both_ends_are_inclusive() -> None:
    assert reject((150, 150), (20_000, 150)) == [None, None]
    assert reject((149, 150), (150, 149), (20_001, 200), (200, 20_001)) == ["image.size"] * 4


def test_a_missing_side_is_rejected() -> None:
    assert reject((None, 200), (200, None), (None, None)) == ["image.size"] * 3


@pytest.mark.parametrize("wrong", [{"min": 5, "max": 4}, {"min": 0}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SizeConfig.model_validate(wrong)
