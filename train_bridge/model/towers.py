"""Vision towers by the type of their configuration: which of their tokens are images, and where their parts lie.

A tower that is not in ``TOWERS`` is refused by name, because nothing says then which tokens to drop and which layers
lie behind the feature. LLaVA takes a hidden state whole (``full``) or without its first token (``default``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from transformers import AutoConfig, PreTrainedConfig

from curate.contract.errors import CurateError, RecipeError
from train_bridge.model.images import ImageForm

Select = Literal["default", "full"]
Side = int | Sequence[int]
"""Pixels of a square: a number, or both sides."""


class TowerSettings(Protocol):
    """What is read of a vision tower's configuration; also ``num_register_tokens``, where it has them."""

    model_type: str
    image_size: Side
    patch_size: Side
    num_hidden_layers: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tower:
    """What is known of the towers of a type."""

    layers: str
    """Where the layers lie in the tower."""
    behind: tuple[str, ...]
    """Parts that follow the layers: no feature comes from them."""
    has_class_token: bool
    """Whether the first token stands for the whole image."""
    idle: tuple[str, ...] = ()
    """Parameters that only the tower's own training used."""
    interpolates: bool = False
    """Whether positions are interpolated for images of another size than the tower was made for."""


TOWERS = {
    "clip_vision_model": Tower(layers="encoder.layers", behind=("post_layernorm",), has_class_token=True),
    "siglip_vision_model": Tower(layers="encoder.layers", behind=("post_layernorm", "head"), has_class_token=False),
    "dinov2": Tower(
        layers="encoder.layer",
        behind=("layernorm",),
        has_class_token=True,
        idle=("embeddings.mask_token",),
        interpolates=True,
    ),
    "dinov2_with_registers": Tower(
        layers="encoder.layer",
        behind=("layernorm",),
        has_class_token=True,
        idle=("embeddings.mask_token",),
        interpolates=True,
    ),
    "internvl_vision": Tower(
        layers="encoder.layer",
        behind=("layernorm",),
        has_class_token=True,
        idle=("embeddings.mask_token",),
        interpolates=True,
    ),
}
"""By model type. SigLIP 2 of a fixed resolution is of SigLIP's type."""
REFUSED = {
    "siglip2_vision_model": "SigLIP 2 NaFlex takes patches of any aspect with their mask and grid, and LLaVA hands "
    "on neither; take a SigLIP 2 of a fixed resolution",
    "pixtral": "Pixtral gives images of each size another number of tokens, and a token ends each row of patches",
}
"""Types that are known not to fit, and what they would need."""


def tower_of(settings: TowerSettings) -> Tower:
    """Return what is known of a tower.

    Raises:
        CurateError: Nothing is.
    """
    found = TOWERS.get(settings.model_type)
    if found is None:
        reason = REFUSED.get(settings.model_type, f"known are {', '.join(TOWERS)}")
        raise CurateError(f"vision tower of type {settings.model_type}: {reason}")
    return found


def vision_config(name: str) -> PreTrainedConfig:
    """Return the configuration of a vision tower, also from a folder that holds its text tower beside it.

    Raises:
        CurateError: A tower of a type that is not known.
    """
    config = AutoConfig.from_pretrained(name)
    config = getattr(config, "vision_config", config)
    try:
        tower_of(config)
    except CurateError as error:
        raise CurateError(f"model.vision: {name}: {error}") from error
    return config


def side_of(size: Side) -> int:
    """Return the pixels per side of a square image or patch.

    Raises:
        CurateError: It is no square.
    """
    if isinstance(size, int):
        return size
    if len(set(size)) != 1:
        raise CurateError(f"a vision tower for {' x '.join(map(str, size))} px; only squares are known here")
    return size[0]


def num_registers(settings: TowerSettings) -> int:
    """Return how many tokens behind the class token are no patches either."""
    return int(getattr(settings, "num_register_tokens", 0))


def num_extra_tokens(settings: TowerSettings) -> int:
    """Return how many tokens of the tower are no patches: the class token and registers."""
    return tower_of(settings).has_class_token + num_registers(settings)


def choose_tokens(settings: TowerSettings, wanted: Select | None, *, joins_patches: bool) -> Select:
    """Return which of the tower's tokens are images.

    Args:
        settings: Of the tower.
        wanted: ``model.vision_feature_select``; None drops the class token where there is one.
        joins_patches: Whether the projector takes a grid of patches and nothing else.

    Raises:
        RecipeError: The first token would be dropped, and is a patch; or the projector would get what is none.
    """
    has_class_token = tower_of(settings).has_class_token
    if wanted == "default" and not has_class_token:
        fault = f"{settings.model_type} has no class token, and default would drop a patch; take full"
        raise RecipeError((f"model.vision_feature_select: {fault}",))
    if wanted == "full" and joins_patches and num_extra_tokens(settings):
        fault = f"{settings.model_type} has tokens that are no patches, and model.projector joins patches; take default"
        raise RecipeError((f"model.vision_feature_select: {fault}",))
    return wanted or ("default" if has_class_token else "full")


def num_tokens_beside(settings: TowerSettings, select: Select) -> int:
    """Return what a LLaVA processor is told to add to the patches of an image; for ``default`` it takes one off again.

    Registers are no tokens of an image, but where all are asked for.
    """
    return 1 if select == "default" else num_extra_tokens(settings)


def check_feature_layer(settings: TowerSettings, layer: int | Sequence[int]) -> None:
    """Check that a tower has a hidden state of this number.

    Raises:
        RecipeError: It has not.
        CurateError: There are several numbers, as in configurations of others.
    """
    if not isinstance(layer, int):
        raise CurateError(f"vision_feature_layer {list(layer)}: features of several layers cannot be trained here")
    num_layers = settings.num_hidden_layers
    if not -num_layers - 1 <= layer <= num_layers:
        fault = f"the tower has {num_layers} layers, so there are 0 to {num_layers} and -1 to {-num_layers - 1}"
        raise RecipeError((f"model.vision_feature_layer: {layer}: {fault}",))


def check_image_size(settings: TowerSettings, form: ImageForm) -> None:
    """Check that the image processor gives what the tower takes.

    Raises:
        CurateError: Images of another size, and the tower does not interpolate its positions.
    """
    side, patch = side_of(settings.image_size), side_of(settings.patch_size)
    if tower_of(settings).interpolates:
        if form.height % patch or form.width % patch:
            size = f"{form.height} x {form.width} px"
            raise CurateError(f"the image processor gives {size}, which are no whole patches of {patch} px")
    elif (form.height, form.width) != (side, side):
        raise CurateError(
            f"the image processor gives {form.height} x {form.width} px, the vision tower takes {side} x {side} "
            f"({settings.model_type})"
        )
