import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.url.frequency import FrequencyConfig, frequency


def test_the_limit_is_inclusive_and_a_missing_count_is_rejected() -> None:
    batch = pa.record_batch({"kind": ["pair"] * 4, "url_count": pa.array([1, 10, 11, None], pa.int64())})
    assert frequency(batch, config=FrequencyConfig()).to_pylist() == [None, None, "url.frequency", "url.frequency"]


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValidationError):
        FrequencyConfig(max=0)
