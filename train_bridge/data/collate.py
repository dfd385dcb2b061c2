"""Packs to tensors: tokens with segment and position ids, labels, pixels.

Shapes: B packs, L tokens (the longest pack of the batch), I images of all packs, row after row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch

from train_bridge.data.samples import Content, LoadedSample, SkippedSample
from train_bridge.model.images import ImageForm
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.plan import Pack
from train_bridge.tokens.encoder import IGNORED

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
    """uint8 [I, 3, H, W]"""
    num_tokens: int
    """Of samples: without padding and without a dummy image."""
    packs: tuple[int, ...]
    """Global numbers."""
    skipped: tuple[SkippedSample, ...]
    cursor: str
    """The plan cursor to go on with once all ranks have had their batch of this turn, as JSON."""

    def to(self, device: torch.device) -> Self:
        """Return the batch with its tensors on ``device``."""
        return self._with({name: value.to(device, non_blocking=True) for name, value in self._tensors().items()})

    def pin_memory(self) -> Self:
        """Return the batch in pinned memory; the DataLoader calls this."""
        return self._with({name: value.pin_memory() for name, value in self._tensors().items()})

    def _with(self, tensors: dict[str, Any]) -> Self:
        return replace(self, **tensors)

    def _tensors(self) -> dict[str, torch.Tensor]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}


@dataclass(frozen=True, kw_only=True, slots=True)
class CollateSettings:
    """What collating needs to know of the model."""

    form: ImageForm
    image_token_id: int
    pad_id: int
    tokens_per_image: int
    always_image: bool
    """Give a batch without images a dummy one: under FSDP every rank must run the vision tower, or all wait for one."""


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
    arrays: dict[str, Any] = {
        "input_ids": np.full(shape, settings.pad_id, dtype=np.int64),
        "labels": np.full(shape, IGNORED, dtype=np.int64),
        "position_ids": np.zeros(shape, dtype=np.int64),
        "segment_ids": np.full(shape, PADDING, dtype=np.int32),
        "groups": np.zeros(shape, dtype=np.int64),
    }
    for i, row in enumerate(rows):
        _fill_row(arrays, i, row)
    pixels = [image for row in rows for sample in row for image in sample.pixels]
    empty = np.zeros((0, 3, settings.form.height, settings.form.width), dtype=np.uint8)
    return Batch(
        **{name: torch.from_numpy(array) for name, array in arrays.items()},
        pixel_values=torch.from_numpy(np.stack(pixels) if pixels else empty),
        num_tokens=num_tokens,
        packs=tuple(pack.number for pack, _ in packs),
        skipped=tuple(sample for _, content in packs for sample in content if isinstance(sample, SkippedSample)),
        cursor=(cursor or packs[-1][0].cursor).to_json(),
    )


def _fill_row(arrays: dict[str, Any], row: int, samples: Sequence[LoadedSample]) -> None:
    start = 0
    for segment, sample in enumerate(samples):
        span = slice(start, start + len(sample.ids))
        arrays["input_ids"][row, span] = sample.ids
        arrays["labels"][row, span] = sample.labels
        arrays["position_ids"][row, span] = np.arange(len(sample.ids))
        arrays["segment_ids"][row, span] = segment
        arrays["groups"][row, span] = sample.group
        start = span.stop


def _dummy(settings: CollateSettings) -> LoadedSample:
    ids = np.full(settings.tokens_per_image, settings.image_token_id, dtype=np.int32)
    black = np.zeros((3, settings.form.height, settings.form.width), dtype=np.uint8)
    return LoadedSample(ids=ids, labels=np.full_like(ids, IGNORED), pixels=[black], group=0)
