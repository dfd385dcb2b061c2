import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.text.replacement import ReplacementConfig, replacement


def reject(*ratios: float | None, config: ReplacementConfig) -> list[str | None]:
    kind = pa.array(["text"] * len(ratios))
    batch = pa.record_batch({"kind": kind, "replacement_ratio": pa.array(ratios, pa.float32())})
    return list(replacement(batch, config=config).to_pylist())


def test_the_limit_is_inclusive() -> None:
    config = ReplacementConfig(max_ratio=0.1)
    assert reject(0.0, 0.1, 0.11, config=config) == [None, None, "text.replacement"]


def test_none_may_be_allowed() -> None:
    assert reject(0.0, 1e-6, config=ReplacementConfig(max_ratio=0)) == [None, "text.replacement"]


def test_a_missing_share_is_rejected() -> None:
    assert reject(None, config=ReplacementConfig(max_ratio=1)) == ["text.replacement"]


@pytest.mark.parametrize("wrong", [{"max_ratio": 1.1}, {"max_ratio": -0.1}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ReplacementConfig.model_validate(wrong)
