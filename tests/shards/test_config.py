import pytest
from pydantic import ValidationError

from shards.config import ShardsConfig


def test_sizes_are_written_as_people_do() -> None:
    assert ShardsConfig.model_validate({"bytes": "1GB"}).bytes == 10**9


@pytest.mark.parametrize("fault", [{"samples": 0}, {"samples": 1_000_001}, {"bytes": 0}, {"sample": 3}])
def test_impossible_limits_are_refused(fault: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        ShardsConfig.model_validate(fault)
