"""Measures the packed training loop beside the same model on padded batches: ``python -m train_bridge.bench.train``.

Half of the documents are pairs, three in ten interleaved, the rest text; all lengths are a quarter of VILA's (144
tokens per image, sequences of 1,024), so that documents fill about a third of a sequence as there. Both ways learn from
the same documents in the same order and count real tokens only, never padding. The padded way is what a plain trainer
does: batches of documents, each as long as its longest, with the usual mask of two dimensions; its data lie in memory
already, which favours it.

Prints JSON: tokens per second of every turn, and the share of step time that the loop waited for data. Where there is
a CUDA device, ``train_bridge.bench.gpu`` is measured on it as well.
"""

import argparse
import io
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch.nn import functional
from transformers import LlavaForConditionalGeneration
from transformers.utils import logging as transformers_logging

from curate.contract.ids import sha256_hex
from shards.reader import INDEX_NAME
from shards.sample import Sample, SampleImage, SampleText
from shards.writer import write_shard
from train_bridge.bench.gpu import measure_steps
from train_bridge.bench.padding import PaddedRow, pad_rows, unpack_rows
from train_bridge.config import StageConfig
from train_bridge.data.collate import Batch
from train_bridge.data.dataset import BatchDataset, load_batches
from train_bridge.model.image_modes import image_form
from train_bridge.model.images import ImageForm, normalise
from train_bridge.model.llava import build_model, set_trainable
from train_bridge.tokens.encoder import IGNORED
from train_bridge.training.loop import train_stage
from train_bridge.training.metrics import read_metrics
from train_bridge.training.optimiser import build_optimiser
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import Ranks, joined_ranks
from train_bridge.training.step import update

