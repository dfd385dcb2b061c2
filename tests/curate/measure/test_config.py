import pytest
from pydantic import ValidationError

from curate.measure.config import ClipConfig


@pytest.mark.parametrize("model", ["tiny", "local-dir:/models/mine", "hf-hub:owner/name"])
def test_models_that_name_their_place_need_no_tag(model: str) -> None:
    assert ClipConfig(model=model).names_its_place


def test_a_plain_model_needs_the_tag_of_its_weights() -> None:
    with pytest.raises(ValidationError, match="needs `pretrained`"):
        ClipConfig(model="ViT-L-14")
    assert not ClipConfig(model="ViT-L-14", pretrained="openai").names_its_place


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"num_threads": 0}, {"precision": "int8"}, {"device": "tpu"}, {"modle": "x"}, {"model": ""}],
)
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ClipConfig.model_validate({"model": "tiny", **wrong})
