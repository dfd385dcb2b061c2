import pytest
from pydantic import ValidationError

from curate.dedup.config import DedupConfig


def test_bytes_only_unless_a_model_is_there_to_ask() -> None:
    config = DedupConfig()
    assert (config.mode, config.image.exact, config.image.cosine) == ("ordered", True, None)


@pytest.mark.parametrize(
    "wrong", [{"mode": "random"}, {"image": {"cosine": 0}}, {"image": {"cosine": 1.01}}, {"text": {}}]
)
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DedupConfig.model_validate(wrong)
