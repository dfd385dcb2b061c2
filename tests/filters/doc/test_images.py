import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.doc.images import ImagesConfig, images


def reject(*num_images: int | None, config: ImagesConfig | None = None) -> list[str | None]:
    counts = pa.array(num_images, pa.int32())
    batch = pa.record_batch({"kind": ["interleaved"] * len(num_images), "num_images": counts})
    return list(images(batch, config=config or ImagesConfig()).to_pylist())


def test_both_ends_are_inclusive() -> None:
    assert reject(0, 1, 30, 31) == ["doc.images", None, None, "doc.images"]


def test_a_missing_count_is_rejected() -> None:
    assert reject(None, config=ImagesConfig(min=0)) == ["doc.images"]


def test_pairs_and_texts_are_not_asked_by_default() -> None:
    batch = pa.record_batch({"kind": ["pair", "text"], "num_images": pa.array([0, 0], pa.int32())})
    assert images(batch, config=ImagesConfig()).to_pylist() == [None, None]


@pytest.mark.parametrize("wrong", [{"min": 5, "max": 4}, {"min": -1}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ImagesConfig.model_validate(wrong)
