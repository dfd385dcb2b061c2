import pytest
from pydantic import ValidationError

from train_bridge.model_config import ModelConfig, Module, TinyConfig


@pytest.mark.parametrize(("name", "ours"), [("mlp2x_gelu", "mlp"), ("downsample_mlp", "mlp_downsample")])
def test_a_projector_has_its_other_names_too(name: str, ours: str) -> None:
    assert ModelConfig.model_validate({"projector": name}).projector == ours


def test_an_unknown_projector_is_a_fault() -> None:
    with pytest.raises(ValidationError, match="mlp_downsample_3x3_fix"):
        ModelConfig.model_validate({"projector": "resampler"})


def test_the_default_projector_is_one_that_servers_know() -> None:
    assert ModelConfig().new_projector == "mlp"


def test_patches_have_to_fill_an_image() -> None:
    with pytest.raises(ValidationError, match="not a multiple of patch_size"):
        TinyConfig(image_size=20, patch_size=16)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"lora": {"llm": {}}}, "lora.llm: trainable says that llm learns as a whole"),
        ({"lora": {"projector": {}}, "trainable": ["llm"]}, "lora.projector: it is small and learns as a whole"),
        ({"lora": {"llm": {"targets": []}}, "trainable": []}, "targets"),
        ({"lora": {"llm": {"rank": 0}}, "trainable": []}, "lora.llm.rank"),
    ],
)
def test_a_module_learns_in_one_way(content: dict[str, object], fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelConfig.model_validate(content)
    assert fault in str(caught.value)


def test_no_module_has_adapters_by_default() -> None:
    assert ModelConfig().lora == {}
    found = ModelConfig.model_validate({"trainable": ["projector"], "lora": {"llm": {}}}).lora[Module.LLM]
    assert (found.rank, found.alpha, found.targets) == (64, None, "all-linear")
