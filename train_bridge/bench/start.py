"""Measures how a run on a large corpus begins: ``python -m train_bridge.bench.start SHARDS --count SHARDS``.

The counts of a small set are repeated until they are those of ten million samples, which lie in the same few shards.

- *start*: seconds from a state in the middle of an epoch to the next batch, the corpus opened anew; beside planning up
  to there. All is imported already.
- *memory*: bytes per sample that a process has more in memory when it has planned the whole epoch, pages of mapped
  files included, which all processes of a machine share.
- *count-tokens*: samples per second of counting a set on all processors, processes started anew, beside one process.

Prints JSON: the ``values`` of every turn.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from transformers.utils import logging as transformers_logging

from curate.contract.errors import ShardError
from train_bridge.bench.loader import SMALL, make_spec
from train_bridge.config import DataConfig
from train_bridge.data.count_summary import CountSummary, counts_path
from train_bridge.data.dataset import BatchDataset, DatasetSpec
from train_bridge.data.length_parts import FILE_ROWS
from train_bridge.data.lengths import count_lengths
from train_bridge.data.spec import text_form
from train_bridge.model.tiny_model import build_tiny_processor, shard_texts
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.plan import plan_packs
from train_bridge.tokens.encoder import TextEncoder


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(prog="train_bridge.bench.start", description=str(__doc__).partition("\n")[0])
    parser.add_argument("shards")
    parser.add_argument("--count", required=True, metavar="SHARDS", help="whose tokens are counted")
    parser.add_argument("--samples", type=int, default=10_000_000, help="of the large corpus")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    transformers_logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        spec = repeat_counts(make_spec(options.shards, folder, tiny=SMALL), num_samples=options.samples, folder=folder)
        values = measure_start(spec, num_turns=options.turns)
        values |= measure_counting(options.count, folder=folder, num_turns=options.turns)
    sys.stdout.write(json.dumps({"values": values}) + "\n")
    return 0


def repeat_counts(spec: DatasetSpec, *, num_samples: int, folder: str) -> DatasetSpec:
    """Return a spec of as many samples, whose counts are those of a smaller set again and again."""
    (path,) = spec.length_paths
    with pa.memory_map(path) as file:
        lengths = pa.ipc.open_file(file).read_all()
    target = f"{folder}/lengths-repeated.arrow"
    summary = CountSummary(num_samples, folder=Path(folder))
    block = pa.concat_tables([lengths] * -(-FILE_ROWS // lengths.num_rows)).slice(0, FILE_ROWS).combine_chunks()
    with pa.OSFile(target, "wb") as sink, pa.ipc.new_file(sink, lengths.schema) as writer:
        while (left := num_samples - summary.num_rows) > 0:
            part = block.slice(0, left)
            writer.write_table(part)
            summary.add(part)
    summary.write(counts_path(target), shard_starts=range(0, num_samples, lengths.num_rows))
    return replace(spec, length_paths=(target,), cache_dir=folder)


def measure_start(spec: DatasetSpec, *, num_turns: int) -> dict[str, list[float]]:
    """Return seconds to the next batch and of planning up to it, and the bytes of a sample."""
    spec.open_corpus()  # finds the rows of the corpus once and for all
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        bytes_per_sample = pool.submit(planned_bytes, spec).result()
    corpus, middle, num_samples = spec.open_corpus(), None, 0
    start_s = time.perf_counter()
    for pack in plan_packs(corpus, spec.plan, num_epochs=1):
        num_samples += len(pack.table)
        if num_samples >= corpus.num_rows // 2:
            middle = pack.cursor.to_json()
            break
    planning_s = time.perf_counter() - start_s
    if middle is None:
        raise ShardError("no pack in the first half")
    wanted = Cursor.from_json(middle).next_pack
    starts = []
    for _ in range(num_turns):
        start_s = time.perf_counter()
        batch = next(iter(BatchDataset(spec, cursor=Cursor.from_json(middle))))
        starts.append(time.perf_counter() - start_s)
        if batch.packs != (wanted,) or batch.skipped:
            raise ShardError("the loader went on elsewhere")
    return {"start": starts, "start planning": [planning_s], "memory": [bytes_per_sample]}


def planned_bytes(spec: DatasetSpec) -> float:
    """Return the bytes per sample that this process grows by when it plans an epoch."""
    before = resident_bytes()
    corpus = spec.open_corpus()
    for _ in plan_packs(corpus, spec.plan, num_epochs=1):
        pass
    return (resident_bytes() - before) / corpus.num_rows


def measure_counting(shards: str, *, folder: str, num_turns: int) -> dict[str, list[float]]:
    """Return the samples per second of all processors, and of one process."""
    processor = build_tiny_processor(SMALL, texts=shard_texts([shards], num_samples=1000))
    form = text_form(DataConfig(shards=(shards,)), processor)
    encoder = TextEncoder(processor.tokenizer, form=form, image_mark=processor.image_token)
    values: dict[str, list[float]] = {"count-tokens": [], "count-tokens one": []}
    for turn in range(num_turns):
        for name, num_processes in (("count-tokens", os.cpu_count() or 1), ("count-tokens one", 1)):
            start_s = time.perf_counter()
            cache_dir = f"{folder}/{turn}-{num_processes}"
            path = count_lengths(shards, encoder=encoder, cache_dir=cache_dir, num_processes=num_processes)
            seconds = time.perf_counter() - start_s
            with pa.memory_map(path) as file:
                values[name].append(pa.ipc.open_file(file).read_all().num_rows / seconds)
    return values


def resident_bytes() -> int:
    """Return the bytes of this process in memory, those of mapped files among them."""
    line = next(line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if "VmRSS" in line)
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
