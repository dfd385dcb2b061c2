import torch

from train_bridge.bench.padding import pad_rows, unpack_rows
from train_bridge.data.collate import PADDING, Batch
from train_bridge.tokens.encoder import IGNORED

IMAGE = 9


def batch() -> Batch:
    """Two packs: of two samples, the second with an image of two tokens; of one sample with two images."""
    ids = torch.tensor([[1, 2, 3, IMAGE, IMAGE, 0], [IMAGE, IMAGE, 4, IMAGE, IMAGE, 5]])
    return Batch(
        input_ids=ids,
        labels=ids.where(ids != IMAGE, IGNORED),
        position_ids=torch.zeros_like(ids),
        segment_ids=torch.tensor([[0, 0, 1, 1, 1, PADDING], [0] * 6], dtype=torch.int32),
        groups=ids * 10,
        pixel_values=torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 2, 2),
        num_tokens=11,
        packs=(0, 1),
        skipped=(),
        cursor="",
    )


def test_samples_get_their_own_images_back() -> None:
    rows = unpack_rows(batch(), image_id=IMAGE, num_image_tokens=2)
    assert [row.ids.tolist() for row in rows] == [[1, 2], [3, 9, 9], [9, 9, 4, 9, 9, 5]]
    assert [row.pixels[:, 0, 0, 0].tolist() for row in rows] == [[], [0], [1, 2]]


def test_rows_are_padded_to_the_longest() -> None:
    rows = unpack_rows(batch(), image_id=IMAGE, num_image_tokens=2)
    padded = pad_rows(rows[:2])
    assert padded.input_ids.tolist() == [[1, 2, 0], [3, 9, 9]]
    assert padded.labels.tolist() == [[1, 2, IGNORED], [3, IGNORED, IGNORED]]
    assert padded.segment_ids.tolist() == [[0, 0, PADDING], [0, 0, 0]]
    assert padded.position_ids[1].tolist() == [0, 1, 2]
    assert (padded.num_tokens, len(padded.pixel_values)) == (5, 1)
