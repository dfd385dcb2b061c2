"""The loader: an ``IterableDataset`` of packed batches whose whole state is a plan cursor.

Rank r of W takes the packs with number % W == r, and DataLoader process k of K every K-th batch of them, in the
order in which the DataLoader asks. The sequence of batches of a rank is therefore the same for any K, and the packs of
all ranks together are the same for any W.
"""

import itertools
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import AutoProcessor

from train_bridge.collate import Batch, CollateSettings, collate
from train_bridge.corpus import Corpus, open_corpus
from train_bridge.cursor import Cursor
from train_bridge.images import image_form
from train_bridge.plan import Pack, PlanSettings, plan_packs
from train_bridge.samples import SampleReader, read_packs
from train_bridge.tokens import TextEncoder, TextForm


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetSpec:
    """All that a loader process needs; small, and pickled instead of open files."""

    folders: tuple[str, ...]
    """Shard sets."""
    length_paths: tuple[str, ...]
    """Of ``count_lengths``, one per folder."""
    processor_folder: str
    """Saved ``LlavaProcessor``."""
    text_form: TextForm
    plan: PlanSettings
    kinds: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    num_epochs: int | None = None
    """None never ends."""
    packs_per_batch: int = 1
    read_ahead: int = 8
    """Samples in flight."""
    always_image: bool = False
    """See ``CollateSettings``."""

    def open_corpus(self) -> Corpus:
        """Map the counted samples."""
        return open_corpus(self.length_paths, folders=self.folders, kinds=self.kinds, sources=self.sources)


class ShardDataset(IterableDataset[Batch]):
    """Batches of one rank. Use it in a ``DataLoader`` with ``batch_size=None``.

    Whoever iterates over it in this process may save ``state_dict`` at any time. Behind a DataLoader with processes,
    which read ahead of what was taken from them, keep ``Batch.cursor`` instead, as the training loop does.
    """

    def __init__(self, spec: DatasetSpec, *, rank: int = 0, world_size: int = 1, cursor: Cursor | None = None) -> None:
        """Start at ``cursor``, whose ``next_pack`` must be a multiple of ``world_size * packs_per_batch``."""
        self._spec, self._rank, self._world_size = spec, rank, world_size
        self._cursor = cursor or Cursor()
        self._base = _Base(pack=self._cursor.next_pack, num_workers=0)

    def state_dict(self) -> dict[str, str | int]:
        """Return where iteration stands, in under 4 KB."""
        return {"cursor": self._cursor.to_json(), "base": self._base.pack, "num_workers": self._base.num_workers}

    def load_state_dict(self, state: dict[str, str | int]) -> None:
        """Go on where ``state_dict`` was taken; the number of ranks and processes may be another."""
        self._cursor = Cursor.from_json(str(state["cursor"]))
        self._base = _Base(pack=int(state["base"]), num_workers=int(state["num_workers"]))

    def __iter__(self) -> Iterator[Batch]:
        spec, corpus = self._spec, self._spec.open_corpus()
        processor = AutoProcessor.from_pretrained(spec.processor_folder)
        encoder = TextEncoder(processor.tokenizer, form=spec.text_form, image_mark=processor.image_token)
        form = image_form(processor.image_processor)
        settings = CollateSettings(
            form=form,
            image_token_id=encoder.image_token_id,
            pad_id=processor.tokenizer.pad_token_id,
            tokens_per_image=spec.plan.capacity.tokens_per_image,
            always_image=spec.always_image,
        )
        packs = self._own_packs(corpus)
        with SampleReader(corpus, encoder=encoder, form=form, capacity=spec.plan.capacity) as reader:
            contents = read_packs(packs, reader=reader, read_ahead=spec.read_ahead)
            while len(group := list(itertools.islice(contents, spec.packs_per_batch))) == spec.packs_per_batch:
                self._cursor = self._after(group[-1][0])
                yield collate(group, settings=settings)

    def _own_packs(self, corpus: Corpus) -> Iterator[Pack]:
        """Yield the packs of this rank and of this loader process."""
        info = get_worker_info()
        worker, num_workers = (info.id, info.num_workers) if info is not None else (0, 1)
        if self._base.num_workers != num_workers:  # a DataLoader asks its first process first
            self._base = _Base(pack=self._cursor.next_pack, num_workers=num_workers)
        plan = plan_packs(corpus, self._spec.plan, cursor=self._cursor, num_epochs=self._spec.num_epochs)
        for pack in plan:
            turn, rank = divmod(pack.number - self._base.pack, self._world_size)
            if rank == self._rank and turn // self._spec.packs_per_batch % num_workers == worker:
                yield pack

    def _after(self, last: Pack) -> Cursor:
        """Return the cursor once all ranks have taken as many packs as this one."""
        round_size = self._world_size * self._spec.packs_per_batch
        rounds = (last.number - self._base.pack) // round_size + 1
        return replace(last.cursor, next_pack=self._base.pack + rounds * round_size)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Base:
    """From where packs are dealt out, and to how many processes (0: not known yet)."""

    pack: int
    num_workers: int


def load_batches(dataset: ShardDataset, *, num_workers: int = 0, pin_memory: bool = False) -> DataLoader[Batch]:
    """Read a dataset in ``num_workers`` processes, or in this one; the batches and their order are the same.

    Processes are forked from a clean server, not from this process: it already has threads (gloo, Arrow, CUDA), whose
    locks a fork would copy as they are.
    """
    if num_workers:
        multiprocessing.set_forkserver_preload([__name__])  # else each process imports torch by itself
    return DataLoader(
        dataset,
        batch_size=None,
        num_workers=num_workers,
        pin_memory=pin_memory,
        multiprocessing_context="forkserver" if num_workers else None,
    )
