"""The training loop of a stage: steps, checkpoints, metrics, export."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import torch
import yaml
from torch.utils.data import DataLoader

from curate.contract.errors import CurateError
from curate.contract.ids import seed_for
from train_bridge.config import StageConfig
from train_bridge.data.collate import Batch
from train_bridge.data.dataset import BatchDataset, load_batches
from train_bridge.model.beginning import check_beginning
from train_bridge.packing.cursor import Cursor
from train_bridge.signals import started_deaf
from train_bridge.tokens.faults import SampleFault
from train_bridge.training.budget import RunStoppedError, check_budget, describe_lost, is_healthy
from train_bridge.training.checkpoint import CheckpointWriter, ResumePoint, TrainProgress, load_newest
from train_bridge.training.export import export_model
from train_bridge.training.few_shot import ask_tasks
from train_bridge.training.job import Job, say, start_job
from train_bridge.training.metrics import MetricsLog, model_share, step_record
from train_bridge.training.not_finite import describe_packs
from train_bridge.training.optimiser import learning_rate, set_learning_rate
from train_bridge.training.prepare import CHECKPOINTS, run_identity
from train_bridge.training.ranks import Ranks, autocast, gather, sum_over_ranks
from train_bridge.training.spread import set_gradient_sync
from train_bridge.training.step import StepTotals, accumulate, checksums, update
from train_bridge.training.stopping import StopRequest
from train_bridge.training.validation import held_out_loss, held_out_spec

FINAL = "final"


def train_stage(config: StageConfig, *, ranks: Ranks, asked: Callable[[], bool] | None = None) -> TrainProgress:
    """Train, from the newest checkpoint if there is one, and export to ``OUTPUT/final``.

    Args:
        config: The stage.
        ranks: The callers; all of them call this.
        asked: Says after each step whether to save and stop without exporting; by default, whether SIGTERM has come.

    Returns:
        How far the run has come.

    Raises:
        CurateError: Something about data, weights or settings cannot be used.
        RunStoppedError: Too much went wrong on the way; what was learned is saved.
    """
    check_beginning(config)
    with StopRequest() as request:
        job = start_job(config, ranks)
        identity = run_identity(config, job.prepared)
        folder = f"{config.output}/{CHECKPOINTS}"
        found = load_newest(folder, model=job.model, optimiser=job.optimiser, identity=identity)
        _store_stage(config, ranks)  # not before: a run that is refused leaves the settings of the one before
        progress = _begin(job, found)
        for fault in found.faults:
            say(ranks, f"warning: {fault}; taking the checkpoint before")
        if found.is_resumed:
            say(ranks, f"going on after step {progress.step} of {job.prepared.num_steps}")
        for change in found.changes:
            say(ranks, f"changed: {change}")
        for line in job.prepared.start.lines if job.prepared.start is not None else ():
            say(ranks, line)
        run = config.run
        writer = CheckpointWriter(
            folder, identity=identity, keep=run.keep_checkpoints, ranks=ranks, keep_every=run.keep_every
        )
        with _log(job, progress) as log, writer, job.watchdog:
            if log is not None:
                log.write_use(progress.step, job.prepared.use.record())
                log.write_changes(progress.step, found.changes)
            progress, is_done = _train(job, progress, writer, asked=asked or request.asked, log=log)
        if not is_done:
            say(ranks, f"stopped after step {progress.step}, saved")
            return progress
    notes = export_model(
        f"{config.output}/{FINAL}",
        model=job.model,
        processor=job.prepared.processor,
        ranks=ranks,
        targets=config.run.export_for,
        dtype=config.run.export_dtype,
    )
    for note in notes:
        say(ranks, f"note: {note}")
    for written in sorted(Path(config.output).glob(f"{FINAL}*")):
        say(ranks, f"exported to {written}")
    return progress


def _store_stage(config: StageConfig, ranks: Ranks) -> None:
    """Keep the resolved stage beside its results."""
    if ranks.is_first:
        path = Path(config.output) / "stage.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def _begin(job: Job, found: ResumePoint) -> TrainProgress:
    """Return how far the run is; where its plan is another than before, with where that begins.

    Raises:
        CurateError: The newest checkpoint, whose plan was changed, cannot be read.
    """
    start, progress = job.prepared.start, found.progress
    if not found.plan_changes:
        return progress
    if start is None or start.step != progress.step:
        settings = "; ".join(found.plan_changes)
        raise CurateError(
            f"the newest checkpoint cannot be read, and that of step {progress.step} has another plan: {settings}; "
            "go on with its settings, or remove what is newer"
        )
    return replace(progress, cursor=start.cursor.to_json())


def _train(
    job: Job, progress: TrainProgress, writer: CheckpointWriter, *, asked: Callable[[], bool], log: MetricsLog | None
) -> tuple[TrainProgress, bool]:
    """Do the steps that are left, with their checkpoints; return how far the run is, and whether that is the end.

    Raises:
        RunStoppedError: Too much went wrong; what was learned is saved.
    """
    run, saved = job.config.run, progress

    def save(now: TrainProgress) -> TrainProgress:
        job.watchdog.at(now.step, "saves a checkpoint")
        healthy = is_healthy(saved, now, run)
        writer.save(now, model=job.model, optimiser=job.optimiser, is_healthy=healthy)
        return now

    try:
        for done, must_stop in _steps(job, progress, asked=asked, log=log):
            progress = done
            is_last = progress.step == job.prepared.num_steps
            if is_last or must_stop or progress.step % run.checkpoint_every == 0:
                saved = save(progress)
            check_budget(progress, run)
            if run.eval_every is not None and (is_last or progress.step % run.eval_every == 0):
                _look(job, progress.step, log=log)
            if must_stop and not is_last:
                writer.wait()
                return progress, False
    except RunStoppedError as stopped:
        # Other faults leave the model in the middle of a step; these come between two.
        if progress.step > saved.step:
            save(progress)
        writer.wait()
        where = f"saved after step {progress.step}" if progress.step else "nothing was learned yet"
        raise RunStoppedError(f"{stopped}; {where}, --resume goes on from there") from stopped
    return progress, True


def _look(job: Job, step: int, *, log: MetricsLog | None) -> None:
    """Look at how good the model is: held-out documents, few-shot tasks."""
    job.watchdog.at(step, "looks at held-out documents")
    if job.config.data.validation_share:
        _validate(job, step, log=log)
    if job.tasks:
        _ask(job, step, log=log)


def _ask(job: Job, step: int, *, log: MetricsLog | None) -> None:
    job.watchdog.at(step, "asks its tasks")
    scores = ask_tasks(
        job.tasks,
        job.model,
        job.prepared.processor,
        ranks=job.ranks,
        context=lambda: autocast(ranks=job.ranks, dtype=job.dtype),
        attention=job.attention,
    )
    if log is not None:
        log.write_tasks(step, [asdict(score) for score in scores])
    for one in scores:
        say(job.ranks, f"step {step}: {one.task}, {one.shots} shots: {one.metric} {one.score:.4f} of {one.examples:,}")


def _validate(job: Job, step: int, *, log: MetricsLog | None) -> None:
    """Look at the documents that are held out.

    Raises:
        RunStoppedError: Their storage does not answer, or none of them can be read: there is no such loss.
    """
    found, own_skipped = held_out_loss(
        job.model,
        held_out_spec(job.prepared.spec, world_size=job.ranks.world_size),
        ranks=job.ranks,
        num_workers=job.config.run.num_workers,
        context=lambda: autocast(ranks=job.ranks, dtype=job.dtype),
        attention=job.attention,
    )
    skipped = gather(own_skipped)
    if log is not None:
        log.write_skipped(step, [sample for samples in skipped for sample in samples])
    if any(sample.fault is SampleFault.STORAGE for samples in skipped for sample in samples):
        raise RunStoppedError(f"held-out documents after step {step}: {describe_lost(skipped)}")
    if not found["label_tokens"]:
        raise RunStoppedError(f"held-out documents after step {step}: none can be used; metrics.jsonl names them")
    if log is not None:
        log.write_validation(step, found)
    parts = "  ".join(f"{source} {own['loss']:.4f}" for source, own in found["sources"].items())
    lost = f"  {found['skipped']:,} samples skipped" if found["skipped"] else ""
    say(job.ranks, f"step {step}: held-out loss {found['loss']:.4f}  {parts}{lost}")


def _steps(
    job: Job, progress: TrainProgress, *, asked: Callable[[], bool], log: MetricsLog | None
) -> Iterator[tuple[TrainProgress, bool]]:
    """Do the steps after ``progress``; yield after each how far the run is, and whether it was asked to stop."""
    with started_deaf():
        batches = iter(_loader(job, Cursor.from_json(progress.cursor)))
    for step in range(progress.step, job.prepared.num_steps):
        start = time.perf_counter()
        totals, cursor, norm = _one_step(job, batches, step=step, asked=asked)
        seconds = time.perf_counter() - start
        skipped = gather(totals.skipped) if totals.num_skipped else []
        seen = gather(totals.seen) if job.config.run.log_packs else []
        if log is not None:
            log.write_skipped(step + 1, [sample for samples in skipped for sample in samples])
        if totals.num_lost:
            raise RunStoppedError(f"step {step + 1}: {describe_lost(skipped)}")
        if not totals.num_labels:
            raise RunStoppedError(
                f"step {step + 1}: none of its samples has a token to learn; metrics.jsonl names them"
            )
        is_finite = math.isfinite(totals.loss) and math.isfinite(norm)
        if not is_finite:
            what = _name_not_finite(job, totals, norm, progress=progress, log=log)
            say(job.ranks, f"warning: {what}; the step is left out")
            if step + 1 == job.prepared.num_steps:
                raise RunStoppedError(f"{what}, and it was the last")
        progress = TrainProgress(
            step=step + 1,
            cursor=cursor,
            num_samples=progress.num_samples + int(totals.num_samples),
            num_skipped=progress.num_skipped + int(totals.num_skipped),
            num_left_out=progress.num_left_out + int(not is_finite),
        )
        if log is not None and is_finite:
            _write_metrics(job, log, totals, step=progress.step, extra={"grad_norm": norm, "seconds": seconds})
            if seen:
                log.write_packs(progress.step, sorted(pack for packs in seen for pack in packs))
        yield progress, totals.stop > 0


def _one_step(
    job: Job, batches: Iterator[Batch], *, step: int, asked: Callable[[], bool]
) -> tuple[StepTotals, str, float]:
    """Read, learn, update; return sums over all ranks, the cursor of the next pack and the norm of the gradient."""
    optim, ranks = job.config.optim, job.ranks
    # Random numbers are a function of the step, so a resumed run draws those of an undisturbed one.
    torch.manual_seed(seed_for(job.config.run.seed, f"step {step} rank {ranks.rank}") >> 1)
    set_learning_rate(job.optimiser, learning_rate(step, num_steps=job.prepared.num_steps, config=optim))
    totals = StepTotals(num_groups=len(job.prepared.corpus.groups))
    scale = 1.0 / job.config.pack.seq_length
    cursor = Cursor()
    num_micro_steps = optim.global_batch // (ranks.world_size * optim.micro_batch)
    for micro_step in range(num_micro_steps):
        job.watchdog.at(step + 1, "reads its batch")
        start = time.perf_counter()
        batch = next(batches)
        totals.wait_s += time.perf_counter() - start
        cursor = Cursor.from_json(batch.cursor)
        if job.config.run.log_packs:
            totals.seen += checksums(batch)
        job.watchdog.at(step + 1, "computes")
        context = autocast(ranks=ranks, dtype=job.dtype)
        batch = batch.to(ranks.device)
        is_last = micro_step + 1 == num_micro_steps
        set_gradient_sync(job.model, is_last=is_last, defers=job.config.parallel.defer_reduce)
        accumulate(job.model, batch, totals, form=job.form, scale=scale, context=context, attention=job.attention)
        totals.num_places += optim.micro_batch * job.config.pack.seq_length
    totals.stop = float(asked())
    totals.reduce(sum_over_ranks)
    # FSDP averages gradients over ranks; the loss is a mean over the label tokens of all of them.
    divisor = max(1.0, totals.num_labels) * scale / ranks.world_size
    if totals.num_lost or not totals.num_labels or not math.isfinite(totals.loss):
        job.optimiser.zero_grad(set_to_none=True)
        norm = math.nan
    else:
        norm = update(job.model, job.optimiser, divisor=divisor, clip_norm=optim.clip_norm)
    return totals, replace(cursor, next_pack=(step + 1) * optim.global_batch).to_json(), norm


def _name_not_finite(
    job: Job, totals: StepTotals, norm: float, *, progress: TrainProgress, log: MetricsLog | None
) -> str:
    """Name what had been read where a loss or gradient is not finite, with the packs and their documents."""
    # All ranks come here together: both figures are those of all of them.
    bad = sorted(number for numbers in gather(totals.bad_packs) for number in numbers)
    first = progress.step * job.config.optim.global_batch
    what = f"the loss of pack {', '.join(map(str, bad))} is not finite" if bad else f"the gradient is {norm}"
    numbers = bad or list(range(first, first + job.config.optim.global_batch))
    packs = describe_packs(job.prepared, Cursor.from_json(progress.cursor), numbers=numbers)
    if log is not None:
        log.write_bad(progress.step + 1, packs)
    detail = "; ".join(pack.brief() for pack in packs)
    return f"step {progress.step + 1}: {what}; packs {numbers[0]} to {numbers[-1]} hold {detail}"


def _write_metrics(job: Job, log: MetricsLog, totals: StepTotals, *, step: int, extra: dict[str, float]) -> None:
    num_steps, run = job.prepared.num_steps, job.config.run
    if step % run.log_every and step not in (1, num_steps):
        return
    record = step_record(
        totals, groups=job.prepared.corpus.groups, seconds=extra["seconds"], ranks=job.ranks.world_size
    )
    record["mfu"] = model_share(totals, cost=job.cost, peak=job.peak, seconds=extra["seconds"], ranks=job.ranks)
    rate = learning_rate(step - 1, num_steps=num_steps, config=job.config.optim)
    log.write(step, {**record, "lr": rate, "grad_norm": extra["grad_norm"]})
    say(
        job.ranks,
        f"step {step}/{num_steps}  loss {record['loss']:.4f}  lr {rate:.2e}  fill {record['fill']:.1%}  "
        f"{record['tokens_per_s']:,.0f} tokens/s",
    )


def _log(job: Job, progress: TrainProgress) -> AbstractContextManager[MetricsLog | None]:
    if not job.ranks.is_first:
        return nullcontext()
    return MetricsLog(job.config.output, first_step=progress.step + 1, tensorboard=job.config.run.tensorboard)


def _loader(job: Job, cursor: Cursor) -> DataLoader[Batch]:
    dataset = BatchDataset(job.prepared.spec, rank=job.ranks.rank, world_size=job.ranks.world_size, cursor=cursor)
    return load_batches(dataset, num_workers=job.config.run.num_workers, pin_memory=job.ranks.device.type == "cuda")
