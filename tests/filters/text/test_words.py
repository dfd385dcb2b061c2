import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.text.words import WordsConfig, words


def reject(*num_words: int | None, config: WordsConfig) -> list[str | None]:
    counts = pa.array(num_words, pa.int32())
    kind = pa.array(["interleaved"] * len(num_words))
    return list(words(pa.record_batch({"kind": kind, "num_words": counts}), config=config).to_pylist())


def test_both_ends_are_inclusive() -> None:
    config = WordsConfig(min=3, max=5)
    assert reject(2, 3, 5, 6, config=config) == ["text.words", None, None, "text.words"]


def test_without_a_maximum() -> None:
    assert reject(9, 10**9, config=WordsConfig(max=None)) == ["text.words", None]


def test_a_missing_count_is_rejected() -> None:
    assert reject(None, config=WordsConfig(min=0, max=None)) == ["text.words"]


@pytest.mark.parametrize("wrong", [{"min": 5, "max": 4}, {"min": -1}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WordsConfig.model_validate(wrong)