NUM_DOCS = 400
IMAGE_PX = 256
WORDS = tuple(first + last for first in ("ba", "ke", "li", "mo", "nu", "ra", "te") for last in ("n", "ro", "sta"))
"""Of drawn texts; a token each, about."""
PADDED_BATCH = 16
"""Documents per padded batch."""
NUM_WARM = 2
"""First steps of a turn, which are not counted."""


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(prog="train_bridge.bench.train", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--turns", type=int, default=3, help="measurements of each way, in turns")
    parser.add_argument("--steps", type=int, default=8, help="steps of a turn")
    options = parser.parse_args(arguments)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder, joined_ranks() as ranks:
        shards = write_documents(f"{folder}/set", num_docs=NUM_DOCS)
        result: dict[str, object] = {
            **measure(shards, folder, ranks=ranks, num_turns=options.turns, num_steps=options.steps)
        }
        if ranks.device.type == "cuda":
            with redirect_stdout(sys.stderr):
                result["gpu"] = measure_steps(shards, f"{folder}/gpu", ranks=ranks)
            result["gpu_name"] = torch.cuda.get_device_name()
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def measure(shards: str, folder: str, *, ranks: Ranks, num_turns: int, num_steps: int) -> dict[str, list[float]]:
    """Return ``packed`` and ``padded`` (tokens/s of each turn), ``fill`` and ``data_wait`` (shares)."""
    result: dict[str, list[float]] = {"packed": [], "padded": [], "fill": [], "data_wait": []}
    for turn in range(num_turns):
        config = _stage(shards, f"{folder}/turn{turn}", cache_dir=f"{folder}/cache", num_steps=num_steps)
        with redirect_stdout(sys.stderr):
            train_stage(config, ranks=ranks)
            records = read_metrics(config.output)[NUM_WARM:]
            padded = _padded_rate(config, ranks=ranks)
        result["packed"].append(statistics.median(record["tokens_per_s"] for record in records))
        result["padded"].append(padded)
        result["fill"].append(statistics.mean(record["fill"] for record in records))
        result["data_wait"].append(statistics.median(record["data_wait"] for record in records))
    return result


def _stage(shards: str, output: str, *, cache_dir: str, num_steps: int) -> StageConfig:
    tiny = {"hidden_size": 256, "num_layers": 3, "vision_num_layers": 3, "image_size": 96, "patch_size": 8}
    return StageConfig.model_validate(
        {
            "output": output,
            "model": {"tiny": tiny},
            "data": {"shards": shards, "order": "shuffled"},
            "pack": {"seq_length": 1024},
            "optim": {"lr": 1e-3, "global_batch": 2, "max_steps": num_steps},
            "run": {
                "num_workers": 1,
                "gradient_checkpointing": False,
                "checkpoint_every": 1_000_000,
                "tensorboard": False,
                "cache_dir": cache_dir,
            },
        }
    )


def _padded_rate(config: StageConfig, *, ranks: Ranks) -> float:
    """Return tokens per second over the documents of the stage's packs, padded."""
    prepared = prepare(config, ranks=ranks)
    model = build_model(config, processor=prepared.processor)
    set_trainable(model, config.model.trainable)
    model.train().to(ranks.device)
    optimiser = build_optimiser(model, config.optim)
    form = image_form(prepared.processor.image_processor)
    num_image_tokens = prepared.spec.plan.capacity.tokens_per_image
    rows: list[PaddedRow] = []
    loader = iter(load_batches(BatchDataset(prepared.spec)))
    for _ in range(config.optim.global_batch * prepared.num_steps):
        rows += unpack_rows(next(loader), image_id=prepared.processor.image_token_id, num_image_tokens=num_image_tokens)
    batches = [pad_rows(rows[i : i + PADDED_BATCH]) for i in range(0, len(rows), PADDED_BATCH)]
    _padded_step(model, batches[0], optimiser, form=form)
    start_s = time.perf_counter()
    for batch in batches:
        _padded_step(model, batch.to(ranks.device), optimiser, form=form)
    return sum(batch.num_tokens for batch in batches) / (time.perf_counter() - start_s)


def _padded_step(
    model: LlavaForConditionalGeneration, batch: Batch, optimiser: torch.optim.Optimizer, *, form: ImageForm
) -> None:
    targets_bl = functional.pad(batch.labels[:, 1:], (0, 1), value=IGNORED)
    logits_blv = model(
        input_ids=batch.input_ids,
        pixel_values=normalise(batch.pixel_values, form=form) if len(batch.pixel_values) else None,
        attention_mask=(batch.segment_ids >= 0).long(),
        use_cache=False,
    ).logits
    loss = functional.cross_entropy(logits_blv.float().flatten(0, 1), targets_bl.flatten(), ignore_index=IGNORED)
    torch.autograd.backward(loss)
    update(model, optimiser, divisor=1.0, clip_norm=1.0)


def write_documents(folder: str, *, num_docs: int) -> str:
    """Write a shard set of drawn documents and return its folder."""
    Path(folder).mkdir(parents=True)
    result = write_shard(f"{folder}/00000.tar", [_document(number) for number in range(num_docs)], shard=0)
    pq.write_table(result.index, f"{folder}/{INDEX_NAME}")
    return folder


def _document(number: int) -> Sample:
    rng = random.Random(f"bench document {number}")
    items: list[SampleText | SampleImage]
    draw = rng.random()
    if draw < 0.5:  # noqa: PLR2004 - the mix above
        kind, items = "pair", [_image(rng), _text(rng, rng.randint(5, 15))]
    elif draw < 0.8:  # noqa: PLR2004
        kind, items = "interleaved", []
        for _ in range(rng.randint(2, 6)):
            items += [_image(rng), _text(rng, rng.randint(10, 50))]
    else:
        kind, items = "text", [_text(rng, rng.randint(50, 950))]
    return Sample(doc_id=f"{number:016x}", kind=kind, source=kind, url=None, items=items)


def _text(rng: random.Random, num_words: int) -> SampleText:
    return SampleText(" ".join(rng.choices(WORDS, k=num_words)))


def _image(rng: random.Random) -> SampleImage:
    small = np.frombuffer(rng.randbytes(16 * 16 * 3), dtype=np.uint8).reshape(16, 16, 3)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((IMAGE_PX, IMAGE_PX)).save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    return SampleImage(data=data, image_id=sha256_hex(data), url=None, width=IMAGE_PX, height=IMAGE_PX)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
