"""A model of the VILA family in a folder: its parts, what its configuration says of them, and their tensors when asked.

Names of settings are those of NVlabs/VILA's ``config.json``. What a configuration asks for and this trainer does not do
is refused here, by name, before any weight is read.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import AutoConfig

from curate.contract.errors import CurateError
from train_bridge.checkpoints.conversations import conversation_of
from train_bridge.checkpoints.layouts import CONFIG_NAME, FLAT_TYPES, SUBFOLDERS, Layout, read_json
from train_bridge.checkpoints.tensors import Tensors, read_tensors, tensor_names
from train_bridge.failures import one_line
from train_bridge.model_config import IMAGE_MODES

PatchOrder = Literal["rows", "columns"]
ROWS_SINCE = (4, 46)
"""transformers of the NVILA release, whose code reads joined squares row by row; VILA-1.5 (4.36) went by columns."""
PROJECTORS = (
    "linear",
    "mlp_downsample",
    "mlp_downsample_2x2_fix",
    "mlp_downsample_3x3_fix",
    "mlp_downsample_3x3_s2",
    "mlp_downsample_3x3_s2_new",
)
MLP = re.compile(r"mlp[1-9]x_gelu")
OWN = "vila_curate"
"""Key of a root configuration that was made here, which others pass over: what they have no word for."""
OUTSIDE_TEXT = ("model.mm_projector.", "model.vision_tower.", "model.image_newline")
"""Of the flat layout: what is not the language model's."""
SELECT: dict[str, Literal["default", "full"]] = {"patch": "default", "cls_patch": "full"}
MODES = {theirs: ours for ours, theirs in IMAGE_MODES.items() if theirs} | {None: None, "square": None}
"""Our names of ``image_aspect_ratio``; None leaves an image to the image processor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignModel:
    """A model as its folder has it."""

    layout: Layout
    folder: str
    root: Mapping[str, Any]
    """Its ``config.json``."""
    parts: Mapping[str, Mapping[str, Any]]
    """Configurations of its ``SUBFOLDERS``."""
    projector: str
    """Type, as NVlabs/VILA calls it."""
    patch_order: PatchOrder
    select: Literal["default", "full"]
    """``default`` drops the class token, ``full`` keeps all."""
    select_layer: int
    image_mode: str | None
    s2_scales: tuple[int, ...] | None
    chat_template: str | None
    """None: the tokenizer's own."""
    image_newline: bool
    """Whether the embedding of a line break stands behind each image, besides what the text says."""
    tokenizer: str
    """Folder."""
    tower: str
    """Folder or hub name with the vision tower's image processor; its weights too, if ``read_vision`` is None."""
    read_text: Callable[[], Tensors]
    """As the causal model alone has them."""
    read_projector: Callable[[], Tensors]
    """As ``vila_llava.projector_layers`` has them."""
    read_vision: Callable[[], Tensors] | None
    """As the tower alone has them."""

    @property
    def text_config(self) -> Mapping[str, Any]:
        """Of the language model."""
        return self.parts["llm"]


def read_foreign(
    folder: str, layout: Layout, *, patch_order: PatchOrder | None = None, tower: str | None = None
) -> ForeignModel:
    """Read what a folder's configuration says.

    Args:
        folder: Of the model.
        layout: Of ``find_layout``; not that of transformers.
        patch_order: ``model.patch_order``; by the version that wrote the folder where it is None.
        tower: ``model.vision``, in place of the one that the folder names.

    Raises:
        CurateError: It asks for something that is not done here, or does not say what has to be known.
    """
    root = read_json(Path(folder, CONFIG_NAME))
    try:
        return _read(folder, layout, root, patch_order=patch_order, tower=tower)
    except (KeyError, TypeError, ValueError) as error:
        raise CurateError(f"{folder}: its {CONFIG_NAME} cannot be used ({one_line(error)})") from error


def _read(
    folder: str, layout: Layout, root: Mapping[str, Any], *, patch_order: PatchOrder | None, tower: str | None
) -> ForeignModel:
    parts = _parts(folder, layout, root)
    if unknown := _refused(root) or next(filter(None, map(_quantised, parts.values())), None):
        raise CurateError(f"{folder}: {unknown}")
    projector = str(parts["mm_projector"].get("mm_projector_type") or root.get("mm_projector_type") or "linear")
    if projector not in PROJECTORS and not MLP.fullmatch(projector):
        raise CurateError(
            f"{folder}: projector {projector} is not known; known are mlpNx_gelu, {', '.join(PROJECTORS)}"
        )
    select = root.get("mm_vision_select_feature", "cls_patch" if layout is not Layout.VILA_V1 else "patch")
    mode = root.get("image_aspect_ratio")
    for named, value, choices in (
        ("image_aspect_ratio", mode, list(MODES)),
        ("mm_vision_select_feature", select, list(SELECT)),
    ):
        if value not in choices:
            raise CurateError(f"{folder}: {named} {value} is not known; known are {', '.join(map(str, choices))}")
    is_vila = layout in (Layout.VILA, Layout.NVILA)
    is_newer = is_vila and (
        layout is Layout.NVILA or version_of(root) >= ROWS_SINCE or root.get("model_type") == "vila"
    )
    own: Mapping[str, Any] = root.get(OWN, {})
    return ForeignModel(
        layout=layout,
        folder=folder,
        root=root,
        parts=parts,
        projector=projector,
        patch_order=patch_order or _patch_order(folder, root, projector, is_newer=is_newer),
        select=SELECT[select],
        select_layer=int(root.get("mm_vision_select_layer", -2)),
        image_mode="s2" if layout is Layout.NVILA and projector == "mlp_downsample" else MODES[mode],
        s2_scales=_scales(root, layout, projector),
        chat_template=None if is_newer or own else conversation_of(parts["llm"]),
        image_newline=bool(own.get("newline", is_newer)),
        tokenizer=str(Path(folder, "llm")) if layout is Layout.VILA else folder,
        **_sources(folder, layout, root, tower=tower),
    )


