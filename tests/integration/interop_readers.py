"""Reads a shard set with other people's tools and prints what each of them found, as JSON.

Run by ``test_interop.py`` in a process of its own: these libraries fork, set global state and warn at import.
Each is imported by name and where it is used, so that the types of none are needed to check this file.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

Sample = tuple[str, Any, list[bytes]]
"""Key, record, images in order."""

IMAGE_SUFFIX = ".jpg"


def read_webdataset(folder: Path) -> Iterator[Sample]:
    webdataset = import_module("webdataset")

    urls = sorted(str(path) for path in folder.glob("*.tar"))
    for sample in webdataset.WebDataset(urls, shardshuffle=False):
        yield sample["__key__"], sample["json"], _images(sample)


def read_wids(folder: Path) -> Iterator[Sample]:
    wids = import_module("wids")

    with tempfile.TemporaryDirectory() as cache:
        samples = wids.ShardListDataset(str(folder / "wids.json"), cache_dir=cache, transformations=[])
        for place in reversed(range(len(samples))):  # random access, not a scan
            sample = {name.removeprefix("."): part for name, part in samples[place].items()}
            parts = {name: part.read() for name, part in sample.items() if hasattr(part, "read")}
            yield sample["__key__"], parts["json"], _images(parts)


def read_datasets(folder: Path, *, is_streaming: bool) -> Iterator[Sample]:
    datasets = import_module("datasets")

    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset(str(folder), split="train", streaming=is_streaming, cache_dir=cache)
        for name in [name for name in rows.features if name.endswith(IMAGE_SUFFIX)]:
            rows = rows.cast_column(name, datasets.Image(decode=False))
        for row in rows:
            parts = {name: value["bytes"] for name, value in row.items() if name.endswith(IMAGE_SUFFIX) and value}
            yield row["__key__"], row["json"], _images(parts)


def read_energon(folder: Path) -> Iterator[Sample]:
    energon: Any = import_module("megatron.energon")
    cook = import_module("shards.cooker").cook_interleaved

    class Task(energon.DefaultTaskEncoder):  # type: ignore[misc]  # known at run time only
        cookers = (energon.Cooker(cook),)
        decoder = None

        def batch(self, samples: list[Any]) -> list[Any]:
            return samples

    dataset = energon.get_train_dataset(
        str(folder),
        worker_config=energon.WorkerConfig(rank=0, world_size=1, num_workers=0),
        batch_size=1,
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        task_encoder=Task(),
        repeat=False,
    )
    for batch in energon.get_savable_loader(dataset):
        for sample in batch:
            yield sample.__key__, sample.record, sample.images


READERS: dict[str, Callable[[Path], Iterable[Sample]]] = {
    "webdataset": read_webdataset,
    "wids": read_wids,
    "datasets": lambda folder: read_datasets(folder, is_streaming=False),
    "datasets streaming": lambda folder: read_datasets(folder, is_streaming=True),
    "megatron-energon": read_energon,
}


def _images(parts: Mapping[str, Any]) -> list[bytes]:
    names = [name for name in parts if name.endswith(IMAGE_SUFFIX)]
    return [parts[name] for name in sorted(names, key=lambda name: int(name.partition(".")[0]))]


def count(samples: Iterable[Sample]) -> dict[str, Any]:
    """Return the numbers that the readers must agree on, and a hash of all keys, texts, URLs and images."""
    num_images = num_bytes = 0
    seen = []
    for key, raw, images in samples:
        record = json.loads(raw) if isinstance(raw, bytes | str) else raw
        content = [[item.get("text"), item.get("url"), item.get("part")] for item in record["items"]]
        hashes = [hashlib.sha256(data).hexdigest() for data in images]
        seen.append(json.dumps([key, record["doc_id"], content, hashes]))
        num_images += len(images)
        num_bytes += sum(map(len, images))
    content_hash = hashlib.sha256("\n".join(sorted(seen)).encode()).hexdigest()
    return {"samples": len(seen), "images": num_images, "bytes": num_bytes, "content": content_hash}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    print(json.dumps({name: count(read(target)) for name, read in READERS.items()}))  # noqa: T201 - its only output
