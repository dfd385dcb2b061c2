"""The processor of a stage: tokenizer with an image token, image processor, and how many tokens an image is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)

from curate.contract.errors import CurateError, RecipeError
from train_bridge.checkpoints.foreign import ForeignModel
from train_bridge.config import ChatConfig, StageConfig
from train_bridge.model.context import check_context
from train_bridge.model.image_modes import image_form, with_mode
from train_bridge.model.imported import foreign_model, image_settings, imported_parts, text_settings, tower_config
from train_bridge.model.names import check_model_name
from train_bridge.model.tiny_model import build_tiny_processor, shard_texts
from train_bridge.model.towers import (
    TOWERS,
    Side,
    check_feature_layer,
    check_image_size,
    choose_tokens,
    num_tokens_beside,
    side_of,
    vision_config,
)
from train_bridge.model.vila_llava import CHAINS
from train_bridge.model_config import ImageConfig
from train_bridge.tokens.chat import PLAIN_TEMPLATE
from train_bridge.tokens.encoder import IMAGE_MARK


def build_processor(config: StageConfig) -> LlavaProcessor:
    """Return the processor of the stage's model, with the chat template of its data.

    Raises:
        CurateError: No such model; a vision tower or processor of an unknown kind, or one that the projector does not
            fit.
        RecipeError: There is no such file of a template.
    """
    processor = _build(config)
    template = _chat_template(config.data.chat, processor.tokenizer.chat_template or PLAIN_TEMPLATE)
    processor.tokenizer.chat_template = processor.chat_template = template
    return processor


def _build(config: StageConfig) -> LlavaProcessor:
    origins = {"init_from": config.init_from, "model.vision": config.model.vision, "model.llm": config.model.llm}
    for where, name in origins.items():
        if name is not None:
            check_model_name(name, where=where)
    if config.model.vision_feature_select is not None and (config.model.vision is None or config.init_from):
        raise RecipeError(("model.vision_feature_select: only with model.vision; other models have their own",))
    if (foreign := foreign_model(config)) is not None:
        return _of_foreign(foreign, config)
    if config.init_from is not None:
        processor = _stored_processor(config.init_from)
        settings = PreTrainedConfig.get_config_dict(config.init_from)[0]
        _complete(processor, settings)
        _set_images(processor, config.image, size_px=settings.get("vision_config", {}).get("image_size"))
        return processor
    if config.model.tiny is not None:
        texts = shard_texts(config.data.shards, num_samples=config.model.tiny.tokenizer_samples)
        processor = build_tiny_processor(config.model.tiny, texts=texts)
        _set_images(processor, config.image, size_px=config.model.tiny.image_size)
    else:
        processor = _combine(config)
    if (projector := config.model.new_projector) in CHAINS:
        join_patches(processor, projector=projector)
    return processor


def _stored_processor(folder: str) -> LlavaProcessor:
    """Return the processor of a folder; the first ones of LLaVA have its parts and do not say what they make together.

    Raises:
        CurateError: It is another's.
    """
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)  # else it asks, and waits for an answer
    if isinstance(processor, PreTrainedTokenizerBase):
        return LlavaProcessor(AutoImageProcessor.from_pretrained(folder), _with_image_token(processor))
    if not isinstance(processor, LlavaProcessor):
        raise CurateError(f"{folder}: its processor is {type(processor).__name__}, not LlavaProcessor")
    return processor


def _complete(processor: LlavaProcessor, settings: Mapping[str, Any]) -> None:
    """Let the processor of an older folder know what newer ones say: how many tokens an image is."""
    vision = settings.get("vision_config", {})
    if processor.patch_size is None:
        processor.patch_size = vision.get("patch_size")
    if processor.vision_feature_select_strategy is None:
        processor.vision_feature_select_strategy = settings.get("vision_feature_select_strategy", "default")
    if vision.get("model_type") in TOWERS:
        tower = AutoConfig.for_model(**vision)
        processor.num_additional_image_tokens = num_tokens_beside(tower, processor.vision_feature_select_strategy)


def _of_foreign(foreign: ForeignModel, config: StageConfig) -> LlavaProcessor:
    """Return the processor of a folder of the VILA family."""
    check_model_name(foreign.tower, where="the folder's mm_vision_tower (model.vision names another)")
    check_context(text_settings(foreign), seq_length=config.pack.seq_length)
    tokenizer, image_processor = imported_parts(foreign)
    tower = tower_config(foreign)
    choose_tokens(tower, foreign.select, joins_patches=foreign.projector in CHAINS)
    processor = LlavaProcessor(
        image_processor=image_processor,
        tokenizer=_with_image_token(tokenizer),
        patch_size=tower.patch_size,
        vision_feature_select_strategy=foreign.select,
        image_token=IMAGE_MARK,
        num_additional_image_tokens=num_tokens_beside(tower, foreign.select),
    )
    images = image_settings(foreign, config.image)
    _set_images(processor, images, size_px=tower.image_size, newline=foreign.image_newline)
    check_image_size(tower, image_form(processor.image_processor))
    if foreign.projector in CHAINS:
        join_patches(processor, projector=foreign.projector)
    if foreign.chat_template is not None:
        processor.tokenizer.chat_template = foreign.chat_template
    return processor


def _set_images(
    processor: LlavaProcessor, images: ImageConfig, *, size_px: Side | None, newline: bool | None = None
) -> None:
    side = image_form(processor.image_processor).height if size_px is None else side_of(size_px)
    processor.image_processor = with_mode(processor.image_processor, images, size_px=side, newline=newline)


def _chat_template(chat: ChatConfig, own: str) -> str:
    """Return the template that conversations are written with, the settings' variables as its defaults."""
    if chat.template is not None:
        try:
            own = Path(chat.template).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError((f"data.chat.template: {chat.template} cannot be read ({error})",)) from error
    defaults = [
        f"{{%- if {name} is not defined %}}{{%- set {name} = {_literal(value)} %}}{{%- endif -%}}"
        for name, value in sorted(chat.variables.items())
    ]
    return "".join([*defaults, own])


