"""Measures the loader beside others over the same tars: ``python -m train_bridge.bench.loader SHARDS``.

All run in this process, without loader processes, in turns; samples are pairs of an image and a caption.

- *plan*: samples per second of drawing, splitting, packing and balancing a corpus as in pre-training, nothing read.
- *raw*: samples per second without decoding. Ours are in the order of a shuffled, packed plan, their JSON parsed and
  each part checked against its tar header; others hand out the bytes of the parts.
- *decoded*: samples per second through the whole loader (plan, read, tokenise, decode, scale, pack, collate), beside
  the same images decoded by the same function from memory, in one thread and in one per core (the loader takes what
  cores there are), and beside others whose images are decoded by it in one thread, as they read.
- *state*: bytes of the state in mid-epoch, and seconds from it to the next batch; all is imported already.
- *long-document*: tokens per second of documents of ``--long``, beside those of ``--short``: split over many sequences,
  they shall not be read and tokenised again for each.
- *latency*: samples per second from ``--remote``, a URL of a slow store, beside those of eight requests at a time; in
  the shuffled order and, where neighbours share a request, in the stored one.

Prints JSON: the ``values`` of every turn, and the ``versions`` of the others.
"""

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from transformers.utils import logging as transformers_logging

from curate.contract.errors import ShardError
from shards.reader import ShardReader
from train_bridge.bench.peers import energon_images, energon_resume, peer_version, webdataset_images
from train_bridge.bench.plan import SETTINGS as PLAN_SETTINGS
from train_bridge.bench.plan import MadeUpCounts
from train_bridge.config import DataConfig, PackConfig
from train_bridge.data.dataset import BatchDataset, DatasetSpec
from train_bridge.data.lengths import count_lengths
from train_bridge.data.read_packs import NUM_AHEAD_LOCAL
from train_bridge.data.spec import dataset_spec, plan_settings, text_form
from train_bridge.model.images import ImageForm, Pixels, decode_image
from train_bridge.model.tiny_model import build_tiny_processor, shard_texts
from train_bridge.model_config import TinyConfig
from train_bridge.packing.plan import plan_packs
from train_bridge.tokens.encoder import TextEncoder

T = TypeVar("T")
SEQ_LENGTH = 2048
TINY = TinyConfig(image_size=336, patch_size=28)
"""CLIP-L's 336 px; 144 tokens per image."""
SMALL = TinyConfig(image_size=112, patch_size=28)
"""Where reading is measured, not decoding; 16 tokens per image."""
NUM_PLANNED = 100_000
NUM_BEFORE = 20
"""Batches before our state is taken."""
PEERS: dict[str, Callable[[str], Iterator[bytes]]] = {
    "webdataset": webdataset_images,
    "megatron-energon": energon_images,
}


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(prog="train_bridge.bench.loader", description=str(__doc__).partition("\n")[0])
    parser.add_argument("shards")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--long", metavar="SHARDS", help="documents of many sequences")
    parser.add_argument("--short", metavar="SHARDS", help="the same words in documents shorter than a sequence")
    parser.add_argument("--remote", metavar="URL", help="small samples on a slow store")
    parser.add_argument("--decoded", type=int, default=1000, metavar="SAMPLES", help="that are decoded in a turn")
    options = parser.parse_args(arguments)
    transformers_logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        spec = make_spec(options.shards, folder)
        values = measure(spec, num_turns=options.turns, num_decoded=options.decoded)
        if options.long and options.short and options.remote:
            names = ("long", "short", "remote")
            specs = {name: make_spec(getattr(options, name), f"{folder}/{name}", tiny=SMALL) for name in names}
            values |= measure_reading(specs, num_turns=options.turns)
    versions = {name: peer_version(name) for name in PEERS}
    sys.stdout.write(json.dumps({"values": values, "versions": versions}) + "\n")
    return 0


def make_spec(shards: str, folder: str, *, tiny: TinyConfig = TINY) -> DatasetSpec:
    """Learn a tokenizer from the shards, count their tokens into ``folder`` and return what the loader takes."""
    processor = build_tiny_processor(tiny, texts=shard_texts([shards], num_samples=1000))
    processor.save_pretrained(folder)
    data = DataConfig(shards=(shards,), order="shuffled")
    encoder = TextEncoder(processor.tokenizer, form=text_form(data, processor), image_mark=processor.image_token)
    plan = plan_settings(data, PackConfig(seq_length=SEQ_LENGTH), processor=processor, has_bos=True)
    paths = (count_lengths(shards, encoder=encoder, cache_dir=folder),)
    return dataset_spec(data, plan=plan, length_paths=paths, processor=processor, processor_folder=folder)


