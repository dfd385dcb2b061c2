from dataclasses import fields

import numpy as np
import torch

from train_bridge.data.collate import PADDING, Batch, CollateSettings, collate
from train_bridge.data.samples import Content, LoadedSample, SkippedSample
from train_bridge.model.images import ImageForm
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.draw import SAMPLE
from train_bridge.packing.plan import Pack
from train_bridge.tokens.encoder import IGNORED
from train_bridge.tokens.faults import SampleFault

FORM = ImageForm(height=2, width=2, shorter_side=None, resample=3, mean=(0.5,) * 3, std=(0.5,) * 3)
IMAGE_ID, PAD_ID = 9, 2
SKIPPED = SkippedSample("key", "doc", SampleFault.BROKEN_IMAGE, "detail")


def settings(*, always_image: bool = False) -> CollateSettings:
    return CollateSettings(
        form=FORM, image_token_id=IMAGE_ID, pad_id=PAD_ID, tokens_per_image=3, always_image=always_image
    )


def loaded(ids: list[int], *, group: int = 0, brightness: int | None = None) -> LoadedSample:
    array = np.array(ids, dtype=np.int32)
    labels = np.where(array == IMAGE_ID, IGNORED, array).astype(np.int32)
    labels[:1] = IGNORED
    pixels = [] if brightness is None else [np.full((3, 2, 2), brightness, dtype=np.uint8)]
    return LoadedSample(ids=array, labels=labels, pixels=pixels, group=group)


def batch_of(*contents: Content, always_image: bool = False) -> Batch:
    table = np.empty(0, dtype=SAMPLE)
    packs = [Pack(number=i, table=table, num_tokens=0, num_images=0, window=Cursor()) for i in range(len(contents))]
    return collate(list(zip(packs, contents, strict=True)), settings=settings(always_image=always_image))


def test_samples_lie_side_by_side_with_ids_of_their_own() -> None:
    batch = batch_of([loaded([0, 5, 6], group=1), loaded([0, 7], group=2)], [loaded([0])])
    assert batch.input_ids.tolist() == [[0, 5, 6, 0, 7], [0, PAD_ID, PAD_ID, PAD_ID, PAD_ID]]
    assert batch.segment_ids.tolist() == [[0, 0, 0, 1, 1], [0] + [PADDING] * 4]
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1], [0, 0, 0, 0, 0]]
    assert batch.labels.tolist() == [[IGNORED, 5, 6, IGNORED, 7], [IGNORED] * 5]
    assert batch.groups.tolist() == [[1, 1, 1, 2, 2], [0] * 5]
    assert batch.num_tokens == 6


def test_images_follow_their_placeholders_row_by_row() -> None:
    image = [IMAGE_ID] * 3
    batch = batch_of(
        [loaded([0, *image], brightness=1), loaded([0, *image], brightness=2)], [loaded(image, brightness=3)]
    )
    assert batch.pixel_values.shape == (3, 3, 2, 2)
    assert batch.pixel_values[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert batch.pixel_values.dtype == torch.uint8


def test_a_text_batch_gets_a_dummy_image_only_if_asked() -> None:
    assert len(batch_of([loaded([0, 5])]).pixel_values) == 0
    batch = batch_of([loaded([0, 5])], always_image=True)
    assert len(batch.pixel_values) == 1
    assert batch.input_ids.tolist() == [[0, 5, IMAGE_ID, IMAGE_ID, IMAGE_ID]]
    assert batch.segment_ids.tolist() == [[0, 0, 1, 1, 1]]
    assert batch.labels[0, 2:].tolist() == [IGNORED] * 3
    assert batch.num_tokens == 2


def test_a_batch_with_an_image_gets_no_dummy() -> None:
    batch = batch_of([loaded([0, 5])], [loaded([IMAGE_ID] * 3, brightness=7)], always_image=True)
    assert len(batch.pixel_values) == 1


def test_skipped_samples_leave_their_pack_and_are_named() -> None:
    batch = batch_of([SKIPPED, loaded([0, 5])])
    assert batch.input_ids.tolist() == [[0, 5]]
    assert batch.skipped == (SKIPPED,)


def test_a_pack_that_lost_all_samples_is_one_token_of_padding() -> None:
    batch = batch_of([SKIPPED])
    assert batch.input_ids.tolist() == [[PAD_ID]]
    assert batch.num_tokens == 0


def test_the_cursor_is_that_of_the_last_pack() -> None:
    batch = batch_of([loaded([0])], [loaded([0])])
    assert batch.packs == (0, 1)
    assert Cursor.from_json(batch.cursor).next_pack == 1


def test_to_moves_every_tensor() -> None:
    moved = batch_of([loaded([0, 5])]).to(torch.device("meta"))
    tensors = [value for field in fields(moved) if isinstance(value := getattr(moved, field.name), torch.Tensor)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert len(tensors) == 7