def _literal(value: bool | float | str | None) -> str:  # noqa: FBT001 - a value, not a switch
    """Return a value as Jinja writes it."""
    return "none" if value is None else json.dumps(value)


def tokens_per_image(processor: LlavaProcessor) -> int:
    """Return how many placeholders the processor writes for an image."""
    form = image_form(processor.image_processor)
    patches = (form.height // processor.patch_size) * (form.width // processor.patch_size)
    dropped = 1 if processor.vision_feature_select_strategy == "default" else 0
    return int(patches + processor.num_additional_image_tokens - dropped)


def s2_scales(processor: LlavaProcessor) -> list[int] | None:
    """Return the scales (px) that are joined of an image; None where it is seen at one."""
    tiling = image_form(processor.image_processor).tiling
    return [tiling.size_px * scale for scale in tiling.scales] if tiling is not None and tiling.mode == "s2" else None


def join_patches(processor: LlavaProcessor, *, projector: str) -> None:
    """Let an image be fewer tokens: the processor counts them as if patches were as much larger.

    Args:
        processor: Changed.
        projector: One of ``vila_llava.CHAINS``.

    Raises:
        CurateError: There is no size of patches that gives the projector's number of tokens.
    """
    form = image_form(processor.image_processor)
    side = -(-(form.height // processor.patch_size) // CHAINS[projector][0])
    size = form.height // side
    if form.height != form.width or form.height // size != side:
        raise CurateError(
            f"{projector} gives {side} x {side} tokens for images of {form.height} x {form.width} px, and no "
            "LlavaProcessor writes that many; take mlp, or a tower for another size"
        )
    processor.patch_size = size


def _combine(config: StageConfig) -> LlavaProcessor:
    model, vision, llm = config.model, str(config.model.vision), str(config.model.llm)
    # Said here already, because tokens are counted before the weights are read.
    check_context(AutoConfig.from_pretrained(llm).get_text_config(), seq_length=config.pack.seq_length)
    tower = vision_config(vision)
    strategy = choose_tokens(tower, model.vision_feature_select, joins_patches=model.new_projector in CHAINS)
    check_feature_layer(tower, model.vision_feature_layer)
    processor = LlavaProcessor(
        image_processor=AutoImageProcessor.from_pretrained(vision),
        tokenizer=_with_image_token(AutoTokenizer.from_pretrained(llm)),
        patch_size=side_of(tower.patch_size),
        vision_feature_select_strategy=strategy,
        image_token=IMAGE_MARK,
        num_additional_image_tokens=num_tokens_beside(tower, strategy),
    )
    _set_images(processor, config.image, size_px=tower.image_size)
    check_image_size(tower, image_form(processor.image_processor))
    return processor


def _with_image_token(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Let a tokenizer know images, and padding."""
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_MARK]}, replace_extra_special_tokens=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    return tokenizer