def version_of(root: Mapping[str, Any]) -> tuple[int, ...]:
    """Return major and minor version of the transformers that wrote a configuration; nothing where it is not said."""
    return tuple(int(part) for part in re.findall(r"\d+", str(root.get("transformers_version", "")))[:2])


def _patch_order(folder: str, root: Mapping[str, Any], projector: str, *, is_newer: bool) -> PatchOrder:
    if projector != "mlp_downsample" or is_newer:
        return "rows"
    if not version_of(root):
        raise CurateError(
            f"{folder}: {CONFIG_NAME} names no transformers_version, so it is not known whether its projector reads "
            "joined squares by columns (VILA-1.5) or by rows (NVILA); say so with model.patch_order"
        )
    return "columns"


def _refused(root: Mapping[str, Any]) -> str | None:
    if root.get("s2"):
        return "s2 of VILA-1.5 (every image at fixed scales) is not done here; dynamic_s2 is"
    if root.get("ps3") or "ps3" in str(root.get("vision_tower_cfg", "")).lower():
        return "the PS3 tower of VILA-HD is not known here"
    if root.get("mm_use_im_start_end"):
        return "mm_use_im_start_end puts tokens around images, which is not done here"
    return "its weights are quantised; take the folder with whole ones" if root.get("fp8_llm_cfg") else _quantised(root)


def _quantised(config: Mapping[str, Any]) -> str | None:
    is_so = bool(config.get("quantization_config"))
    return "its weights are quantised; take the folder with whole ones" if is_so else None


def _parts(folder: str, layout: Layout, root: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    if layout is Layout.VILA:
        return {name: read_json(Path(folder, name, CONFIG_NAME)) for name in SUBFOLDERS}
    if layout is Layout.NVILA:
        kind = "mlp_downsample_3x3_fix" if root["model_type"] == "nvila_lite" else "mlp_downsample"
        vision = {"model_type": "siglip_vision_model", **root["vision_config"]}
        text = {"model_type": "qwen2", **root["text_config"]}
        return {"llm": text, "vision_tower": vision, "mm_projector": {"mm_projector_type": kind}}
    kind = FLAT_TYPES[str(root["model_type"])]
    known = AutoConfig.for_model(kind).to_dict().keys() | {"rope_theta", "rope_scaling", "torch_dtype", "head_dim"}
    text = {n: value for n, value in root.items() if n in known and n != "architectures"} | {"model_type": kind}
    projector = {"mm_projector_type": root.get("mm_projector_type")}
    return {"llm": text, "vision_tower": root.get("vision_config", {}), "mm_projector": projector}


def _scales(root: Mapping[str, Any], layout: Layout, projector: str) -> tuple[int, ...] | None:
    if layout is Layout.NVILA and projector == "mlp_downsample":
        size = int(root["vision_config"]["image_size"])
        return size, 2 * size, 3 * size  # SGLang's code knows no others
    if not root.get("dynamic_s2"):
        return None
    scales = root["s2_scales"]
    numbers = map(int, scales.split(",") if isinstance(scales, str) else scales)
    return tuple(sorted(numbers))


def _sources(folder: str, layout: Layout, root: Mapping[str, Any], *, tower: str | None) -> dict[str, Any]:
    if layout is Layout.VILA:
        own = str(Path(folder, "vision_tower"))
        return {
            "tower": tower or own,
            "read_text": lambda: read_tensors(str(Path(folder, "llm"))),
            "read_projector": lambda: read_tensors(str(Path(folder, "mm_projector")), prefix="layers."),
            "read_vision": None if tower else lambda: read_tensors(own),
        }
    if layout is Layout.NVILA:
        return {
            "tower": tower or folder,
            "read_text": lambda: read_tensors(folder, prefix="llm."),
            "read_projector": lambda: read_tensors(folder, prefix="mm_projector.layers."),
            "read_vision": None if tower else lambda: read_tensors(folder, prefix="vision_tower."),
        }
    inside = "model.vision_tower.vision_tower."
    trained = tower is None and any(name.startswith(inside) for name in tensor_names(folder))
    return {
        "tower": tower or (folder if trained and "vision_config" in root else str(root["mm_vision_tower"])),
        "read_text": lambda: read_tensors(folder, without=OUTSIDE_TEXT),
        "read_projector": lambda: read_tensors(folder, prefix="model.mm_projector."),
        "read_vision": (lambda: read_tensors(folder, prefix=inside)) if trained else None,
    }
