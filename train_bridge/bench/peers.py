"""Other loaders over one folder of shards, for ``train_bridge.bench.loader``; each is imported where it is used."""

import importlib
import importlib.metadata
import pickle
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from curate.contract.errors import ShardError

SHUFFLE_SAMPLES = 1000
"""Energon's shuffle buffer; webdataset reads in stored order, which is its fastest."""
BATCH_SAMPLES = 16
NUM_BEFORE = 60
"""Batches before the state is taken."""


def peer_version(package: str) -> str | None:
    """Return the installed version, if there is one."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def webdataset_images(folder: str) -> Iterator[bytes]:
    """Yield the image of each sample; nothing is decoded, JSON stays bytes."""
    webdataset = importlib.import_module("webdataset")
    urls = sorted(str(path) for path in Path(folder).glob("*.tar"))
    for sample in webdataset.WebDataset(urls, shardshuffle=False):
        yield sample["0.jpg"]


def energon_images(folder: str) -> Iterator[bytes]:
    """Yield the image of each sample in one shuffled pass; nothing is decoded, JSON stays bytes."""
    for batch in _energon_loader(folder, repeat=False):
        for sample in batch:
            yield sample.parts["0.jpg"]


def energon_resume(folder: str) -> tuple[int, float]:
    """Return the bytes of a state in mid-epoch, and the seconds from it to the next batch."""
    loader = _energon_loader(folder, repeat=True)
    iterator = iter(loader)
    for _ in range(NUM_BEFORE):
        next(iterator)
    state = loader.save_state_rank()
    wanted = [sample.__key__ for sample in next(iterator)]
    start_s = time.perf_counter()
    resumed = _energon_loader(folder, repeat=True)
    resumed.restore_state_rank(state)
    found = [sample.__key__ for sample in next(iter(resumed))]
    took_s = time.perf_counter() - start_s
    if found != wanted:
        raise ShardError("Energon went on elsewhere")
    return len(pickle.dumps(state)), took_s


def _energon_loader(folder: str, *, repeat: bool) -> Any:
    energon: Any = importlib.import_module("megatron.energon")
    dataset = energon.get_train_dataset(
        folder,
        worker_config=energon.WorkerConfig(rank=0, world_size=1, num_workers=0),
        batch_size=BATCH_SAMPLES,
        shuffle_buffer_size=SHUFFLE_SAMPLES,
        max_samples_per_sequence=100,
        task_encoder=_energon_task()(),
        repeat=repeat,
    )
    return energon.get_savable_loader(dataset)


@cache
def _energon_task() -> Any:
    """Return a task that hands parts on as they are."""
    energon: Any = importlib.import_module("megatron.energon")

    @energon.edataclass
    class RawSample(energon.Sample):  # type: ignore[misc]  # a class known at run time only
        parts: dict[str, bytes]

    @energon.stateless  # type: ignore[untyped-decorator]
    def cook(sample: dict[str, Any]) -> RawSample:
        return RawSample(**energon.basic_sample_keys(sample), parts=sample)

    class RawTask(energon.DefaultTaskEncoder):  # type: ignore[misc]
        cookers = (energon.Cooker(cook),)
        decoder = None

        def batch(self, samples: list[Any]) -> list[Any]:
            return samples

    return RawTask
