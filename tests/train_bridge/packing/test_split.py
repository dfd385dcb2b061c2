import numpy as np
import pytest

from train_bridge.packing.split import Capacity, Counted, label_spans, split_document

CAPACITY = Capacity(seq_length=10, tokens_per_image=4, has_bos=False)


def counted(num_ids: int, *, image_at: list[int], breaks: list[int]) -> Counted:
    labelled = np.ones(num_ids, dtype=np.bool_)
    labelled[image_at] = False
    return Counted(
        num_ids=num_ids,
        image_at=np.array(image_at, dtype=np.int32),
        breaks=np.array(breaks, dtype=np.int32),
        label_spans=label_spans(labelled),
    )


def test_a_document_that_fits_stays_whole() -> None:
    (chunk,) = split_document(counted(7, image_at=[0], breaks=[3]), CAPACITY)
    assert (chunk.start, chunk.stop, chunk.num_tokens, chunk.num_images, chunk.num_labels) == (0, 7, 10, 1, 6)


def test_it_is_split_at_the_last_break_that_fits() -> None:
    chunks = split_document(counted(14, image_at=[], breaks=[4, 8, 12]), CAPACITY)
    assert [(chunk.start, chunk.stop) for chunk in chunks] == [(0, 8), (8, 14)]


def test_an_image_goes_on_with_its_text() -> None:
    # Two tokens, then an image with three tokens, twice: the break before the second image is at 6.
    chunks = split_document(counted(10, image_at=[2, 6], breaks=[2, 6]), CAPACITY)
    assert [(chunk.start, chunk.stop, chunk.num_tokens) for chunk in chunks] == [(0, 6, 9), (6, 10, 7)]


def test_an_item_longer_than_a_sequence_is_cut_but_never_inside_an_image() -> None:
    chunks = split_document(counted(12, image_at=[8], breaks=[]), CAPACITY)
    assert [(chunk.start, chunk.stop, chunk.num_tokens) for chunk in chunks] == [(0, 8, 8), (8, 12, 7)]


def test_later_parts_leave_room_for_their_begin_token() -> None:
    capacity = Capacity(seq_length=10, tokens_per_image=4, has_bos=True)
    chunks = split_document(counted(25, image_at=[], breaks=[]), capacity)
    assert [(chunk.start, chunk.stop, chunk.num_tokens) for chunk in chunks] == [(0, 10, 10), (10, 19, 10), (19, 25, 7)]
    assert [chunk.num_labels for chunk in chunks] == [9, 9, 6]


def test_parts_without_labels_say_so() -> None:
    document = counted(20, image_at=[], breaks=[])
    silent = Counted(num_ids=20, image_at=document.image_at, breaks=document.breaks, label_spans=np.array([15, 18]))
    assert [chunk.num_labels for chunk in split_document(silent, CAPACITY)] == [0, 3]


@pytest.mark.parametrize(
    ("labelled", "spans"), [([], []), ([0, 0], []), ([1, 1], [0, 2]), ([0, 1, 1, 0, 1], [1, 3, 4, 5])]
)
def test_label_spans(labelled: list[int], spans: list[int]) -> None:
    assert label_spans(np.array(labelled, dtype=np.bool_)).tolist() == spans


def test_a_run_of_places_is_one_image_where_that_is_said() -> None:
    runs = Capacity(seq_length=10, tokens_per_image=2, has_bos=False, keeps_runs=True)
    document = counted(10, image_at=[4, 5, 6, 7], breaks=[])
    apart = Capacity(seq_length=10, tokens_per_image=2, has_bos=False)
    assert [(c.start, c.stop) for c in split_document(document, apart)] == [(0, 7), (7, 10)]
    chunks = split_document(document, runs)
    assert [(c.start, c.stop, c.num_images, c.num_tokens) for c in chunks] == [(0, 4, 0, 4), (4, 10, 4, 10)]
