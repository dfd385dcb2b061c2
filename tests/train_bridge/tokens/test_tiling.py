import pytest

from train_bridge.tokens.tiling import Tiling, nearest_grid

TILES = Tiling(mode="tiles", size_px=448)
S2 = Tiling(mode="s2", size_px=448)


def published_grid(width: int, height: int, *, low: int, high: int, size: int) -> tuple[int, int]:
    """Rows and columns by InternVL's rule as NVlabs/VILA has it, restated: first nearest ratio, larger ones on ties."""
    pairs = {(c, r) for n in range(low, high + 1) for c in range(1, n + 1) for r in range(1, n + 1)}
    ordered = sorted((p for p in pairs if low <= p[0] * p[1] <= high), key=lambda p: p[0] * p[1])
    best, gap = (1, 1), float("inf")
    for columns, rows in ordered:
        own = abs(width / height - columns / rows)
        if own < gap:
            best, gap = (columns, rows), own
        elif own == gap and width * height > 0.5 * size * size * columns * rows:
            best = (columns, rows)
    return best[1], best[0]


@pytest.mark.parametrize(("low", "high"), [(1, 12), (9, 12), (1, 6)])
def test_the_grid_is_the_published_one(low: int, high: int) -> None:
    for width in range(40, 2000, 97):
        for height in (*range(40, 2000, 89), 448, 896):
            own = nearest_grid(width, height, size_px=448, min_tiles=low, max_tiles=high)
            assert own == published_grid(width, height, low=low, high=high, size=448), (width, height)


def test_tiles_have_the_whole_image_behind_them_where_there_are_several() -> None:
    assert TILES.grid(448, 448) == (1, 1)
    assert (TILES.num_places((1, 1)), TILES.num_crops((1, 1))) == (1, 1)
    assert TILES.grid(2000, 1000) == (2, 4)
    assert (TILES.num_places((2, 4)), TILES.num_crops((2, 4))) == (9, 9)


def test_scales_have_places_for_the_last_one_alone() -> None:
    assert S2.grid(100, 100) == (3, 3)
    assert (S2.num_places((3, 3)), S2.num_crops((3, 3))) == (9, 1 + 4 + 9)
    assert S2.grid(4000, 1000) == (2, 6)  # at least the square's nine, at most twelve
