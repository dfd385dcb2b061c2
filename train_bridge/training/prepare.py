"""All that stands before the first step: processor, token counts, plan, checks that the numbers fit."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import AutoProcessor, LlavaProcessor

from curate.contract.errors import CurateError, RecipeError
from train_bridge.config import DataConfig, StageConfig
from train_bridge.data.corpus import Corpus
from train_bridge.data.dataset import DatasetSpec
from train_bridge.data.exclude import read_excluded
from train_bridge.data.index_summary import summarise_index
from train_bridge.data.lengths import count_lengths
from train_bridge.data.progress import progress_of
from train_bridge.data.samples import ReadSettings
from train_bridge.data.shard_files import check_shard_files
from train_bridge.data.spec import dataset_spec, plan_settings, text_form
from train_bridge.model.processor import build_processor
from train_bridge.packing.cursor import Cursor
from train_bridge.tokens.encoder import TextEncoder
from train_bridge.training.changed_plan import CONSUMED, PlanStart, change_plan, note_counted, read_start
from train_bridge.training.checkpoint import newest_progress
from train_bridge.training.data_use import DataUse, survey_use
from train_bridge.training.identity import find_changes
from train_bridge.training.kept_plan import find_plan
from train_bridge.training.ranks import Ranks, failing_together, share

PROCESSOR_FOLDER, CHECKPOINTS = "processor", "checkpoints"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """The same on every rank."""

    processor: LlavaProcessor
    spec: DatasetSpec
    corpus: Corpus
    num_steps: int
    start: PlanStart | None
    """Where the plan began, if it is not the first of the run."""
    use: DataUse
    """What of the data the steps learn from."""
    stop_ids: tuple[int, ...]
    """Tokens that end what the model says."""
    warnings: tuple[str, ...]
    """Of the chat template, where conversations are learned."""


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
        if ranks.local_rank == 0:
            for shards in config.data.shards:
                check_shard_files(shards, summarise_index(shards, cache_dir=config.cache_dir))
        if ranks.is_first:
            build_processor(config).save_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    encoder = TextEncoder(processor.tokenizer, form=text_form(config.data, processor), image_mark=processor.image_token)
    plan = plan_settings(config.data, config.pack, processor=processor, has_bos=encoder.bos_id is not None)
    paths = _count(config, encoder, ranks)
    if len({Path(path).name for path in paths}) < len(paths):
        raise RecipeError(("data.shards: two of them hold the same; data.max_repeats uses documents several times",))
    spec = replace(
        dataset_spec(config.data, plan=plan, length_paths=paths, processor=processor, processor_folder=str(folder)),
        num_epochs=None if optim.max_steps is not None else optim.epochs,
        packs_per_batch=optim.micro_batch,
        round_packs=optim.global_batch,
        read_ahead=config.run.read_ahead,
        cache_dir=config.cache_dir,
        reading=ReadSettings(
            cache=None if (cache := config.run.shard_cache) is None else cache.settings,
            patience_s=float(config.run.read_patience_s),
            excluded=read_excluded(config.data.exclude),
        ),
    )
    start, planned = None, None
    with failing_together(may_take_long=True):
        if ranks.is_first:
            start = _find_start(config, spec)
            note_counted(config.output, paths)
    if (start := share(start)) is not None:
        spec = replace(spec, consumed=f"{config.output}/{CONSUMED}/{start.consumed}")
    with failing_together(may_take_long=True):
        corpus = spec.open_corpus()
        if ranks.is_first:
            planned = _plan(corpus, spec, config, start)
    num_steps, use = share(planned) or (0, DataUse(groups=()))
    if num_steps == 0:
        raise CurateError(f"{', '.join(spec.folders)}: fewer packs than optim.global_batch {optim.global_batch}")
    learns_chat = config.data.labels == "assistant"
    return Prepared(
        processor=processor,
        spec=spec,
        corpus=corpus,
        num_steps=num_steps,
        start=start,
        use=use,
        stop_ids=find_stop_ids(encoder, config.data),
        warnings=tuple(encoder.prompt_warnings()) if learns_chat else (),
    )


def find_stop_ids(encoder: TextEncoder, data: DataConfig) -> tuple[int, ...]:
    """Return the tokens that end what a model of these data says."""
    ends = (encoder.answer_end_id, encoder.eos_id) if data.labels == "assistant" else (encoder.eos_id,)
    return tuple(dict.fromkeys(ends))


def _find_start(config: StageConfig, spec: DatasetSpec) -> PlanStart | None:
    """Say where the plan began, or begins now because the run goes on with another; None for the first of a run."""
    found = newest_progress(f"{config.output}/{CHECKPOINTS}")
    if found is None:
        return None
    progress, saved = found
    now = json.loads(json.dumps(_settings(config, spec)))
    changes = find_changes({**saved, "consumed": None, "num_steps": None}, {**now, "consumed": None, "num_steps": None})
    if changes.refused:
        return None  # which whoever reads the checkpoint says
    if changes.plan:
        cursor = Cursor.from_json(progress.cursor)
        return change_plan(saved, spec, step=progress.step, cursor=cursor, output=config.output)
    consumed = saved.get("consumed")
    return None if consumed is None else read_start(config.output, str(consumed))


def _plan(corpus: Corpus, spec: DatasetSpec, config: StageConfig, start: PlanStart | None) -> tuple[int, DataUse]:
    """Return the number of steps, and what they use: of ``epochs`` by planning them all, of ``max_steps`` at sight."""
    optim, plan = config.optim, spec.plan
    if optim.max_steps is None:
        cursor, before = (None, 0) if start is None else (start.cursor, start.step)
        summary = find_plan(corpus, spec, optim, cache_dir=config.cache_dir, start=cursor)
        return before + summary.num_steps, summary.use
    places = None if config.data.weights else optim.max_steps * optim.global_batch * plan.capacity.seq_length
    use = survey_use(corpus.survey(), tokens_per_image=plan.capacity.tokens_per_image, steps_tokens=places)
    return optim.max_steps, use


def run_identity(config: StageConfig, prepared: Prepared) -> dict[str, object]:
    """Return the settings that a checkpoint insists on: those that decide what is learned, in which order."""
    consumed = None if prepared.start is None else prepared.start.consumed
    return {**_settings(config, prepared.spec), "num_steps": prepared.num_steps, "consumed": consumed}


def _settings(config: StageConfig, spec: DatasetSpec) -> dict[str, object]:
    content = config.model_dump(mode="json", include={"model", "data", "pack", "optim", "init_from"})
    # Packs per forward pass are arithmetic, and the data are known by content: shards may have moved.
    del content["optim"]["micro_batch"], content["data"]["shards"]
    # What is left out is replaced where it stood: the plan is the same. A template is known by what it writes.
    del content["data"]["exclude"], content["data"]["chat"], content["data"]["max_unused"]
    # Of what follows, checkpoints older than the choice say nothing.
    if config.optim.optimiser == "adamw":
        del content["optim"]["optimiser"]
    if not config.model.lora:
        del content["model"]["lora"]
    if config.model.frozen_dtype == "fp32":
        del content["model"]["frozen_dtype"]
    counted = [Path(path).name for path in spec.length_paths]  # names hash the index and the tokenizer
    return {**content, "seed": config.run.seed, "counted": counted}


def _count(config: StageConfig, encoder: TextEncoder, ranks: Ranks) -> tuple[str, ...]:
    """Count once per machine; where machines share storage, they write the same bytes. Each finds its own."""

    def count() -> tuple[str, ...]:
        return tuple(
            count_lengths(folder, encoder=encoder, cache_dir=config.cache_dir, tell=progress_of(folder))
            for folder in config.data.shards
        )

    with failing_together(may_take_long=True):
        if ranks.local_rank == 0:
            count()
    with failing_together():
        return count()
