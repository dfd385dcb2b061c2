import pytest
from pydantic import ValidationError

from train_bridge.model_config import ModelConfig, TinyConfig


@pytest.mark.parametrize(("name", "ours"), [("mlp2x_gelu", "mlp"), ("downsample_mlp", "mlp_downsample")])
def test_a_projector_has_its_other_names_too(name: str, ours: str) -> None:
    assert ModelConfig.model_validate({"projector": name}).projector == ours


def test_an_unknown_projector_is_a_fault() -> None:
    with pytest.raises(ValidationError, match="mlp_downsample_3x3_fix"):
        ModelConfig.model_validate({"projector": "resampler"})


def test_the_default_projector_is_one_that_servers_know() -> None:
    assert ModelConfig().projector == "mlp"


def test_patches_have_to_fill_an_image() -> None:
    with pytest.raises(ValidationError, match="not a multiple of patch_size"):
        TinyConfig(image_size=20, patch_size=16)
