"""The loader: an ``IterableDataset`` of packed batches whose whole state is a plan cursor.

Packs are dealt in turns (see ``packing.deal``): in each, every rank takes one batch; DataLoader process k of K
reads every K-th turn, in the order in which the DataLoader asks. The sequence of batches of a rank is therefore the
same for any K, and the packs of all ranks together are the same for any number of ranks.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import AutoTokenizer  # not AutoProcessor: with torchvision it takes three times as long to import

from curate.blend.weights import Weight
from curate.contract.errors import ShardError
from train_bridge.data.collate import Batch, CollateSettings, collate
from train_bridge.data.corpus import Corpus, open_corpus
from train_bridge.data.lengths import counted_encoder
from train_bridge.data.read_packs import read_packs
from train_bridge.data.samples import ReadSettings, SampleReader
from train_bridge.data.selection import Selection
from train_bridge.model.images import ImageForm
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.deal import deal_turn, order_rounds
from train_bridge.packing.plan import Pack, PlanSettings, plan_packs
from train_bridge.signals import ignore_stop_signals
from train_bridge.tokens.encoder import TextEncoder, TextForm


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetSpec:
    """All that a loader process needs; small, and pickled instead of open files."""

    folders: tuple[str, ...]
    """Shard sets."""
    length_paths: tuple[str, ...]
    """Of ``count_lengths``, one per folder."""
    processor_folder: str
    """Saved ``LlavaProcessor``; its tokenizer is read."""
    image_form: ImageForm
    """Of its image processor."""
    image_mark: str
    """Its placeholder of an image."""
    text_form: TextForm
    plan: PlanSettings
    kinds: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    weights: dict[str, Weight] = field(default_factory=dict)
    """See ``Selection``."""
    max_repeats: dict[str, int] = field(default_factory=dict)
    """See ``Selection``."""
    side: Literal["train", "validation"] = "train"
    validation_share: float = 0.0
    num_epochs: int | None = None
    """None never ends."""
    packs_per_batch: int = 1
    round_packs: int = 1
    """Packs of a step: ranks are dealt like packs within it."""
    fills_last_turn: bool = False
    """Let packs without a sample complete the last turn, so that it is not left out."""
    read_ahead: int | None = None
    """Samples in flight; see ``read_packs``."""
    always_image: bool = False
    """See ``CollateSettings``."""
    reading: ReadSettings = field(default_factory=ReadSettings)
    cache_dir: str | None = None
    """See ``open_corpus``."""
    consumed: str | None = None
    """See ``open_corpus``."""

    @property
    def selection(self) -> Selection:
        """What is drawn of the sets."""
        return Selection(
            kinds=self.kinds,
            sources=self.sources,
            side=self.side,
            validation_share=self.validation_share,
            weights=self.weights,
            max_repeats=self.max_repeats,
        )

    def open_corpus(self) -> Corpus:
        """Map the counted samples."""
        return open_corpus(
            self.length_paths,
            folders=self.folders,
            selection=self.selection,
            cache_dir=self.cache_dir,
            consumed=self.consumed,
        )


class BatchDataset(IterableDataset[Batch]):
    """Batches of one rank. Use it in a ``DataLoader`` with ``batch_size=None``.

    The first iteration starts where it was told to, later ones at the start of the run. Whoever iterates over it in
    this process may save ``state_dict`` at any time. Behind a DataLoader with processes, which read ahead of what was
    taken from them, keep ``Batch.cursor`` instead, as the training loop does. A turn at the end of the run that does
    not give every rank a batch is left out, so that all ranks take as many.
    """

    def __init__(self, spec: DatasetSpec, *, rank: int = 0, world_size: int = 1, cursor: Cursor | None = None) -> None:
        """Start at ``cursor``."""
        self._spec, self._rank, self._world_size = spec, rank, world_size
        self._cursor = cursor or Cursor()
        self._base = _Base(pack=self._cursor.next_pack, num_workers=0)
        self._start = (self._cursor, self._base)

    def state_dict(self) -> dict[str, str | int]:
        """Return where iteration stands, in under 4 KB."""
        return {"cursor": self._cursor.to_json(), "base": self._base.pack, "num_workers": self._base.num_workers}

    def load_state_dict(self, state: dict[str, str | int]) -> None:
        """Go on where ``state_dict`` was taken; the number of ranks and processes may be another."""
        self._cursor = Cursor.from_json(str(state["cursor"]))
        self._base = _Base(pack=int(state["base"]), num_workers=int(state["num_workers"]))
        self._start = (self._cursor, self._base)

    def has_turn(self) -> bool:
        """Say whether a whole turn is left where iteration would start: the same for all ranks and processes."""
        corpus, cursor = self._spec.open_corpus(), self._start[0]
        turn_packs = self._world_size * self._spec.packs_per_batch
        return len(list(islice(self._deal(corpus, cursor), turn_packs))) == turn_packs

    def __iter__(self) -> Iterator[Batch]:
        self._cursor, self._base = self._start
        self._start = (Cursor(), _Base(pack=0, num_workers=0))  # for whoever iterates again
        spec, corpus = self._spec, self._spec.open_corpus()
        tokenizer = AutoTokenizer.from_pretrained(spec.processor_folder)
        encoder = TextEncoder(tokenizer, form=spec.text_form, image_mark=spec.image_mark)
        check_counted(spec, encoder)
        settings = CollateSettings(
            form=spec.image_form,
            image_token_id=encoder.image_token_id,
            pad_id=tokenizer.pad_token_id,
            tokens_per_image=spec.plan.capacity.tokens_per_image,
            always_image=spec.always_image,
        )
        after: deque[Cursor] = deque()
        packs = self._own_packs(corpus, after)
        with SampleReader(
            corpus,
            encoder=encoder,
            form=spec.image_form,
            capacity=spec.plan.capacity,
            settings=spec.reading,
        ) as reader:
            contents = read_packs(packs, reader=reader, read_ahead=spec.read_ahead)
            while group := list(islice(contents, spec.packs_per_batch)):
                self._cursor = after.popleft()
                yield collate(group, settings=settings, cursor=self._cursor)

    def _own_packs(self, corpus: Corpus, after: deque[Cursor]) -> Iterator[Pack]:
        """Yield the packs of this rank and of this loader process; put the state after each turn into ``after``."""
        spec, info = self._spec, get_worker_info()
        worker, num_workers = (info.id, info.num_workers) if info is not None else (0, 1)
        if self._base.num_workers != num_workers:  # a DataLoader asks its first process first
            self._base = _Base(pack=self._cursor.next_pack, num_workers=num_workers)
        first, turn_packs = self._cursor.next_pack, self._world_size * spec.packs_per_batch
        dealt = self._deal(corpus, self._cursor)
        while len(packs := self._take_turn(dealt, turn_packs)) == turn_packs:
            turn = (first - self._base.pack) // turn_packs
            first += turn_packs
            if turn % num_workers == worker:
                after.append(replace(packs[-1].window, next_pack=first))
                yield from deal_turn(packs, turn=first // turn_packs, num_ranks=self._world_size)[self._rank]

    def _take_turn(self, dealt: Iterator[Pack], turn_packs: int) -> list[Pack]:
        packs = list(islice(dealt, turn_packs))
        if packs and self._spec.fills_last_turn:
            empty = replace(packs[-1], table=packs[-1].table[:0], num_tokens=0, num_images=0)
            packs += [empty] * (turn_packs - len(packs))
        return packs

    def _deal(self, corpus: Corpus, cursor: Cursor) -> Iterator[Pack]:
        """Yield the packs from a cursor on in the order in which they are dealt."""
        spec, first = self._spec, cursor.next_pack
        start = replace(cursor, next_pack=first - first % spec.round_packs)
        planned = plan_packs(corpus, spec.plan, cursor=start, num_epochs=spec.num_epochs)
        return order_rounds(planned, first=first, round_packs=spec.round_packs)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Base:
    """From where packs are dealt out, and to how many processes (0: not known yet)."""

    pack: int
    num_workers: int


def check_counted(spec: DatasetSpec, encoder: TextEncoder) -> None:
    """Check that the lengths are those of this tokenizer.

    Raises:
        ShardError: They are of another one, or of another form of documents.
    """
    for folder, path in zip(spec.folders, spec.length_paths, strict=True):
        if (counted := counted_encoder(path)) != (own := encoder.fingerprint()):
            raise ShardError(
                f"{folder}: {path} was counted with tokenizer and form {counted}, "
                f"but {spec.processor_folder} and the form of this run are {own}; count again with count_lengths"
            )


def load_batches(dataset: BatchDataset, *, num_workers: int = 0, pin_memory: bool = False) -> DataLoader[Batch]:
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
        worker_init_fn=_leave_stopping_to_the_rank,
    )


def _leave_stopping_to_the_rank(_worker: int) -> None:
    # torch gives a loader a handler that ends it at a SIGTERM from anyone, and with it the step that its rank is in.
    ignore_stop_signals()
