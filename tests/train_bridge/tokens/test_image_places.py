import numpy as np
import pytest

from train_bridge.tokens.image_places import places_of, replace_placeholders
from train_bridge.tokens.tiling import Tiling

IMAGE, NEWLINE = 99, 7
TILES, S2 = Tiling(mode="tiles", size_px=28), Tiling(mode="s2", size_px=28)


@pytest.mark.parametrize(
    ("tiling", "grid", "adds_newline", "expected"),
    [
        (None, (1, 1), True, [IMAGE, NEWLINE]),
        (TILES, (1, 1), False, [IMAGE]),
        (TILES, (1, 2), False, [IMAGE, NEWLINE, IMAGE, NEWLINE, IMAGE]),
        (TILES, (1, 1), True, [IMAGE, NEWLINE, NEWLINE]),
        (TILES, (1, 2), True, [IMAGE, NEWLINE, NEWLINE] * 3),
        (S2, (2, 5), True, [*[IMAGE] * 10, NEWLINE]),
        (S2, (3, 3), False, [IMAGE] * 9),
    ],
)
def test_an_image_has_the_places_that_the_family_gives_it(
    tiling: Tiling | None, grid: tuple[int, int], *, adds_newline: bool, expected: list[int]
) -> None:
    own = places_of(grid, tiling=tiling, image_token_id=IMAGE, newline_ids=[NEWLINE], adds_newline=adds_newline)
    assert own == expected


def test_labels_and_breaks_move_along() -> None:
    ids = np.array([1, IMAGE, 5, 6, IMAGE, 8], dtype=np.int32)
    labelled = np.array([False, False, True, True, False, True])
    breaks = np.array([2, 4], dtype=np.int32)
    new, marks, moved = replace_placeholders(
        ids, labelled, breaks, image_token_id=IMAGE, places=[[IMAGE, IMAGE, NEWLINE], [IMAGE]]
    )
    assert new.tolist() == [1, IMAGE, IMAGE, NEWLINE, 5, 6, IMAGE, 8]
    assert marks.tolist() == [False, False, False, False, True, True, False, True]
    assert moved.tolist() == [4, 6]
    assert {str(array.dtype) for array in (new, moved)} == {"int32"}


def test_without_images_nothing_changes() -> None:
    ids = np.array([1, 2], dtype=np.int32)
    new, marks, moved = replace_placeholders(
        ids, ids == 2, np.array([1], dtype=np.int32), image_token_id=IMAGE, places=[]
    )
    assert (new.tolist(), marks.tolist(), moved.tolist()) == ([1, 2], [False, True], [1])
