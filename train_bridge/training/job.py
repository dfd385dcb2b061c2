"""What a running stage works with, and how that is built before its first step."""

import sys
from dataclasses import dataclass

import torch
from transformers import LlavaForConditionalGeneration

from curate.contract.errors import RecipeError
from train_bridge.config import StageConfig
from train_bridge.model.attention import set_attention
from train_bridge.model.classes import BASE_DTYPE
from train_bridge.model.context import check_context
from train_bridge.model.frozen import check_frozen_dtype, describe_held, hold_frozen
from train_bridge.model.image_modes import image_form
from train_bridge.model.images import ImageForm
from train_bridge.model.imported import describe_foreign, foreign_model
from train_bridge.model.llava import build_model, set_stop, set_trainable
from train_bridge.model.lora import add_adapters, check_lora
from train_bridge.model.mask import Attention, resolve_attention
from train_bridge.model.parts import settings_of
from train_bridge.model.processor import tokens_per_image
from train_bridge.training.data_use import check_used
from train_bridge.training.export import check_export
from train_bridge.training.few_shot import FewShotTask, read_tasks
from train_bridge.training.flops import ModelCost, cost_of, peak_flops
from train_bridge.training.optimiser import build_optimiser, check_optimiser
from train_bridge.training.prepare import Prepared, prepare
from train_bridge.training.ranks import Ranks, compute_dtype, failing_together
from train_bridge.training.recompute import in_host_memory, recompute_activations, recomputed_modules
from train_bridge.training.shared_output import check_shared_output
from train_bridge.training.spread import layers_of, mesh_shape, share_model, spread_model
from train_bridge.training.validation import held_out_spec
from train_bridge.training.watchdog import Watchdog


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a running stage works with."""

    config: StageConfig
    prepared: Prepared
    ranks: Ranks
    model: LlavaForConditionalGeneration
    optimiser: torch.optim.Optimizer
    form: ImageForm
    dtype: torch.dtype
    attention: Attention
    cost: ModelCost
    tasks: tuple[FewShotTask, ...]
    """Asked while the stage trains."""
    watchdog: Watchdog
    """Closed."""
    peak: float | None
    """FLOPs per second of the device; None where there is no figure."""


def start_job(config: StageConfig, ranks: Ranks) -> Job:
    """Build all that a stage works with; say what it learns from.

    Raises:
        CurateError: Something about data, weights or settings cannot be used.
    """
    shape = mesh_shape(config.parallel, world_size=ranks.world_size)
    dtype = compute_dtype(config.run.precision, device=ranks.device)
    check_optimiser(config.optim)
    check_lora(config.model)
    check_frozen_dtype(config.model, dtype=dtype)
    check_shared_output(config.output, ranks=ranks)
    prepared = prepare(config, ranks=ranks)
    with failing_together(may_take_long=True):
        tasks = read_tasks(config.run.tasks)
    if config.run.eval_every is not None and config.data.validation_share:
        held_out_spec(prepared.spec, world_size=ranks.world_size).open_corpus()  # says now if there is nothing
    say(ranks, "\n".join(["data", *prepared.use.lines()]))
    for warning in prepared.warnings:
        say(ranks, f"warning: {warning}")
    check_used(prepared.use, max_unused=config.data.max_unused)
    if num_excluded := len(prepared.spec.reading.excluded):
        say(ranks, f"data.exclude leaves out {num_excluded:,} documents")
    if ranks.is_first and (foreign := foreign_model(config)) is not None:
        say(ranks, describe_foreign(foreign))
    attention = resolve_attention(config.run.attention, device=ranks.device)
    if attention == "flex" and ranks.device.type == "cpu":
        raise RecipeError(("run.attention: flex attention has no backward pass on the CPU; take segments",))
    with failing_together(may_take_long=True):
        source = build_model(config, processor=prepared.processor) if ranks.is_first else None
        if source is not None:
            check_export(config.run, source, prepared.processor)
            check_context(settings_of(source).text_config, seq_length=config.pack.seq_length)
    model = share_model(source, ranks=ranks)
    _set_up(model, config, prepared, attention=attention)
    if source is not None and source is not model:
        add_adapters(source, config.model, seed=config.run.seed)
    for line in describe_held(hold_frozen(model, config.model), base=getattr(model.config, BASE_DTYPE)):
        say(ranks, line)
    cost = cost_of(model, tokens_per_image=tokens_per_image(prepared.processor))
    spread_model(model, source, ranks=ranks, dtype=dtype, shape=shape)
    del source
    num_learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    num_all = sum(parameter.numel() for parameter in model.parameters())
    say(ranks, f"{num_learning:,} of {num_all:,} weights learn; {prepared.num_steps} steps on {ranks.world_size} ranks")
    return Job(
        config=config,
        prepared=prepared,
        ranks=ranks,
        model=model,
        optimiser=build_optimiser(model, config.optim),
        form=image_form(prepared.processor.image_processor),
        dtype=dtype,
        attention=attention,
        cost=cost,
        tasks=tasks,
        watchdog=Watchdog(ranks),
        peak=peak_flops(ranks.device, dtype=dtype),
    )


def _set_up(
    model: LlavaForConditionalGeneration, config: StageConfig, prepared: Prepared, *, attention: Attention
) -> None:
    """Say what learns, and how layers run."""
    chosen = config.model
    set_stop(model, prepared.stop_ids)
    learning = set_trainable(model, chosen.trainable, unfreeze=chosen.unfreeze, freeze=chosen.freeze)
    learning += add_adapters(model, chosen, seed=config.run.seed)
    if not learning:
        raise RecipeError(("model.trainable: nothing learns",))
    set_attention(model, attention)
    keeping = in_host_memory if config.run.activation_offload else None
    recompute_activations(model, recomputed_modules(config.run), keeping=keeping)
    model.train()
    if config.run.compile:
        for layer in layers_of(model):
            layer.compile()


def say(ranks: Ranks, text: str) -> None:
    """Write a line on the first rank."""
    if ranks.is_first:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
