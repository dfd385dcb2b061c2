from train_bridge.families.language import LANGUAGES
from train_bridge.model.windows import BY_LAYER, ONE_MASK, windows_of


def test_every_family_has_a_name_of_its_own() -> None:
    assert len({row.name for row in LANGUAGES}) == len(LANGUAGES)


def test_every_type_whose_windows_are_known_has_a_row_and_most_have_a_window() -> None:
    configs = [row.config(vocab_size=256) for row in LANGUAGES]
    assert {*ONE_MASK, *BY_LAYER} <= {config.model_type for config in configs}
    windowed = {config.model_type for config in configs if windows_of(config) is not None}
    assert windowed >= {*BY_LAYER} | {"mistral", "mixtral", "phi3", "starcoder2"}
