"""The data and packing sections of a stage as the loader takes them."""

from transformers import LlavaProcessor

from curate.contract.errors import RecipeError
from train_bridge.config import DataConfig, PackConfig
from train_bridge.data.dataset import DatasetSpec
from train_bridge.model.image_modes import has_newline, image_form
from train_bridge.model.processor import tokens_per_image
from train_bridge.packing.plan import PlanSettings
from train_bridge.packing.split import Capacity
from train_bridge.tokens.encoder import TextForm


def text_form(data: DataConfig, processor: LlavaProcessor) -> TextForm:
    """Return how documents are written for a model."""
    return TextForm(
        tiling=image_form(processor.image_processor).tiling,
        image_newline=has_newline(processor.image_processor),
        placement=data.placement,
        max_images=data.max_images,
        text_separator=data.text_separator,
        labels=data.labels,
        folds_system=data.chat.system == "fold",
    )


def plan_settings(data: DataConfig, pack: PackConfig, *, processor: LlavaProcessor, has_bos: bool) -> PlanSettings:
    """Return the settings of the plan.

    Args:
        data: Order and blend.
        pack: Length and filling of sequences.
        processor: Of the model.
        has_bos: Whether samples start with a begin token.

    Raises:
        RecipeError: A sequence does not hold an image and two tokens of text.
    """
    num_image_tokens = tokens_per_image(processor)
    tiling = image_form(processor.image_processor).tiling
    is_joined = tiling is not None and tiling.mode == "s2"
    largest = num_image_tokens * (tiling.max_tiles if tiling is not None and is_joined else 1)
    if pack.seq_length < largest + 2 + int(has_bos):
        limit = "" if largest == num_image_tokens else "up to "
        raise RecipeError((f"pack.seq_length: {pack.seq_length} is too short, an image is {limit}{largest}",))
    return PlanSettings(
        capacity=Capacity(
            seq_length=pack.seq_length, tokens_per_image=num_image_tokens, has_bos=has_bos, keeps_runs=is_joined
        ),
        order=data.order,
        block_shards=data.block_shards,
        seed=data.seed,
        unit=data.weight_unit,
        long_documents=data.cut,
        window=pack.window,
        age_limit=pack.age_limit,
        max_carry=pack.max_carry,
        max_images=pack.max_images,
    )


def dataset_spec(
    data: DataConfig,
    *,
    plan: PlanSettings,
    length_paths: tuple[str, ...],
    processor: LlavaProcessor,
    processor_folder: str,
) -> DatasetSpec:
    """Return what the loader takes, of one endless pass in batches of one pack; change that with ``replace``.

    Args:
        data: Which shards, and what of them.
        plan: Of ``plan_settings``.
        length_paths: Of ``count_lengths``, one per shard set.
        processor: Of the model.
        processor_folder: Where it is saved.
    """
    return DatasetSpec(
        folders=data.shards,
        length_paths=length_paths,
        processor_folder=processor_folder,
        image_form=image_form(processor.image_processor),
        image_mark=processor.image_token,
        text_form=text_form(data, processor),
        plan=plan,
        kinds=data.kinds and frozenset(map(str, data.kinds)),
        sources=data.sources,
        weights=data.weights,
        max_repeats=data.max_repeats,
        validation_share=data.validation_share,
    )
