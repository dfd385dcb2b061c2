"""Packs to tensors: tokens with segment and position ids, labels, pixels.

Shapes: see ``train_bridge.model``; L is the longest pack of the batch, and the N images are those of all packs, row
after row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from train_bridge.data.samples import Content, LoadedSample, SkippedSample
from train_bridge.model.images import ImageForm
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.plan import Pack
from train_bridge.tokens.encoder import IGNORED

Ints = npt.NDArray[np.signedinteger]
PADDING = -1
"""Segment id of padding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What one forward pass takes, and what the metrics need of it."""

    input_ids: torch.Tensor
    """int64 [B, L]"""
    labels: torch.Tensor
    """int64 [B, L]: the id itself, or -100. Not shifted."""
    position_ids: torch.Tensor
    """int64 [B, L], from 0 in each segment."""
    segment_ids: torch.Tensor
    """int32 [B, L], from 0 in each row; ``PADDING`` after the last."""
    groups: torch.Tensor
    """int64 [B, L]: the (source, kind) of each token; 0 at padding."""
    pixel_values: torch.Tensor
    """uint8 [N, 3, H, W]"""
    num_tokens: int
    """Of samples: without padding and without a dummy image."""
    packs: tuple[int, ...]
    """Global numbers."""
    skipped: tuple[SkippedSample, ...]
    cursor: str
    """The plan cursor to go on with once all ranks have had their batch of this turn, as JSON."""
    image_grids: torch.Tensor = field(default_factory=lambda: torch.zeros((0, 2), dtype=torch.int64))
    """int64 [I, 2]: rows and columns of crops of each image, where several of ``pixel_values`` are one (S2); else
    [0, 2]"""

    def to(self, device: torch.device) -> Self:
        """Return the batch with its tensors on ``device``."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """Return the batch in pinned memory; the DataLoader calls this."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        return replace(
            self,
            input_ids=change(self.input_ids),
            labels=change(self.labels),
            position_ids=change(self.position_ids),
            segment_ids=change(self.segment_ids),
            groups=change(self.groups),
            pixel_values=change(self.pixel_values),
            image_grids=change(self.image_grids),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CollateSettings:
    """What collating needs to know of the model."""

    form: ImageForm
    image_token_id: int
    pad_id: int
    tokens_per_image: int
    always_image: bool
    """Give a batch without images a dummy one, which makes it longer by the tokens of an image: for trainers of others,
    whose ranks must all run the vision tower. Ours needs none, see ``training.idle_towers``."""


def collate(packs: Sequence[tuple[Pack, Content]], *, settings: CollateSettings, cursor: Cursor | None = None) -> Batch:
    """Lay packs out as rows.

    A dummy image is a segment of its own: no sample sees it, it has no labels, and its gradient is exactly zero.
    """
    rows = [[sample for sample in content if isinstance(sample, LoadedSample)] for _, content in packs]
    num_tokens = sum(len(sample.ids) for row in rows for sample in row)
    if settings.always_image and not any(sample.pixels for row in rows for sample in row):
        rows[0] = [*rows[0], _dummy(settings)]
    length = max(1, *(sum(len(sample.ids) for sample in row) for row in rows))
    shape = (len(rows), length)
    arrays_bl: dict[str, Ints] = {
        "input_ids": np.full(shape, settings.pad_id, dtype=np.int64),
        "labels": np.full(shape, IGNORED, dtype=np.int64),
        "position_ids": np.zeros(shape, dtype=np.int64),
        "segment_ids": np.full(shape, PADDING, dtype=np.int32),
        "groups": np.zeros(shape, dtype=np.int64),
    }
    for i, row in enumerate(rows):
        _fill_row(arrays_bl, i, row)
    images_chw = [image_chw for row in rows for sample in row for image_chw in sample.pixels]
    grids = [grid for row in rows for sample in row for grid in sample.grids]
    empty_nchw = np.zeros((0, 3, settings.form.height, settings.form.width), dtype=np.uint8)
    return Batch(
        **{name: torch.from_numpy(array) for name, array in arrays_bl.items()},
        pixel_values=torch.from_numpy(np.stack(images_chw) if images_chw else empty_nchw),
        image_grids=torch.tensor(grids, dtype=torch.int64).reshape(-1, 2),
        num_tokens=num_tokens,
        packs=tuple(pack.number for pack, _ in packs),
        skipped=tuple(sample for _, content in packs for sample in content if isinstance(sample, SkippedSample)),
        cursor=(cursor or packs[-1][0].cursor).to_json(),
    )


def _fill_row(arrays_bl: dict[str, Ints], row: int, samples: Sequence[LoadedSample]) -> None:
    start = 0
    for segment, sample in enumerate(samples):
        span = slice(start, start + len(sample.ids))
        arrays_bl["input_ids"][row, span] = sample.ids
        arrays_bl["labels"][row, span] = sample.labels
        arrays_bl["position_ids"][row, span] = np.arange(len(sample.ids))
        arrays_bl["segment_ids"][row, span] = segment
        arrays_bl["groups"][row, span] = sample.group
        start = span.stop


def _dummy(settings: CollateSettings) -> LoadedSample:
    ids_l = np.full(settings.tokens_per_image, settings.image_token_id, dtype=np.int32)
    black_chw = np.zeros((3, settings.form.height, settings.form.width), dtype=np.uint8)
    return LoadedSample(ids=ids_l, labels=np.full_like(ids_l, IGNORED), pixels=[black_chw], group=0)
