"""``curate bench scale``: what each step costs per million documents, and where it lives."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from tokenizers import Tokenizer, models, pre_tokenizers

from curate.contract.errors import CurateError
from curate.contract.reasons import Stage
from pipelines.account import account_for
from pipelines.bench.row import BenchRow
from pipelines.bench.scale.corpus import SOURCES, WORDS, make_partition
from pipelines.bench.scale.memory import watch_memory
from pipelines.decide.facts_table import manifest_row
from pipelines.engine.cluster import connect, worker_processes
from pipelines.engine.loop import Task
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder, remove_folder
from pipelines.run.manifest import Manifest, write_manifest
from pipelines.run.progress import Progress
from pipelines.run.workers import Workers
from pipelines.verify import verify
from pipelines.write.blend_plan import decide_and_plan, decide_run
from pipelines.write.count_tokens import count_pool_tokens
from pipelines.write.layout import Layout, lay_out
from pipelines.write.shard_set import write_shard_set

PARTITION_NUM_DOCS = 1000
MILLION = 1e6
SOURCE = '  - {{name: {name}, type: mmc4, path: "{name}*.jsonl"}}'
RECIPE = """
sources:
{sources}
fetch: {{contact: "https://example.org"}}
{clip}
keep:
  image.size: {{min: {min_px}}}
  doc.images: {{min: 1}}
dedup: {{image: {dedup}}}
blend: {{{blend} weights: {{news: 0.5, guides: 0.3, pairs: 0.2}}}}
"""
CLIP = "clip: {model: ViT-B-32, pretrained: openai}"
COSINE = 0.95
PEER = "build of 26 November"
PEER_S = {
    "decide-again": 410.0,
    "decide-first": 300.0,
    "decide-first-cosine": 7200.0,
    "plan": 2.0,
    "account": 110.0,
    "verify": 470.0,
    "count-tokens": 1200.0,
}
"""Seconds per million documents where they were measured; cosine at 100,000 documents, as it grows faster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleOptions:
    """What is measured."""

    num_docs: int = 20_000
    with_cosine: bool = True
    out: str | None = None
    """Folder of the corpus, which stays; None: a temporary one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A drawn corpus and what works on it."""

    workers: Workers
    root: str
    options: ScaleOptions
    processes: tuple[int, ...]
    """Of the workers."""

    def context(self, *, min_px: int, cosine: float | None = None, blend: str = "") -> RunContext:
        """Return the run under a recipe."""
        text = RECIPE.format(
            sources="\n".join(SOURCE.format(name=name) for name in SOURCES),
            clip=CLIP if self.options.with_cosine else "",
            min_px=min_px,
            dedup="{exact: true}" if cosine is None else f"{{exact: true, cosine: {cosine}}}",
            blend=blend,
        )
        return RunContext(folder=RunFolder(f"{self.root}/run"), recipe=parse_recipe(text), base=self.root)


def bench_scale(options: ScaleOptions | None = None) -> list[BenchRow]:
    """Draw a measured corpus and time everything that comes after measuring."""
    chosen = options or ScaleOptions()
    num_workers = len(os.sched_getaffinity(0))
    with (
        _folder(chosen.out) as root,
        connect(scheduler=None, num_workers=num_workers, gpus=0, memory_limit="auto") as client,
        Progress(RunFolder(f"{root}/run"), console=Console(stderr=True)) as progress,
    ):
        workers = Workers(client=client, window=2 * num_workers + 2, progress=progress)
        bench = Bench(workers=workers, root=root, options=chosen, processes=worker_processes(client))
        return list(rows_of(bench))


def rows_of(bench: Bench) -> Iterator[BenchRow]:
    """Draw a corpus and yield three rows a case: its time, the peaks of the driver and of a worker."""
    workers, first = bench.workers, bench.context(min_px=100)
    manifest = _draw(bench, first)
    counting = bench.context(min_px=100, blend=f"tokenizer: {_write_tokenizer(bench.root)},")
    yield from _timed(bench, "decide-first", lambda: decide_run(workers, first, manifest))
    if bench.options.with_cosine:
        cosine = bench.context(min_px=100, cosine=COSINE)
        remove_folder(first.folder.file("pairs"))
        yield from _timed(bench, "decide-first-cosine", lambda: decide_run(workers, cosine, manifest))
    yield from _timed(bench, "decide-again", lambda: _decide_again(bench, manifest))
    decided = decide_run(workers, first, manifest)
    yield from _timed(bench, "count-tokens", lambda: count_pool_tokens(workers, counting, decided))
    laid_out: list[Layout] = []
    yield from _timed(bench, "plan", lambda: laid_out.append(_plan(bench, first, manifest)))
    yield from _timed(bench, "write-shards", lambda: write_shard_set(workers, first, *laid_out))
    yield from _timed(bench, "account", lambda: account_for(workers, first, decided))
    yield from _timed(bench, "verify", lambda: _verify(first))


def _decide_again(bench: Bench, manifest: Manifest) -> None:
    """Do all that a changed threshold costs, but for writing shards."""
    context = bench.context(min_px=120, blend="name: again,")
    account_for(bench.workers, context, _plan(bench, context, manifest).decided)


def _plan(bench: Bench, context: RunContext, manifest: Manifest) -> Layout:
    return lay_out(context, *decide_and_plan(bench.workers, context, manifest))


def _verify(context: RunContext) -> None:
    if faults := verify(context.folder.file("shards", context.recipe.blend.name)):
        raise CurateError("\n".join(faults))


def _draw(bench: Bench, context: RunContext) -> Manifest:
    num_partitions = max(1, bench.options.num_docs // PARTITION_NUM_DOCS)
    names = [f"{SOURCES[n * len(SOURCES) // num_partitions]}-00000-{n:05d}" for n in range(num_partitions)]
    tasks = [
        Task(
            stage=Stage.GATHER_FACTS,
            partition=name,
            call=make_partition,
            args=(context, name, number, PARTITION_NUM_DOCS),
        )
        for number, name in enumerate(names)
    ]
    reports = {report.partition: report for report in bench.workers.run("draw", tasks)}
    return write_manifest(context, [manifest_row(reports[name]) for name in names])


def _timed(bench: Bench, case: str, call: Callable[[], object]) -> Iterator[BenchRow]:
    started_s = time.perf_counter()
    with watch_memory(bench.processes) as peak:
        call()
    took_s = (time.perf_counter() - started_s) * MILLION / bench.options.num_docs
    peer_s = PEER_S.get(case)
    yield _row(case, "s/M docs", took_s, PEER if peer_s else "", peer_s)
    yield _row(f"{case}, driver", "MB", peak.driver)
    yield _row(f"{case}, worker", "MB", peak.worker)


def _row(case: str, unit: str, ours: float, peer: str = "", peer_value: float | None = None) -> BenchRow:
    ratio = None if peer_value is None else peer_value / ours
    return BenchRow(
        bench="scale", case=case, unit=unit, ours=ours, peer=peer, peer_value=peer_value, ratio=ratio, runs=1
    )


def _write_tokenizer(root: str) -> str:
    """Write a tokenizer that knows the corpus' words, and return its folder."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=WORDS[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = Path(root, "tokenizer")
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


@contextmanager
def _folder(out: str | None) -> Iterator[str]:
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory() as folder:
        yield folder
