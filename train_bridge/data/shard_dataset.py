"""Shards for any training loop: an iterable dataset of ready model inputs, for whoever does not use ours."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NotRequired, TypedDict

import torch
import torch.distributed as dist
from torch.utils.data import IterableDataset
from transformers import AutoProcessor

from curate.contract.errors import CurateError, StorageError
from curate.contract.ids import seed_for
from train_bridge.config import DataConfig, PackConfig, ShardCacheConfig
from train_bridge.data.collate import Batch
from train_bridge.data.dataset import BatchDataset
from train_bridge.data.index_summary import summarise_index
from train_bridge.data.lengths import count_lengths
from train_bridge.data.samples import ReadSettings
from train_bridge.data.shard_files import check_shard_files
from train_bridge.data.spec import dataset_spec, plan_settings, text_form
from train_bridge.model.images import ImageForm, normalise
from train_bridge.model.mask import block_causal_mask
from train_bridge.packing.cursor import Cursor
from train_bridge.tokens.encoder import TextEncoder
from train_bridge.tokens.faults import SampleFault

logger = logging.getLogger(__name__)
READ_PATIENCE_S = 300.0
"""How long a read that storage refuses is tried again, as in ``run.read_patience_s``."""
NUMBER_KEY = "pass"
"""In a state: which pass it is of."""


class ShardBatch(TypedDict):
    """A batch of ``ShardDataset``, which describes the fields."""

    input_ids: torch.Tensor
    labels: torch.Tensor
    position_ids: torch.Tensor
    attention_mask: torch.Tensor
    pixel_values: NotRequired[torch.Tensor]
    state: NotRequired[str]


class ShardDataset(IterableDataset[ShardBatch]):
    """Batches of packed sequences as keyword arguments of ``LlavaForConditionalGeneration``.

    Each batch holds ``input_ids``, ``labels`` and ``position_ids`` (int64 [B, L]), ``attention_mask`` (bool
    [B, 1, L, L], which keeps the samples of a sequence apart) and, if it has images, ``pixel_values`` (float32
    [N, 3, H, W]). It is a batch already: use ``batch_size=None`` in the DataLoader.

    Each iteration is a pass: the first is pass 0, and with ``order: shuffled`` each has an order of its own, with
    ``stored`` all have the same. Loader processes are given a copy, so that with them ``set_epoch`` says which pass
    comes next; Hugging Face's Trainer and Accelerate call it. Which rank this is, and of how many, is asked when a pass
    begins (of ``torch.distributed``, else of RANK and WORLD_SIZE), so a dataset may be made before the group. All ranks
    take as many batches. With several ranks a batch without an image has a dummy one, which no sample sees, because
    under DDP and FSDP each rank has to run the vision tower.

    A sample that cannot be used is left out and logged as a warning; storage that refuses for five minutes, or does not
    answer, is a ``StorageError``.

    Its state is a plan cursor of under 4 KB; the order of samples depends on the data and the settings alone, so a run
    can go on exactly where it was, also with another number of ranks; at the end of a pass, in the next one. In one
    process, ``state_dict`` may be called at any time, and torchdata's ``StatefulDataLoader`` asks for it at the right
    moment. A loop that takes batches before it learns from them, as most do, is better off with ``with_state``: each
    batch then brings the ``state`` (a string) to give to ``resume`` once all ranks have learned from their batch.

    Example:
        >>> dataset = ShardDataset("runs/demo/shards/main", processor="runs/demo/stage2/final")
        >>> loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="forkserver")
        >>> for batch in loader:
        ...     model(**batch).loss.backward()
    """

    def __init__(  # noqa: PLR0913 - the settings of a loader
        self,
        data: DataConfig | str,
        *,
        processor: str,
        pack: PackConfig | None = None,
        batch_size: int = 1,
        epochs: int | None = 1,
        ranks: tuple[int, int] | None = None,
        with_state: bool = False,
        cache_dir: str | None = None,
        shard_cache: ShardCacheConfig | None = None,
    ) -> None:
        """Count the tokens of the shards, unless that has been done, and plan.

        Args:
            data: Which shards, and how documents become tokens; or one folder, read in a shuffled order.
            processor: Folder of a saved ``LlavaProcessor``, as a model's own.
            pack: Length of the sequences, and how they are filled; 4,096 tokens by default.
            batch_size: Sequences per batch.
            epochs: Times that one pass goes over the data; None never ends.
            ranks: This process and how many there are; by default that is asked when a pass begins.
            with_state: Add ``state`` to each batch.
            cache_dir: Where token counts are kept; by default ``~/.cache/vila-curate``.
            shard_cache: Where shards of remote sets are kept, and how much of them; by default nowhere.

        Raises:
            CurateError: Shards or processor cannot be used; says which and why.
        """
        config = DataConfig(shards=(data,), order="shuffled") if isinstance(data, str) else data
        loaded = AutoProcessor.from_pretrained(processor)
        encoder = TextEncoder(loaded.tokenizer, form=text_form(config, loaded), image_mark=loaded.image_token)
        plan = plan_settings(
            config, pack or PackConfig(seq_length=4096), processor=loaded, has_bos=encoder.bos_id is not None
        )
        target = cache_dir or str(Path.home() / ".cache" / "vila-curate")
        for folder in config.shards:
            check_shard_files(folder, summarise_index(folder, cache_dir=target))
        paths = tuple(count_lengths(folder, encoder=encoder, cache_dir=target) for folder in config.shards)
        spec = dataset_spec(config, plan=plan, length_paths=paths, processor=loaded, processor_folder=processor)
        self._spec = replace(
            spec,
            num_epochs=epochs,
            cache_dir=target,
            packs_per_batch=batch_size,
            reading=ReadSettings(
                cache=None if shard_cache is None else shard_cache.settings, patience_s=READ_PATIENCE_S
            ),
        )
        self._ranks = ranks
        self._next = _Start()
        self._running: tuple[int, BatchDataset] | None = None
        self._with_state = with_state

    def __iter__(self) -> Iterator[ShardBatch]:
        rank, world_size = self._ranks or find_ranks()
        number, batches = self._open_pass(self._next, rank=rank, world_size=world_size)
        if self._next.state is not None and not batches.has_turn():
            number, batches = self._open_pass(_Start(number=number + 1), rank=rank, world_size=world_size)
        self._next, self._running = _Start(number=number + 1), (number, batches)
        for batch in batches:
            _tell_skipped(batch)
            inputs = model_inputs(batch, form=self._spec.image_form)
            if self._with_state:
                inputs["state"] = json.dumps({**json.loads(batch.cursor), NUMBER_KEY: number}, separators=(",", ":"))
            yield inputs
        self._running = None

    def __getstate__(self) -> dict[str, object]:
        # A loader process has no group to ask.
        return {**self.__dict__, "_ranks": self._ranks or find_ranks()}

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be pass ``epoch``: from its start, or from where ``resume`` is to go on within it."""
        if epoch != self._next.number:
            self._next = _Start(number=epoch)

    def resume(self, state: str) -> None:
        """Go on after the batch that brought ``state``; the number of ranks and loader processes may be another.

        Raises:
            ValueError: It is no such state.
        """
        cursor = Cursor.from_json(state)
        number = int(json.loads(state).get(NUMBER_KEY, 0))
        self.load_state_dict({"cursor": state, "base": cursor.next_pack, "num_workers": 0, NUMBER_KEY: number})

    def state_dict(self) -> dict[str, str | int]:
        """Return where iteration stands."""
        if self._running is not None:
            number, batches = self._running
            return {**batches.state_dict(), NUMBER_KEY: number}
        fresh = BatchDataset(self._spec).state_dict()
        return {**(self._next.state or fresh), NUMBER_KEY: self._next.number}

    def load_state_dict(self, state: dict[str, str | int]) -> None:
        """Go on where ``state_dict`` was taken.

        Raises:
            ValueError: It is no state of this dataset.
        """
        Cursor.from_json(str(state["cursor"]))
        self._next, self._running = _Start(number=int(state.get(NUMBER_KEY, 0)), state=state), None

    def _open_pass(self, start: "_Start", *, rank: int, world_size: int) -> tuple[int, BatchDataset]:
        plan = self._spec.plan
        if start.number:
            plan = replace(plan, seed=seed_for(plan.seed, f"pass {start.number}"))
        spec = replace(self._spec, plan=plan, always_image=world_size > 1)
        batches = BatchDataset(spec, rank=rank, world_size=world_size)
        if start.state is not None:
            batches.load_state_dict(start.state)
        return start.number, batches


