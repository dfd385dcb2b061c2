import pytest
from pydantic import ValidationError

from curate.blend.config import BlendConfig, parse_total


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1B", 10**9), ("2.5m", 2_500_000), ("10_000", 10_000), (" 7 k ", 7000), ("0.25T", 25 * 10**10), ("MAX", None)],
)
def test_totals_may_be_written_short(text: str, amount: int | None) -> None:
    assert BlendConfig.model_validate({"total": text}).total == amount


@pytest.mark.parametrize("text", ["", "lots", "1.5", "1 GB", "-3", "1e9"])
def test_other_strings_are_no_totals(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        parse_total(text)


@pytest.mark.parametrize("total", [0, -1, 1.5, "0"])
def test_a_total_is_a_positive_whole_number(total: object) -> None:
    with pytest.raises(ValidationError):
        BlendConfig.model_validate({"total": total})


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_a_bad_weight_is_named(weight: float) -> None:
    with pytest.raises(ValidationError, match=r"pair: .* must be zero or a positive number"):
        BlendConfig(weights={"text": 1.0, "pair": weight})


def test_all_weights_zero_is_an_error() -> None:
    with pytest.raises(ValidationError, match="at least one weight"):
        BlendConfig(weights={"text": 0.0})


@pytest.mark.parametrize("name", ["../up", "", "a b", ".hidden"])
def test_a_name_is_a_plain_folder_name(name: str) -> None:
    with pytest.raises(ValidationError):
        BlendConfig(name=name)


def test_a_weight_may_change_and_its_places_are_strings() -> None:
    config = BlendConfig.model_validate({"weights": {"pair": 1, "text": {0: 0.1, "10M": 0.4}}})
    assert config.weights == {"pair": 1, "text": {"0": 0.1, "10M": 0.4}}
    assert BlendConfig.model_validate_json(config.model_dump_json()) == config


def test_a_bad_place_of_a_weight_is_named() -> None:
    with pytest.raises(ValidationError, match="text: 'later' is no place"):
        BlendConfig.model_validate({"weights": {"text": {"later": 1}}})


def test_total_and_epochs_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="give one of them"):
        BlendConfig(epochs=1, total=5)


@pytest.mark.parametrize("epochs", [0, -1, float("inf"), float("nan")])
def test_epochs_are_a_positive_number(epochs: float) -> None:
    with pytest.raises(ValidationError):
        BlendConfig(epochs=epochs)
