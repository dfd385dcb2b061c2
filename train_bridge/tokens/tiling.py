"""Images as several crops: how many, in which grid, and how many places they take among the tokens of a document.

``tiles`` (NVILA-Lite, InternVL 1.5): the grid of squares nearest to the image's shape, and a small picture of the whole
behind them where there is more than one. Each is an image of its own to the language model.

``s2`` (dynamic S2 of NVILA, arXiv 2412.04468): the whole image at each smaller scale as a square of squares, and at the
largest one in the grid nearest to its shape; the language model sees the tokens of that grid only.

The choice of a grid is that of InternVL and NVlabs/VILA (``llava/mm_utils.py``), ties included.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiling:
    """How images are cut."""

    mode: Literal["tiles", "s2"]
    size_px: int
    """Side of a crop, that of the vision tower."""
    min_tiles: int = 1
    """Of ``tiles``."""
    max_tiles: int = 12
    scales: tuple[int, ...] = (1, 2, 3)
    """Of ``s2``: crops a side of each scale; the last one is square in number only."""

    def grid(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return rows and columns of an image's grid; of the last scale with ``s2``."""
        least = self.min_tiles if self.mode == "tiles" else self.scales[-1] ** 2
        return nearest_grid(width_px, height_px, size_px=self.size_px, min_tiles=least, max_tiles=self.max_tiles)

    def num_places(self, grid: tuple[int, int]) -> int:
        """Return how many placeholders an image of this grid has."""
        tiles = grid[0] * grid[1]
        return tiles + 1 if self.mode == "tiles" and tiles > 1 else tiles

    def num_crops(self, grid: tuple[int, int]) -> int:
        """Return how many crops the vision tower sees of an image of this grid."""
        if self.mode == "tiles":
            return self.num_places(grid)
        return sum(side * side for side in self.scales[:-1]) + grid[0] * grid[1]


@lru_cache(maxsize=65_536)
def nearest_grid(width_px: int, height_px: int, *, size_px: int, min_tiles: int, max_tiles: int) -> tuple[int, int]:
    """Return rows and columns of the grid whose shape is nearest to an image's.

    Of grids equally near, the larger one is taken where the image has more than half of its pixels.
    """
    ratio, area = width_px / height_px, width_px * height_px
    best, least = (1, 1), float("inf")
    for columns, rows in _grids(min_tiles, max_tiles):
        distance = abs(ratio - columns / rows)
        is_large = 2 * area > size_px * size_px * columns * rows
        if distance < least or (distance == least and is_large):
            best, least = (rows, columns), distance
    return best


@lru_cache
def _grids(min_tiles: int, max_tiles: int) -> tuple[tuple[int, int], ...]:
    """Return columns and rows of all grids, by their number of squares."""
    found = {
        (columns, rows)
        for columns in range(1, max_tiles + 1)
        for rows in range(1, max_tiles + 1)
        if min_tiles <= columns * rows <= max_tiles
    }
    # Python's order of a set of small tuples is that of the published code only by luck: among equals, columns first.
    return tuple(sorted(found, key=lambda grid: (grid[0] * grid[1], grid)))