@dataclass(frozen=True, kw_only=True, slots=True)
class _Start:
    """Where the next iteration begins."""

    number: int = 0
    """Of the pass."""
    state: dict[str, str | int] | None = None
    """Of ``BatchDataset``; None: at the start of the pass."""


def find_ranks() -> tuple[int, int]:
    """Return this process's rank and the number of ranks: those of the group, else of RANK and WORLD_SIZE, else (0, 1).

    Raises:
        CurateError: There are several, and nothing says which this is: all of them would read the same.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    rank, world_size = os.environ.get("RANK"), int(os.environ.get("WORLD_SIZE", "1"))
    if rank is None and world_size > 1:
        raise CurateError(
            f"WORLD_SIZE is {world_size}, but there is neither a process group nor RANK: start a pass after "
            "init_process_group, or give ranks=(RANK, WORLD_SIZE)"
        )
    return int(rank or 0), world_size


def _tell_skipped(batch: Batch) -> None:
    """Warn of samples that a batch goes without.

    Raises:
        StorageError: Their storage refuses or does not answer: batches of nothing would teach nothing.
    """
    for sample in batch.skipped:
        if sample.fault is SampleFault.STORAGE:
            raise StorageError(f"sample {sample.key}: {sample.detail}")
        logger.warning("sample %s (%s) is left out: %s, %s", sample.key, sample.doc_id, sample.fault, sample.detail)


def model_inputs(batch: Batch, *, form: ImageForm) -> ShardBatch:
    """Return a batch as keyword arguments of ``LlavaForConditionalGeneration``; see ``ShardDataset``."""
    inputs: ShardBatch = {
        "input_ids": batch.input_ids,
        "labels": batch.labels,
        "position_ids": batch.position_ids,
        "attention_mask": block_causal_mask(batch.segment_ids),
    }
    if len(batch.pixel_values):
        inputs["pixel_values"] = normalise(batch.pixel_values, form=form)
    return inputs
