"""What stands in place of an image's one placeholder: several of them for its crops, and NVILA's line breaks.

It is done on token ids, behind the tokenizer: written as text, two line breaks would become one token in most
vocabularies, and the model has learned two.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from train_bridge.tokens.tiling import Tiling

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Grid = tuple[int, int]


def places_of(
    grid: Grid, *, tiling: Tiling | None, image_token_id: int, newline_ids: Sequence[int], adds_newline: bool
) -> list[int]:
    """Return the ids that stand for one image.

    Args:
        grid: Rows and columns of its crops.
        tiling: None: it is one crop.
        image_token_id: The placeholder.
        newline_ids: A line break.
        adds_newline: The model's encoder puts a line break behind each image (NVILA), and the text does not; otherwise
            the text has one behind the last.
    """
    breaks, image = list(newline_ids), [image_token_id]
    if tiling is None or tiling.mode == "s2":
        num_places = 1 if tiling is None else tiling.num_places(grid)
        return image * num_places + (breaks if adds_newline else [])
    num_places = tiling.num_places(grid)
    if adds_newline:  # one of the encoder, one of the prompt, which has a line for each tile
        return (image + breaks + breaks) * num_places
    return (image + breaks) * (num_places - 1) + image


def replace_placeholders(
    ids: Ints, labelled: Bools, breaks: Ints, *, image_token_id: int, places: Sequence[Sequence[int]]
) -> tuple[Ints, Bools, Ints]:
    """Put the ids of each image in place of its placeholder.

    Args:
        ids: [N]
        labelled: [N]
        breaks: Indices into ``ids``.
        image_token_id: The placeholder.
        places: For each placeholder, in order, what takes its place.

    Returns:
        Ids, whether they are labelled (what was put in is not), and the same breaks in them.
    """
    at = np.flatnonzero(ids == image_token_id)
    parts: list[Ints] = []
    marks: list[Bools] = []
    before = 0
    for place, own in zip(at.tolist(), places, strict=True):
        parts += [ids[before:place], np.asarray(own, dtype=np.int32)]
        marks += [labelled[before:place], np.zeros(len(own), dtype=np.bool_)]
        before = place + 1
    more = np.cumsum([0, *(len(own) - 1 for own in places)])
    moved = breaks + more[np.searchsorted(at, breaks)]
    return (
        np.concatenate([*parts, ids[before:]]).astype(np.int32),
        np.concatenate([*marks, labelled[before:]]),
        moved.astype(np.int32),
    )
