"""All that stands before the first step: processor, token counts, plan, checks that the numbers fit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoProcessor, LlavaProcessor

from curate.contract.errors import CurateError, RecipeError
from train_bridge.config import StageConfig
from train_bridge.corpus import Corpus
from train_bridge.dataset import DatasetSpec
from train_bridge.lengths import count_lengths
from train_bridge.plan import PlanSettings
from train_bridge.plan_summary import count_steps
from train_bridge.processor import build_processor, tokens_per_image
from train_bridge.ranks import Ranks, failing_together, share
from train_bridge.split import Capacity
from train_bridge.tokens import TextEncoder, TextForm

PROCESSOR_FOLDER = "processor"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """The same on every rank."""

    processor: LlavaProcessor
    spec: DatasetSpec
    corpus: Corpus
    num_steps: int


def prepare(config: StageConfig, *, ranks: Ranks) -> Prepared:
    """Build what the stage needs; what there is one of is built by the first rank (of a machine).

    Raises:
        RecipeError: The batch does not divide by the ranks, or the sequence is too short for an image.
        CurateError: The shards, the tokenizer or the weights cannot be used.
    """
    optim = config.optim
    if optim.global_batch % (ranks.world_size * optim.micro_batch):
        share_size = f"{ranks.world_size} ranks of {optim.micro_batch} packs each"
        raise RecipeError((f"optim.global_batch: {optim.global_batch} packs do not divide by {share_size}",))
    folder = Path(config.output) / PROCESSOR_FOLDER
    with failing_together():
        if ranks.is_first:
            build_processor(config).save_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    form = _text_form(config)
    encoder = TextEncoder(processor.tokenizer, form=form, image_mark=processor.image_token)
    paths = _count(config, encoder, ranks)
    spec = DatasetSpec(
        folders=config.data.shards,
        length_paths=paths,
        processor_folder=str(folder),
        text_form=form,
        plan=plan_settings(config, processor, has_bos=encoder.bos_id is not None),
        kinds=config.data.kinds and frozenset(map(str, config.data.kinds)),
        sources=config.data.sources,
        weights=config.data.weights,
        validation_share=config.data.validation_share,
        num_epochs=None if optim.max_steps is not None else optim.epochs,
        packs_per_batch=optim.micro_batch,
        round_packs=optim.global_batch,
        read_ahead=config.run.read_ahead,
        always_image=ranks.world_size > 1,
    )
    corpus = spec.open_corpus()
    num_steps = share(count_steps(corpus, spec.plan, optim) if ranks.is_first else None)
    if num_steps == 0:
        raise CurateError(f"{', '.join(spec.folders)}: fewer packs than optim.global_batch {optim.global_batch}")
    return Prepared(processor=processor, spec=spec, corpus=corpus, num_steps=num_steps)


def plan_settings(config: StageConfig, processor: Any, *, has_bos: bool) -> PlanSettings:
    """Return the settings of the plan.

    Raises:
        RecipeError: A sequence does not hold an image and two tokens of text.
    """
    num_image_tokens = tokens_per_image(processor)
    if config.pack.seq_length < num_image_tokens + 2 + int(has_bos):
        raise RecipeError((f"pack.seq_length: {config.pack.seq_length} is too short, an image is {num_image_tokens}",))
    return PlanSettings(
        capacity=Capacity(seq_length=config.pack.seq_length, tokens_per_image=num_image_tokens, has_bos=has_bos),
        order=config.data.order,
        seed=config.data.seed,
        unit=config.data.weight_unit,
        long_documents=config.data.long_documents,
        window=config.pack.window,
        age_limit=config.pack.age_limit,
        max_carry=config.pack.max_carry,
        max_images=config.pack.max_images,
    )


def run_identity(config: StageConfig, prepared: Prepared) -> dict[str, Any]:
    """Return the settings that a checkpoint insists on: those that decide what is learned, in which order."""
    content = config.model_dump(mode="json", include={"model", "data", "pack", "optim", "init_from"})
    # Packs per forward pass are arithmetic, and the data are known by content: shards may have moved.
    del content["optim"]["micro_batch"], content["data"]["shards"]
    counted = [Path(path).name for path in prepared.spec.length_paths]  # names hash the index and the tokenizer
    return {**content, "seed": config.run.seed, "counted": counted, "num_steps": prepared.num_steps}


def _text_form(config: StageConfig) -> TextForm:
    data = config.data
    return TextForm(
        placement=data.placement,
        max_images=data.max_images,
        text_separator=data.text_separator,
        labels=data.labels,
    )


def _count(config: StageConfig, encoder: TextEncoder, ranks: Ranks) -> tuple[str, ...]:
    """Count once per machine; where machines share storage, they write the same bytes."""
    paths: list[str] | None = None
    with failing_together():
        if ranks.local_rank == 0:
            paths = [
                count_lengths(folder, encoder=encoder, cache_dir=config.cache_dir) for folder in config.data.shards
            ]
    return tuple(share(paths))
