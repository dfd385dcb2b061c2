"""Packs taken apart into a row per sample, padded: how a trainer without packing would see the same documents."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from train_bridge.data.collate import PADDING, Batch
from train_bridge.tokens.encoder import IGNORED


@dataclass(frozen=True, kw_only=True, slots=True)
class PaddedRow:
    """One sample of L tokens and N images."""

    ids: torch.Tensor
    """[L]"""
    labels: torch.Tensor
    """[L]"""
    groups: torch.Tensor
    """[L]"""
    pixels: torch.Tensor
    """uint8 [N, 3, H, W]"""


def unpack_rows(batch: Batch, *, image_id: int, num_image_tokens: int) -> list[PaddedRow]:
    """Return the samples of a batch in order, without dummy images' help: every sample's images are its own.

    Args:
        batch: Packed.
        image_id: Token id of the image placeholder.
        num_image_tokens: Placeholders per image.
    """
    rows: list[PaddedRow] = []
    first_image = 0
    for ids_l, labels_l, groups_l, segments_l in zip(
        batch.input_ids, batch.labels, batch.groups, batch.segment_ids, strict=True
    ):
        for segment in range(int(segments_l.max()) + 1):
            is_own_l = segments_l == segment
            num_images = int((ids_l[is_own_l] == image_id).sum()) // num_image_tokens
            pixels_nchw = batch.pixel_values[first_image : first_image + num_images]
            rows.append(
                PaddedRow(ids=ids_l[is_own_l], labels=labels_l[is_own_l], groups=groups_l[is_own_l], pixels=pixels_nchw)
            )
            first_image += num_images
    return rows


def pad_rows(rows: Sequence[PaddedRow]) -> Batch:
    """Lay samples out as rows as long as the longest; a row is one segment."""
    lengths = [len(row.ids) for row in rows]
    segments = [torch.zeros(length, dtype=torch.int32) for length in lengths]
    return Batch(
        input_ids=pad_sequence([row.ids for row in rows], batch_first=True),
        labels=pad_sequence([row.labels for row in rows], batch_first=True, padding_value=IGNORED),
        position_ids=pad_sequence([torch.arange(length) for length in lengths], batch_first=True),
        segment_ids=pad_sequence(segments, batch_first=True, padding_value=PADDING),
        groups=pad_sequence([row.groups for row in rows], batch_first=True),
        pixel_values=torch.cat([row.pixels for row in rows]),
        num_tokens=sum(lengths),
        packs=(),
        skipped=(),
        cursor="",
    )
