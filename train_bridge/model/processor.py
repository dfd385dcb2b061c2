"""The processor of a stage: tokenizer with an image token, image processor, and how many tokens an image is."""

import json
from pathlib import Path

from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, AutoTokenizer, LlavaProcessor

from curate.contract.errors import CurateError, RecipeError
from train_bridge.config import ChatConfig, StageConfig
from train_bridge.model.context import check_context
from train_bridge.model.downsample_llava import FACTOR
from train_bridge.model.images import image_form
from train_bridge.model.names import check_model_name
from train_bridge.model.tiny_model import build_tiny_processor, shard_texts
from train_bridge.model.towers import (
    check_feature_layer,
    check_image_size,
    choose_tokens,
    num_tokens_beside,
    side_of,
    vision_config,
)
from train_bridge.tokens.chat import PLAIN_TEMPLATE
from train_bridge.tokens.encoder import IMAGE_MARK


def build_processor(config: StageConfig) -> LlavaProcessor:
    """Return the processor of the stage's model, with the chat template of its data.

    Raises:
        CurateError: No such model; a vision tower or processor of an unknown kind, or one that the projector does not
            fit.
        RecipeError: There is no such file of a template, the vision tower has not the feature that is asked for, or a
            sample may be longer than the language model allows.
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
    if config.model.vision is None and config.model.vision_feature_select is not None:
        raise RecipeError(("model.vision_feature_select: only with model.vision; other models have their own",))
    if config.init_from is not None:
        processor = AutoProcessor.from_pretrained(config.init_from)
        if not isinstance(processor, LlavaProcessor):
            raise CurateError(f"{config.init_from}: its processor is {type(processor).__name__}, not LlavaProcessor")
        return processor
    if config.model.tiny is not None:
        texts = shard_texts(config.data.shards, num_samples=config.model.tiny.tokenizer_samples)
        processor = build_tiny_processor(config.model.tiny, texts=texts)
    else:
        processor = _combine(config)
    if config.model.projector == "downsample_mlp":
        _join_patches(processor)
    return processor


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


def _join_patches(processor: LlavaProcessor) -> None:
    """Let an image be a quarter of the tokens: the processor counts tokens as if patches were as much larger.

    Raises:
        CurateError: There is no size of patches that gives the projector's number of tokens.
    """
    form = image_form(processor.image_processor)
    side = -(-(form.height // processor.patch_size) // FACTOR)
    size = form.height // side
    if form.height != form.width or form.height // size != side:
        raise CurateError(
            f"downsample_mlp gives {side} x {side} tokens for images of {form.height} x {form.width} px, and no "
            "LlavaProcessor writes that many; take mlp, or a tower for another size"
        )
    processor.patch_size = size


def _combine(config: StageConfig) -> LlavaProcessor:
    model, vision, llm = config.model, str(config.model.vision), str(config.model.llm)
    # Said here already, because tokens are counted before the weights are read.
    check_context(AutoConfig.from_pretrained(llm).get_text_config(), seq_length=config.pack.seq_length)
    tower = vision_config(vision)
    strategy = choose_tokens(tower, model.vision_feature_select, joins_patches=model.projector not in ("linear", "mlp"))
    check_feature_layer(tower, model.vision_feature_layer)
    image_processor = AutoImageProcessor.from_pretrained(vision)
    check_image_size(tower, image_form(image_processor))
    tokenizer = AutoTokenizer.from_pretrained(llm)
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_MARK]}, replace_extra_special_tokens=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        patch_size=side_of(tower.patch_size),
        vision_feature_select_strategy=strategy,
        image_token=IMAGE_MARK,
        num_additional_image_tokens=num_tokens_beside(tower, strategy),
    )
