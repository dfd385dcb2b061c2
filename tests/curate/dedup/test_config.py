import pytest
from pydantic import ValidationError

from curate.dedup.config import DedupConfig


@pytest.mark.parametrize(
    "wrong", [{"mode": "random"}, {"image": {"cosine": 0}}, {"image": {"cosine": 1.01}}, {"text": {}}]
)
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DedupConfig.model_validate(wrong)
