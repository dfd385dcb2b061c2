import pytest
from pydantic import ValidationError

from train_bridge.parallel import ParallelConfig


def test_a_sequence_is_not_split_and_what_helps_is_said() -> None:
    assert ParallelConfig(context=1).context == 1
    with pytest.raises(ValidationError, match=r"a sequence is not split over ranks.*run\.activation_offload"):
        ParallelConfig(context=2)


@pytest.mark.parametrize("settings", [{"shard": 0}, {"replicate": 0}, {"tensor": 2}])
def test_values_that_cannot_work_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        ParallelConfig.model_validate(settings)