def measure(spec: DatasetSpec, *, num_turns: int, num_decoded: int) -> dict[str, list[float]]:
    """Return the values of each turn: rates by case and loader, bytes of states, seconds of resuming."""
    folder, form = spec.folders[0], spec.image_form
    counts = MadeUpCounts(NUM_PLANNED)
    plans = [plan_rate(counts) for _ in range(num_turns + 1)]  # first: others leave a heap that slows it
    installed = {name: read for name, read in PEERS.items() if peer_version(name)}
    images = list(itertools.islice(raw_images(spec), num_decoded))
    ways: dict[str, Callable[[], Iterable[object]]] = {"raw": partial(raw_images, spec)}
    ways |= {f"raw {name}": partial(read, folder) for name, read in installed.items()}
    ways["decoded"] = partial(_first, partial(loaded_samples, spec), num_decoded)
    bare = partial(decoded, partial(iter, images), num_decoded, form=form)
    ways |= {"decoded bare": bare, "decoded bare, all cores": partial(bare, num_threads=os.cpu_count() or 1)}
    ways |= {
        f"decoded {name}": partial(decoded, partial(read, folder), num_decoded, form=form)
        for name, read in installed.items()
    }
    states: dict[str, Callable[[], tuple[int, float]]] = {"": partial(our_resume, spec)}
    if "megatron-energon" in installed:
        states[" megatron-energon"] = partial(energon_resume, folder)
    turns: list[dict[str, float]] = []
    for _ in range(num_turns + 1):
        found = {name: _rate(way()) for name, way in ways.items()}
        for name, resume in states.items():
            found[f"state-bytes{name}"], found[f"resume-s{name}"] = resume()
        turns.append(found)
    values = {"plan": plans} | {name: [turn[name] for turn in turns] for name in turns[0]}
    return {name: each[1:] for name, each in values.items()}  # the first warms up


def measure_reading(specs: Mapping[str, DatasetSpec], *, num_turns: int) -> dict[str, list[float]]:
    """Return the tokens per second of long and short documents, and the samples per second of a slow store."""
    remote = specs["remote"]
    stored = replace(remote, plan=replace(remote.plan, order="stored"))
    ways: dict[str, Callable[[], float]] = {
        "long-document": partial(tokens_rate, specs["long"]),
        "long-document short": partial(tokens_rate, specs["short"]),
        "latency-30ms": lambda: _rate(loaded_samples(remote)),
        "latency-30ms eight": lambda: _rate(loaded_samples(replace(remote, read_ahead=NUM_AHEAD_LOCAL))),
        "latency-30ms stored": lambda: _rate(loaded_samples(stored)),
    }
    turns = [{name: way() for name, way in ways.items()} for _ in range(num_turns + 1)]
    return {name: [turn[name] for turn in turns][1:] for name in ways}  # the first warms up


def tokens_rate(spec: DatasetSpec) -> float:
    """Return the tokens per second of one epoch."""
    start_s = time.perf_counter()
    num_tokens = sum(batch.num_tokens for batch in BatchDataset(replace(spec, num_epochs=1)))
    return num_tokens / (time.perf_counter() - start_s)


def plan_rate(counts: MadeUpCounts) -> float:
    """Return the samples per second of planning an epoch."""
    start_s = time.perf_counter()
    num_samples = sum(len(pack.table) for pack in plan_packs(counts, PLAN_SETTINGS, num_epochs=1))
    return num_samples / (time.perf_counter() - start_s)


def raw_images(spec: DatasetSpec) -> Iterator[bytes]:
    """Yield the image of each sample of one epoch, in the order of the plan."""
    corpus = spec.open_corpus()
    with ShardReader(spec.folders[0]) as reader:
        for pack in plan_packs(corpus, spec.plan, num_epochs=1):
            for row in pack.table["row"].tolist():
                yield reader.read(corpus.index_row(row)[1]).images[0]


def loaded_samples(spec: DatasetSpec) -> Iterator[int]:
    """Yield the segment of each sample of the loader's batches, in one epoch."""
    for batch in BatchDataset(replace(spec, num_epochs=1)):
        yield from range(int(batch.segment_ids.max()) + 1)


def decoded(
    read: Callable[[], Iterator[bytes]], num_samples: int, *, form: ImageForm, num_threads: int = 1
) -> Iterator[Pixels]:
    """Decode and scale the first images as the loader does."""
    decode = partial(decode_image, form=form)
    if num_threads == 1:
        yield from map(decode, _first(read, num_samples))
        return
    with ThreadPoolExecutor(num_threads) as pool:
        yield from pool.map(decode, _first(read, num_samples))


def _first(read: Callable[[], Iterator[T]], num_samples: int) -> Iterator[T]:
    return itertools.islice(read(), num_samples)


def our_resume(spec: DatasetSpec) -> tuple[int, float]:
    """Return the bytes of a state in mid-epoch, and the seconds from it to the next batch."""
    dataset = BatchDataset(spec)
    iterator = iter(dataset)
    for _ in range(NUM_BEFORE):
        next(iterator)
    state = dataset.state_dict()
    wanted = next(iterator).packs
    start_s = time.perf_counter()
    resumed = BatchDataset(spec)
    resumed.load_state_dict(state)
    found = next(iter(resumed)).packs
    took_s = time.perf_counter() - start_s
    if found != wanted:
        raise ShardError("the loader went on elsewhere")
    return len(json.dumps(state)), took_s


def _rate(samples: Iterable[object]) -> float:
    start_s = time.perf_counter()
    num_samples = sum(1 for _ in samples)
    return num_samples / (time.perf_counter() - start_s)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
