import pytest
from transformers import (
    CLIPVisionConfig,
    Dinov2WithRegistersConfig,
    PretrainedConfig,
    Siglip2VisionConfig,
    SiglipVisionConfig,
    ViTConfig,
)
from transformers.models.internvl.configuration_internvl import InternVLVisionConfig

from curate.contract.errors import CurateError, RecipeError
from train_bridge.model.images import ImageForm
from train_bridge.model.towers import (
    Select,
    check_feature_layer,
    check_image_size,
    choose_tokens,
    num_extra_tokens,
    num_tokens_beside,
    side_of,
    tower_of,
    vision_config,
)

CLIP, SIGLIP, DINO = CLIPVisionConfig(), SiglipVisionConfig(), Dinov2WithRegistersConfig()


def form(height: int, width: int) -> ImageForm:
    return ImageForm(height=height, width=width, shorter_side=None, resample=3, mean=(0.5,), std=(0.5,))


def test_a_tower_of_another_kind_is_refused(parts: dict[str, str]) -> None:
    with pytest.raises(
        CurateError, match=r"model\.vision: .*vision tower of type llama: known are clip_vision_model, "
    ):
        vision_config(parts["llm"])


@pytest.mark.parametrize(
    ("config", "reason"),
    [(Siglip2VisionConfig(), "NaFlex takes patches of any aspect"), (ViTConfig(), "type vit: known are")],
)
def test_what_a_refused_tower_lacks_is_said(config: PretrainedConfig, reason: str) -> None:
    with pytest.raises(CurateError, match=reason):
        tower_of(config)


@pytest.mark.parametrize(
    ("config", "wanted", "chosen", "beside"),
    [
        (CLIP, None, "default", 1),
        (CLIP, "full", "full", 1),
        (SIGLIP, None, "full", 0),
        (DINO, None, "default", 1),
        (DINO, "full", "full", 5),
    ],
)
def test_tokens_of_images_are_chosen_by_the_tower(
    config: PretrainedConfig, wanted: Select | None, chosen: Select, beside: int
) -> None:
    assert choose_tokens(config, wanted, joins_patches=False) == chosen
    assert num_tokens_beside(config, chosen) == beside


def test_a_patch_is_not_dropped() -> None:
    with pytest.raises(RecipeError, match=r"model\.vision_feature_select: siglip_vision_model has no class token"):
        choose_tokens(SIGLIP, "default", joins_patches=False)


def test_a_projector_that_joins_patches_gets_nothing_else() -> None:
    assert choose_tokens(SIGLIP, "full", joins_patches=True) == "full"
    with pytest.raises(RecipeError, match="clip_vision_model has tokens that are no patches"):
        choose_tokens(CLIP, "full", joins_patches=True)


def test_registers_and_the_class_token_are_no_patches() -> None:
    assert [num_extra_tokens(config) for config in (CLIP, SIGLIP, DINO, InternVLVisionConfig())] == [1, 0, 5, 1]


@pytest.mark.parametrize("layer", [-13, -1, 0, 12])
def test_a_hidden_state_that_is_there_may_be_used(layer: int) -> None:
    check_feature_layer(CLIP, layer)


@pytest.mark.parametrize("layer", [-14, 13])
def test_one_that_is_not_is_a_mistake(layer: int) -> None:
    with pytest.raises(RecipeError, match=f"vision_feature_layer: {layer}: the tower has 12 layers"):
        check_feature_layer(CLIP, layer)


def test_features_of_several_layers_are_refused() -> None:
    with pytest.raises(CurateError, match=r"\[-2, 4\]: features of several layers"):
        check_feature_layer(CLIP, [-2, 4])


def test_images_of_another_size_are_refused_with_both() -> None:
    check_image_size(CLIP, form(224, 224))
    with pytest.raises(CurateError, match="gives 336 x 336 px, the vision tower takes 224 x 224"):
        check_image_size(CLIP, form(336, 336))


def test_a_tower_that_interpolates_takes_whole_patches_of_any_number() -> None:
    check_image_size(DINO, form(160, 320))
    with pytest.raises(CurateError, match="gives 225 x 224 px, which are no whole patches of 16 px"):
        check_image_size(DINO, form(225, 224))


def test_sides_are_those_of_squares() -> None:
    assert side_of(14) == side_of((14, 14)) == 14
    with pytest.raises(CurateError, match="14 x 16 px; only squares"):
        side_of((14, 16))
