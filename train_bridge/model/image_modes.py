"""The form of images, read off a Hugging Face image processor and written into one.

Resizing, cropping and padding to a square are said in the processor's own words, so that an exported folder does at
inference what was done in training. Tiles and S2, and the line break that NVILA puts behind images, are said in an
attribute of our own, ``vila_image``, which plain transformers keeps and does not follow.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, Protocol

from PIL import Image
from transformers import CLIPImageProcessor, LlavaImageProcessor

from curate.contract.errors import CurateError
from train_bridge.model.images import ImageForm
from train_bridge.model_config import ImageConfig
from train_bridge.tokens.tiling import Tiling

KNOWN_STEPS = {"do_resize", "do_rescale", "do_normalize", "do_center_crop", "do_convert_rgb", "do_pad"}
OWN = "vila_image"
"""Attribute of an image processor: ``tiling`` and ``newline``."""


class ImageProcessor(Protocol):
    """What is read of a Hugging Face image processor; also ``crop_size``, ``do_center_crop`` and ``do_pad``."""

    size: Iterable[tuple[str, int | None]]
    do_resize: bool
    do_rescale: bool
    do_normalize: bool
    rescale_factor: float
    resample: int
    image_mean: Sequence[float]
    image_std: Sequence[float]

    def to_dict(self) -> dict[str, Any]:
        """Return its settings."""


def image_form(processor: ImageProcessor) -> ImageForm:
    """Read the form off a Hugging Face image processor.

    Raises:
        CurateError: It does something that is not done here (another size rule, another scale, another step).
    """
    if not (processor.do_resize and processor.do_rescale and processor.do_normalize):
        raise CurateError("the image processor must resize, rescale and normalise")
    if abs(processor.rescale_factor * 255 - 1) > 1e-6:  # noqa: PLR2004 - any other factor is off by far more
        raise CurateError(f"the image processor scales by {processor.rescale_factor}; expected 1/255")
    if strange := _strange_steps(processor):
        raise CurateError(
            f"the image processor ({type(processor).__name__}) does {strange}, which is not done here; set image.mode "
            "to say how images are made"
        )
    size = {name: value for name, value in dict(processor.size).items() if value is not None}
    shorter_side = size.get("shortest_edge") if set(size) == {"shortest_edge"} else None
    if getattr(processor, "do_center_crop", False):
        target = dict(getattr(processor, "crop_size", None) or {})
    elif set(size) == {"height", "width"}:
        target = size
    else:
        raise CurateError(f"the image processor's size {size} without a centre crop gives no fixed size")
    own = own_settings(processor)
    return ImageForm(
        height=int(target["height"]),
        width=int(target["width"]),
        shorter_side=None if shorter_side is None else int(shorter_side),
        resample=int(processor.resample),
        mean=tuple(processor.image_mean),
        std=tuple(processor.image_std),
        pads=bool(getattr(processor, "do_pad", False)),
        tiling=Tiling(**_with_tuple(own["tiling"])) if own.get("tiling") else None,
    )


def own_settings(processor: ImageProcessor) -> Mapping[str, Any]:
    """Return what this project has written into an image processor."""
    found: Mapping[str, Any] = getattr(processor, OWN, None) or {}
    return found


def has_newline(processor: ImageProcessor) -> bool:
    """Say whether the embedding of a line break stands behind each image, as NVILA has it."""
    return bool(own_settings(processor).get("newline"))


def with_mode(
    processor: ImageProcessor, config: ImageConfig, *, size_px: int, newline: bool | None = None
) -> ImageProcessor:
    """Return an image processor for a mode, of the colours and the filter of another.

    Args:
        processor: Of the vision tower.
        config: Of the stage; without a mode the processor stays as it is.
        size_px: Side that the vision tower takes.
        newline: See ``has_newline``; None leaves it.

    Raises:
        CurateError: Scales of ``s2`` that are no multiples of ``size_px``.
    """
    own = dict(own_settings(processor))
    if newline is not None:
        own["newline"] = newline
    if config.mode is not None:
        processor = _plain(processor, config, size_px=size_px)
        own["tiling"] = asdict(_tiling(config, size_px)) if config.mode in ("tiles", "s2") else None
    if any(own.values()):
        setattr(processor, OWN, own)
    return processor


def _plain(processor: ImageProcessor, config: ImageConfig, *, size_px: int) -> ImageProcessor:
    """Return a processor of one crop; tiles have that size already when they come to it."""
    square, shorter = {"height": size_px, "width": size_px}, {"shortest_edge": size_px}
    same = {
        "crop_size": square,
        "resample": Image.Resampling.BICUBIC if config.mode == "resize" else processor.resample,
        "image_mean": list(processor.image_mean),
        "image_std": list(processor.image_std),
    }
    if config.mode == "pad":
        made = LlavaImageProcessor(do_pad=True, do_center_crop=True, size=shorter, **same)
    elif config.mode == "crop":
        made = CLIPImageProcessor(do_center_crop=True, size=shorter, **same)
    else:
        made = CLIPImageProcessor(do_center_crop=False, size=square, **same)
    result: ImageProcessor = made
    return result


def _tiling(config: ImageConfig, size_px: int) -> Tiling:
    mode: Literal["tiles", "s2"] = "s2" if config.mode == "s2" else "tiles"
    scales = config.s2_scales or (size_px, 2 * size_px, 3 * size_px)
    if any(scale % size_px for scale in scales) or scales[0] != size_px:
        wanted = f"{size_px} px, which the vision tower takes, and multiples of it"
        raise CurateError(f"image.s2_scales: {', '.join(map(str, scales))}; expected {wanted}")
    return Tiling(
        mode=mode,
        size_px=size_px,
        min_tiles=config.min_tiles,
        max_tiles=config.max_tiles,
        scales=tuple(scale // size_px for scale in scales) if mode == "s2" else (),
    )


def _strange_steps(processor: ImageProcessor) -> str:
    """Name what a processor does beside what is done here."""
    settings = processor.to_dict()
    steps = {name for name, value in settings.items() if name.startswith("do_") and value} - KNOWN_STEPS
    if settings.get("do_pad") and not type(processor).__name__.startswith("LlavaImageProcessor"):
        steps.add("do_pad")
    steps |= {name for name in ("image_grid_pinpoints", "max_image_tiles", "max_pixels") if settings.get(name)}
    return ", ".join(sorted(steps))


def _with_tuple(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
