import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.text.language import LanguageConfig, language


def reject(*rows: tuple[str | None, float | None], config: LanguageConfig) -> list[str | None]:
    batch = pa.record_batch(
        {
            "kind": pa.array(["interleaved"] * len(rows)),
            "lang": pa.array([lang for lang, _ in rows], pa.string()),
            "lang_prob": pa.array([prob for _, prob in rows], pa.float32()),
        }
    )
    return list(language(batch, config=config).to_pylist())


def test_only_wanted_languages_are_kept() -> None:
    config = LanguageConfig(allow=("en", "fr"))
    assert reject(("en", 0.9), ("fr", 0.9), ("de", 0.9), config=config) == [None, None, "text.language"]


@pytest.mark.parametrize("min_prob", [0.65, 0.1, 0.8, 1.0])
def test_the_probability_is_inclusive(min_prob: float) -> None:
    rows = [("en", min_prob), ("en", min_prob - 1e-4)]
    assert reject(*rows, config=LanguageConfig(min_prob=min_prob)) == [None, "text.language"]


def test_unknown_is_not_wanted() -> None:
    assert reject((None, None), ("en", None), config=LanguageConfig(min_prob=0)) == ["text.language"] * 2


@pytest.mark.parametrize("wrong", [{"allow": []}, {"allow": ["english"]}, {"allow": ["EN"]}, {"min_prob": 1.1}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LanguageConfig.model_validate(wrong)
